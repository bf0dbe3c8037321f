import {
  decodeProtectedHeader,
  errors,
  jwtVerify,
  SignJWT,
} from "npm:jose@6.2.17";
import {
  AuthenticationError,
  type Authenticator,
  type Principal,
} from "./authentication.ts";
import type { TokenKey, TokenKeys } from "./token_keys.ts";
import {
  type TokenRevocationList,
  TokenRevocations,
} from "./token_revocations.ts";

/** Options of {@linkcode jwtTokens}. */
export interface JwtTokensOptions {
  /** The keys of the issuer. */
  keys: TokenKeys;
  /** Who issues: the claim `iss`. */
  issuer: string;
  /** For whom: the claim `aud`, or one of its values. */
  audience: string;
  /**
   * Which tokens were taken back.
   *
   * @default {new TokenRevocations()}
   */
  revoked?: TokenRevocationList;
  /**
   * How much the issuer's clock may be ahead or behind, in milliseconds.
   *
   * @default {60000}
   */
  clockSkewMs?: number;
  /**
   * The most bytes that a token may have.
   *
   * @default {8192}
   */
  maxTokenBytes?: number;
  /**
   * The claim with the roles: a list of texts.
   *
   * @default {"roles"}
   */
  rolesClaim?: string;
}

/** Options of {@linkcode JwtTokens.issue}. */
export interface IssueOptions {
  /** How long the token is good for, in milliseconds. */
  lifetimeMs: number;
  /**
   * The time, in milliseconds since 1970.
   *
   * @default {Date.now()}
   */
  nowMs?: number;
}

/** What {@linkcode jwtTokens} returns. */
export interface JwtTokens extends Authenticator {
  /**
   * Signs a token for a principal with the first private key.
   *
   * @throws {Error} If there is none.
   * @throws {RangeError} If it would last longer than revocations are remembered.
   */
  issue(
    principal: Pick<Principal, "id" | "roles">,
    options: IssueOptions,
  ): Promise<string>;
  /**
   * Takes back a token, or that of a principal who has logged in with one, until it expires. A token is checked like one
   * that logs in.
   *
   * @throws {AuthenticationError} If it is not good anyway, or the principal has logged in otherwise.
   */
  revoke(token: string | Principal, nowMs?: number): Promise<void>;
}

/** A token that is right. */
interface Verified {
  sub: string;
  jti: string | undefined;
  expiresAtMs: number;
  roles: readonly string[];
}

const MAX_ROLES = 256;
/** Stricter than what decodes it, which passes over white space. */
const JWT_REGEXP = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/**
 * Logs in bearers of JSON Web Tokens (RFC 7519), along RFC 8725. The algorithm is that of the key, whatever the token
 * says; `sub`, `exp`, `iss` and `aud` are required. Text that has not the form of a JWT is denied: another method
 * may take it.
 *
 * @example Usage
 * ```ts
 * import { createTokenKey, tokenKeys } from "./token_keys.ts";
 * import { jwtTokens } from "./tokens.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const tokens = jwtTokens({
 *   keys: await tokenKeys({ keys: [await createTokenKey("EdDSA")] }),
 *   issuer: "https://login.example.org",
 *   audience: "hub",
 * });
 * const token = await tokens.issue(
 *   { id: "ada", roles: ["admin"] },
 *   { lifetimeMs: 600_000 },
 * );
 * const principal = await tokens.authenticate({ type: "token", token }, {
 *   source: "192.0.2.1",
 *   identity: undefined,
 *   signal: new AbortController().signal,
 *   nowMs: Date.now(),
 *   memory: new Map(),
 * });
 * assertEquals("id" in principal && principal.id, "ada");
 * ```
 */
export function jwtTokens(options: JwtTokensOptions): JwtTokens {
  const { keys, issuer, audience } = options;
  const revocations = options.revoked ?? new TokenRevocations();
  const clockSkewMs = options.clockSkewMs ?? 60_000;
  const maxTokenBytes = options.maxTokenBytes ?? 8192;
  const rolesClaim = options.rolesClaim ?? "roles";

  const verify = async (token: string, nowMs: number): Promise<Verified> => {
    if (token.length > maxTokenBytes) {
      throw denied(`the token has more than ${maxTokenBytes} bytes`);
    }
    if (!JWT_REGEXP.test(token)) throw denied("it is no JWT");
    const key = keyOf(token, await keys.read());
    const { payload } = await jwtVerify(token, key.publicKey, {
      algorithms: [key.algorithm],
      issuer,
      audience,
      requiredClaims: ["sub", "exp"],
      clockTolerance: clockSkewMs / 1000,
      currentDate: new Date(nowMs),
    }).catch((error) => {
      throw refusal(error);
    });
    const { sub, jti, exp = NaN, iat } = payload;
    const roles = payload[rolesClaim] ?? [];
    if (typeof sub !== "string" || sub === "") {
      throw denied("the claim sub is no text");
    }
    if (
      !Array.isArray(roles) || roles.length > MAX_ROLES ||
      roles.some((role) => typeof role !== "string")
    ) {
      throw denied(`the claim ${rolesClaim} is no list of texts`);
    }
    const revoked = await revocations.read();
    const expiresAtMs = exp * 1000;
    if (!(expiresAtMs <= nowMs + revoked.maxLifetimeMs + clockSkewMs)) {
      throw denied("the token lasts longer than revocations are remembered");
    }
    const issuedAtMs = iat === undefined ? undefined : iat * 1000;
    if (revoked.has({ sub, jti, issuedAtMs })) {
      throw new AuthenticationError("revoked", "the token was revoked");
    }
    return { sub, jti, expiresAtMs, roles };
  };

  const shown = new WeakMap<Principal, Verified>();

  return {
    name: "jwt",
    accepts: ["token"],
    async authenticate(credentials, { nowMs }): Promise<Principal> {
      if (credentials.type !== "token") throw denied("it is no token");
      const verified = await verify(credentials.token, nowMs);
      const { sub, roles, expiresAtMs } = verified;
      const principal = { id: sub, roles, method: "jwt", expiresAtMs };
      shown.set(principal, verified);
      return principal;
    },
    async issue(
      { id, roles },
      { lifetimeMs, nowMs = Date.now() },
    ): Promise<string> {
      const revoked = await revocations.read();
      if (!(lifetimeMs > 0 && lifetimeMs <= revoked.maxLifetimeMs)) {
        throw new RangeError(
          "Cannot issue a token: it must last no longer than revocations are " +
            `remembered (${revoked.maxLifetimeMs} ms): current value is ` +
            `${lifetimeMs}`,
        );
      }
      const key = (await keys.read()).find(({ privateKey }) => privateKey);
      if (key?.privateKey === undefined) {
        throw new Error("Cannot issue a token: no key is private");
      }
      const nowSeconds = Math.floor(nowMs / 1000);
      return await new SignJWT({ [rolesClaim]: roles })
        .setProtectedHeader({ alg: key.algorithm, kid: key.kid, typ: "JWT" })
        .setSubject(id)
        .setIssuer(issuer)
        .setAudience(audience)
        .setJti(crypto.randomUUID())
        .setIssuedAt(Math.max(nowSeconds, revoked.notBeforeMs(id) / 1000))
        .setExpirationTime(Math.ceil((nowMs + lifetimeMs) / 1000))
        .sign(key.privateKey);
    },
    async revoke(token, nowMs = Date.now()): Promise<void> {
      const verified = typeof token === "string"
        ? await verify(token, nowMs)
        : shown.get(token);
      if (verified === undefined) {
        const detail = "the login was not by a token";
        throw new AuthenticationError("unsupported", detail);
      }
      const { sub, jti, expiresAtMs } = verified;
      // It is good for the skew after its expiry, too.
      const untilMs = expiresAtMs + clockSkewMs;
      await revocations.update((revoked) =>
        jti === undefined
          ? revoked.revokeAll(sub, nowMs)
          : revoked.revoke({ sub, jti, expiresAtMs: untilMs }, nowMs)
      );
    },
  };
}

function denied(detail: string): AuthenticationError {
  return new AuthenticationError("denied", detail);
}

/** A token without `kid` is for the only key. */
function keyOf(token: string, keys: readonly TokenKey[]): TokenKey {
  let kid: string | undefined;
  try {
    ({ kid } = decodeProtectedHeader(token));
  } catch {
    throw denied("the token has no header");
  }
  const key = kid === undefined
    ? keys.length === 1 ? keys[0] : undefined
    : keys.find((key) => key.kid === kid);
  if (key === undefined) throw denied("no key has the kid of the token");
  return key;
}

/** Says what was wrong, and nothing of what the token says. */
function refusal(error: unknown): AuthenticationError {
  if (error instanceof errors.JWTExpired) {
    return new AuthenticationError("expired", "the token has expired");
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return denied(`the claim ${error.claim} is wrong: ${error.reason}`);
  }
  return denied(
    error instanceof errors.JOSEError
      ? `the token is wrong: ${error.code}`
      : "the token cannot be verified",
  );
}
