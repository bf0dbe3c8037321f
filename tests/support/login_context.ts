import {
  type AuthenticationContext,
  AuthenticationError,
  type AuthenticationFailure,
} from "../../src/security/authentication.ts";
import { assertInstanceOf } from "@std/assert";

/** What an authenticator knows of a peer, for tests. */
export function loginContext(
  given: Partial<AuthenticationContext> = {},
): AuthenticationContext {
  return {
    source: "192.0.2.1",
    identity: undefined,
    signal: new AbortController().signal,
    nowMs: 0,
    memory: new Map(),
    ...given,
  };
}

/** Why a login was refused; fails if it was not. */
export async function refusal(
  login: Promise<unknown>,
): Promise<AuthenticationError> {
  const error = await login.then(() => undefined, (error) => error);
  assertInstanceOf(error, AuthenticationError);
  return error;
}

/** The code and the detail of a refusal. */
export async function refusalOf(
  login: Promise<unknown>,
): Promise<[AuthenticationFailure, string]> {
  const { code, detail } = await refusal(login);
  return [code, detail];
}
