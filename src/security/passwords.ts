import { LoginThrottle } from "../proto/security/login_throttle.ts";
import {
  AuthenticationError,
  type Authenticator,
  type Principal,
} from "./authentication.ts";
import { normalizeName } from "./names.ts";
import { PasswordHasher } from "./password_hash.ts";
import { SourceQueue } from "./source_queue.ts";
import type { Users } from "./users.ts";

/** Options of {@linkcode passwords}. */
export interface PasswordsOptions {
  /** The accounts. */
  users: Users;
  /**
   * Checks passwords.
   *
   * @default {new PasswordHasher()}
   */
  hasher?: PasswordHasher;
  /**
   * Slows down who guesses; shared by servers with the same accounts.
   *
   * @default {new LoginThrottle()}
   */
  throttle?: LoginThrottle;
  /**
   * Tries of one source that may wait for those before them: one is checked at a time.
   *
   * @default {64}
   */
  maxWaitingPerSource?: number;
  /** Called when a hash of a higher cost cannot be stored. The login goes on. */
  onFault?: (error: Error) => void;
}

/**
 * Logs in accounts by their passwords. An account that does not exist costs as much time as a wrong password and is
 * refused in the same words. Wrong tries are slowed down by the throttle, and one source has one try checked at a
 * time, so that many at once are no way around it. A hash that costs less than the hasher's is replaced at the next
 * login.
 *
 * @example Usage
 * ```ts
 * import { PasswordHasher } from "./password_hash.ts";
 * import { passwords } from "./passwords.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const password = await new PasswordHasher().hash("correct horse");
 * const ada = { name: "ada", password, roles: ["admin"] };
 * const authenticator = passwords({
 *   users: {
 *     find: (name) => Promise.resolve(name === "ada" ? ada : undefined),
 *     replacePassword: () => Promise.resolve(),
 *   },
 * });
 * const principal = await authenticator.authenticate(
 *   { type: "password", user: "ada", password: "correct horse" },
 *   {
 *     source: "192.0.2.1",
 *     identity: undefined,
 *     signal: new AbortController().signal,
 *     nowMs: Date.now(),
 *     memory: new Map(),
 *   },
 * );
 * assertEquals(principal, { id: "ada", roles: ["admin"], method: "password" });
 * ```
 */
export function passwords(options: PasswordsOptions): Authenticator {
  const { users, onFault } = options;
  const hasher = options.hasher ?? new PasswordHasher();
  const throttle = options.throttle ?? new LoginThrottle();
  const queue = new SourceQueue(options.maxWaitingPerSource ?? 64);

  return {
    name: "password",
    accepts: ["password"],
    async authenticate(credentials, context): Promise<Principal> {
      if (credentials.type !== "password") {
        throw new AuthenticationError("denied", "no password was given");
      }
      const { source, signal, nowMs } = context;
      const { password } = credentials;
      const user = normalizeName(credentials.user);
      using _turn = await queue.enter(source, signal);
      const retryAfterMs = throttle.delayMs(user, source, nowMs);
      if (retryAfterMs > 0) {
        throw new AuthenticationError(
          "too_many_tries",
          "the account or the source has failed too often",
          { retryAfterMs },
        );
      }
      const account = await users.find(user);
      const isRight = await hasher.verify(
        password,
        account?.password ?? hasher.decoy,
        { signal, urgent: throttle.isKnown(user, source) },
      );
      if (account === undefined || !isRight) {
        throttle.failed(user, source, nowMs);
        throw new AuthenticationError(
          "denied",
          account === undefined ? "no account has this name" : "wrong password",
        );
      }
      throttle.succeeded(user, source, nowMs);
      if (hasher.needsRehash(account.password)) {
        try {
          await users.replacePassword(account, await hasher.hash(password));
        } catch (error) {
          onFault?.(error as Error);
        }
      }
      return { id: account.name, roles: account.roles, method: "password" };
    },
  };
}
