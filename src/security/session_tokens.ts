import {
  AuthenticationError,
  type Authenticator,
  type Principal,
} from "./authentication.ts";
import { entriesOf, JsonFile } from "./json_file.ts";
import type { Account } from "./users.ts";
import {
  isSessionToken,
  type SessionRecord,
  type Sessions,
  type SessionStore,
} from "./sessions.ts";

/** Options of {@linkcode sessionTokens}. */
export interface SessionTokensOptions {
  /**
   * Whether each login gives a new token and ends the old one. Turn it off where several connections share a token.
   *
   * @default {true}
   */
  rotate?: boolean;
  /**
   * Finds what the user of a session may be at this moment, such as `(id) => users.find(id)`; all sessions of a user
   * who is not found end, as do those from before the password was changed. Without it the roles are those of the login
   * that began the session.
   */
  account?: (
    id: string,
  ) => Promise<Pick<Account, "roles" | "passwordChangedMs"> | undefined>;
}

/**
 * Logs in with the token of a session. With rotation the principal's `grant` is the {@linkcode Session} with the new
 * token. Text that has not the form of a session token is denied: another method may take it.
 *
 * @example
 * ```ts
 * import { Sessions } from "./sessions.ts";
 * import { sessionTokens } from "./session_tokens.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const sessions = new Sessions();
 * const { token } = await sessions.start({ id: "ada", roles: [] }, 0);
 * const principal = await sessionTokens(sessions).authenticate(
 *   { type: "token", token },
 *   {
 *     source: "192.0.2.1",
 *     identity: undefined,
 *     signal: new AbortController().signal,
 *     nowMs: 1000,
 *     memory: new Map(),
 *   },
 * );
 * assertEquals("id" in principal && principal.id, "ada");
 * ```
 */
export function sessionTokens(
  sessions: Sessions,
  { rotate = true, account }: SessionTokensOptions = {},
): Authenticator {
  return {
    name: "session",
    accepts: ["token"],
    async authenticate(credentials, { nowMs }): Promise<Principal> {
      if (
        credentials.type !== "token" || !isSessionToken(credentials.token)
      ) {
        throw new AuthenticationError("denied", "it is no session token");
      }
      const { token } = credentials;
      let principal = sessions.use(token, nowMs);
      if (account !== undefined) {
        const { id } = principal;
        const found = await account(id);
        await sessions.endAll(
          id,
          found ? found.passwordChangedMs ?? -1 : Infinity,
        );
        if (found === undefined) {
          throw new AuthenticationError("denied", "the account is gone");
        }
        principal = { ...sessions.use(token, nowMs), roles: found.roles };
      }
      const { roles } = principal;
      if (!rotate) return principal;
      const { session } = await sessions.rotate(token, nowMs);
      return { ...principal, roles, grant: session };
    },
  };
}

/**
 * Starts a session at each login by another method: its token is the principal's `grant`, of type {@linkcode Session}.
 *
 * @example
 * ```ts
 * import { customLogin } from "./custom_login.ts";
 * import { Sessions } from "./sessions.ts";
 * import { withSession } from "./session_tokens.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const sessions = new Sessions();
 * const door = withSession(customLogin("open", () => ({ id: "ada", roles: [] })), sessions);
 * assertEquals(door.name, "open");
 * ```
 */
export function withSession(
  authenticator: Authenticator,
  sessions: Sessions,
): Authenticator {
  return {
    name: authenticator.name,
    accepts: authenticator.accepts,
    async authenticate(credentials, context) {
      const result = await authenticator.authenticate(credentials, context);
      return "challenge" in result
        ? result
        : { ...result, grant: await sessions.start(result, context.nowMs) };
    },
  };
}

/**
 * Keeps sessions in a JSON file of mode 600, for one process at a time.
 *
 * @example
 * ```ts
 * import { Sessions } from "./sessions.ts";
 * import { sessionsFile } from "./session_tokens.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir({ prefix: "portolan-" });
 * const store = sessionsFile(`${folder}/sessions.json`);
 * const { token } = await new Sessions({ store }).start({ id: "ada", roles: [] }, 0);
 * const later = await Sessions.load({ store });
 * assertEquals(later.use(token, 1000).id, "ada");
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export function sessionsFile(path: string): SessionStore {
  const open = () =>
    JsonFile.open(path, {
      create: true,
      parse: (json) => ({ sessions: parseSessions(json) }),
      format: ({ sessions }) => ({ sessions }),
    });
  return {
    load: async () => (await (await open()).read()).sessions,
    save: async (sessions) => {
      const file = await open();
      await file.update((value) => value.sessions = sessions);
    },
  };
}

function parseSessions(json: unknown): readonly SessionRecord[] {
  const { sessions = [] } = Object.fromEntries(entriesOf(json, "sessions"));
  if (!Array.isArray(sessions) || !sessions.every(isRecord)) {
    throw new TypeError(
      "Cannot read sessions: each must have hash, id, roles, startedMs, usedMs",
    );
  }
  return sessions;
}

function isRecord(value: unknown): value is SessionRecord {
  if (typeof value !== "object" || value === null) return false;
  const { hash, id, roles, startedMs, usedMs } = value as Partial<
    SessionRecord
  >;
  return typeof hash === "string" && typeof id === "string" &&
    typeof startedMs === "number" && typeof usedMs === "number" &&
    Array.isArray(roles) && roles.every((role) => typeof role === "string");
}
