import type { PeerIdentity } from "../io/peer_identity.ts";

/** Who a peer has proved to be. */
export interface Principal {
  /** The name that rules, limits and the audit log know it by: an account, a device, the subject of a certificate. */
  readonly id: string;
  /** What it may be: rules are written on these. */
  readonly roles: readonly string[];
  /** How it was proved: the name of the authenticator. */
  readonly method: string;
  /** When the proof runs out, in milliseconds since 1970; undefined if it does not. */
  readonly expiresAtMs?: number | undefined;
  /** What the authenticator tells the client, such as a session token; kept from every log. */
  readonly grant?: unknown;
}

/** What a peer shows to prove who it is. */
export type Credentials =
  /** An account and its password. */
  | { type: "password"; user: string; password: string }
  /** A bearer token: a JWT or a session token. */
  | { type: "token"; token: string }
  /** A device asks for a challenge. */
  | { type: "device"; device: string }
  /** A device's answer to the challenge: an HMAC, in base64. */
  | { type: "device proof"; device: string; mac: string }
  /** The certificate that the road has verified, without another word. */
  | { type: "certificate" };

/** What an authenticator wants before it decides: the peer answers with credentials again. */
export interface Challenge {
  /** What the answer is made from, in base64: random, and good for one answer. `deviceProof()` makes it. */
  readonly challenge: string;
}

/** What an authenticator knows of the peer besides its credentials. */
export interface AuthenticationContext {
  /** The network that it comes from: an IPv4 address, an IPv6 /64, or the endpoint. */
  readonly source: string;
  /** What the road proved. */
  readonly identity: PeerIdentity | undefined;
  /** Aborted when the peer has gone or the time for a login is over. */
  readonly signal: AbortSignal;
  /** The time, in milliseconds since 1970. */
  readonly nowMs: number;
  /** What belongs to this one login: a challenge that was given, for example. */
  readonly memory: Map<unknown, unknown>;
}

/** One way to prove who one is. */
export interface Authenticator {
  /** Short name for principals and the audit log, such as `password`. */
  readonly name: string;
  /** The credentials that it decides about. */
  readonly accepts: readonly Credentials["type"][];
  /**
   * Decides.
   *
   * @throws {AuthenticationError} If the credentials prove nothing.
   */
  authenticate(
    credentials: Credentials,
    context: AuthenticationContext,
  ): Promise<Principal | Challenge>;
}

/** Why a login was refused. The peer is told no more than this; the audit log gets the detail. */
export type AuthenticationFailure =
  /** Wrong name, wrong password, wrong token: which of them is not told. */
  | "denied"
  /** It was right once. */
  | "expired"
  /** It was taken back. */
  | "revoked"
  /** Too many tries; `retryAfterMs` says when to come back. */
  | "too_many_tries"
  /** None of the ways that are offered here. */
  | "unsupported"
  /** No whole login in time. */
  | "timed_out";

/**
 * Credentials were refused.
 *
 * @example Usage
 * ```ts
 * import { AuthenticationError } from "./authentication.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new AuthenticationError("denied", "no account has this name");
 * assertEquals(error.message, "Cannot log in: denied");
 * assertEquals(error.detail, "no account has this name");
 * ```
 */
export class AuthenticationError extends Error {
  /** The name that stack traces show. */
  override readonly name = "AuthenticationError";
  /** What the peer may know. */
  readonly code: AuthenticationFailure;
  /** What the audit log may know; never a secret. */
  readonly detail: string;
  /** Milliseconds after which another try makes sense. */
  readonly retryAfterMs: number | undefined;

  /** Creates the error. */
  constructor(
    code: AuthenticationFailure,
    detail: string,
    options: ErrorOptions & { retryAfterMs?: number } = {},
  ) {
    super(`Cannot log in: ${code}`, options);
    this.code = code;
    this.detail = detail;
    this.retryAfterMs = options.retryAfterMs;
  }
}
