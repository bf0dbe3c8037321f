import {
  type AuthenticationContext,
  AuthenticationError,
  type Authenticator,
  type Challenge,
  type Credentials,
  type Principal,
} from "./authentication.ts";

/** What a function of {@linkcode customLogin} returns: who it is, what else is wanted, or nothing for a refusal. */
export type CustomLoginResult =
  | Pick<Principal, "id" | "roles" | "expiresAtMs" | "grant">
  | Challenge
  | undefined;

/** Options of {@linkcode customLogin}. */
export interface CustomLoginOptions {
  /**
   * The credentials that the function decides about.
   *
   * @default {["password", "token"]}
   */
  accepts?: readonly Credentials["type"][];
}

/**
 * Makes any function a way to log in: it returns who the peer is, or `undefined`, which is a refusal, as is an error.
 *
 * @example
 * ```ts
 * import { customLogin } from "./custom_login.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const door = customLogin("word", (credentials) =>
 *   credentials.type === "token" && credentials.token === "mellon"
 *     ? { id: "friend", roles: [] }
 *     : undefined);
 * const friend = await door.authenticate({ type: "token", token: "mellon" }, {
 *   source: "192.0.2.1",
 *   identity: undefined,
 *   signal: new AbortController().signal,
 *   nowMs: 0,
 *   memory: new Map(),
 * });
 * assertEquals(friend, { id: "friend", roles: [], method: "word" });
 * ```
 */
export function customLogin(
  name: string,
  decide: (
    credentials: Credentials,
    context: AuthenticationContext,
  ) => CustomLoginResult | Promise<CustomLoginResult>,
  { accepts = ["password", "token"] }: CustomLoginOptions = {},
): Authenticator {
  return {
    name,
    accepts,
    async authenticate(credentials, context): Promise<Principal | Challenge> {
      let result: CustomLoginResult;
      try {
        result = await decide(credentials, context);
      } catch (cause) {
        if (cause instanceof AuthenticationError) throw cause;
        // Its message might quote what the peer sent.
        throw new AuthenticationError("denied", `${name} failed`, { cause });
      }
      if (result === undefined) {
        throw new AuthenticationError("denied", `${name} refused`);
      }
      return "challenge" in result ? result : { ...result, method: name };
    },
  };
}
