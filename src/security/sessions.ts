import { createHash } from "node:crypto";
import { AuthenticationError, type Principal } from "./authentication.ts";

/** A session as it is kept: without its token. */
export interface SessionRecord {
  /** SHA-256 of the token, in base64. */
  readonly hash: string;
  /** Whose it is. */
  readonly id: string;
  /** What it may be. */
  readonly roles: readonly string[];
  /** When it began, in milliseconds since 1970. */
  readonly startedMs: number;
  /** When it was last used, in milliseconds since 1970. */
  readonly usedMs: number;
}

/** Where sessions outlive the process. */
export interface SessionStore {
  /** All sessions that were saved last. */
  load(): Promise<readonly SessionRecord[]>;
  /** Keeps these sessions in the place of all others. Not called again before it has ended. */
  save(sessions: readonly SessionRecord[]): Promise<void>;
}

/** Options of {@linkcode Sessions}. */
export interface SessionsOptions {
  /**
   * A session that is not used for so long ends, in milliseconds.
   *
   * @default {1800000} Half an hour.
   */
  idleMs?: number;
  /**
   * A session ends so long after its login, in milliseconds, used or not.
   *
   * @default {86400000} A day.
   */
  maxAgeMs?: number;
  /**
   * Sessions of one user; one more ends the one that was not used for the longest time.
   *
   * @default {16}
   */
  maxPerUser?: number;
  /**
   * Sessions in all; one more ends the one that was not used for the longest time.
   *
   * @default {100000}
   */
  maxSessions?: number;
  /** Where they outlive the process; in memory alone without. */
  store?: SessionStore;
  /** Called when the store fails. The sessions go on in memory. */
  onFault?: (error: Error) => void;
}

/** A session that has begun or goes on. */
export interface Session {
  /** What proves it: 256 random bits. Nobody but its owner may see it. */
  readonly token: string;
  /** When it ends however much it is used, in milliseconds since 1970. */
  readonly expiresAtMs: number;
}

const TOKEN_BYTES = 32;
const PREFIX = "pts_";
const TOKEN_REGEXP = /^pts_[A-Za-z0-9_-]{43}$/;
/** The store learns of the use of a session this often: a restart makes it so much older at most. */
const USE_RESOLUTION_MS = 60_000;

/**
 * Logins that last: a random token stands for a principal until it was idle for too long, is too old or is taken back.
 * Tokens are kept as hashes alone.
 *
 * @example Usage
 * ```ts
 * import { Sessions } from "./sessions.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const sessions = new Sessions({ idleMs: 60_000 });
 * const { token } = await sessions.start({ id: "ada", roles: [] }, 0);
 * assertEquals(sessions.use(token, 1000).id, "ada");
 * await sessions.end(token);
 * assertEquals(sessions.size, 0);
 * ```
 */
export class Sessions {
  readonly #idleMs: number;
  readonly #maxAgeMs: number;
  readonly #maxPerUser: number;
  readonly #maxSessions: number;
  readonly #store: SessionStore | undefined;
  readonly #onFault: ((error: Error) => void) | undefined;
  /** By hash; those used last are last. */
  readonly #sessions = new Map<string, SessionRecord>();
  /** Hashes of each user's sessions, likewise. */
  readonly #users = new Map<string, Set<string>>();
  #isChanged = false;
  #saving: Promise<void> | undefined;

  /** Creates sessions that are in memory alone; see {@linkcode Sessions.load}. */
  constructor(options: SessionsOptions = {}) {
    this.#idleMs = options.idleMs ?? 1_800_000;
    this.#maxAgeMs = options.maxAgeMs ?? 86_400_000;
    this.#maxPerUser = options.maxPerUser ?? 16;
    this.#maxSessions = options.maxSessions ?? 100_000;
    this.#store = options.store;
    this.#onFault = options.onFault;
  }

  /** Creates sessions with those of the store. */
  static async load(options: SessionsOptions): Promise<Sessions> {
    const sessions = new Sessions(options);
    const records = await options.store?.load() ?? [];
    for (const record of records.toSorted((a, b) => a.usedMs - b.usedMs)) {
      sessions.#add(record);
    }
    return sessions;
  }

  /** Sessions that have not ended, as far as they have been looked at. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Starts a session. */
  start(
    { id, roles }: Pick<Principal, "id" | "roles">,
    nowMs: number,
  ): Promise<Session> {
    return this.#start({ id, roles, startedMs: nowMs }, nowMs);
  }

  /**
   * Whose session it is; it counts as used.
   *
   * @throws {AuthenticationError} If there is no such session, or it has expired.
   */
  use(token: string, nowMs: number): Principal {
    const record = this.#find(token, nowMs);
    this.#add({ ...record, usedMs: nowMs });
    if (nowMs - record.usedMs >= USE_RESOLUTION_MS) this.#changed();
    return this.#principal(record);
  }

  /**
   * Goes on with a session under a new token; the old one is worth nothing from this moment.
   *
   * @throws {AuthenticationError} If there is no such session, or it has expired.
   */
  async rotate(
    token: string,
    nowMs: number,
  ): Promise<{ principal: Principal; session: Session }> {
    const record = this.#find(token, nowMs);
    this.#remove(record);
    return {
      principal: this.#principal(record),
      session: await this.#start(record, nowMs),
    };
  }

  /** Ends a session, as a logout does; returns whether there was one. */
  async end(token: string): Promise<boolean> {
    const record = this.#sessions.get(hashOf(token));
    if (record === undefined) return false;
    this.#remove(record);
    await this.#changed();
    return true;
  }

  /** Ends all sessions of a user that began by `untilMs`, in milliseconds since 1970; returns how many there were. */
  async endAll(id: string, untilMs = Infinity): Promise<number> {
    const ended = [...this.#users.get(id) ?? []]
      .map((hash) => this.#sessions.get(hash)!)
      .filter(({ startedMs }) => startedMs <= untilMs);
    for (const record of ended) this.#remove(record);
    if (ended.length > 0) await this.#changed();
    return ended.length;
  }

  /** Resolves when the store has everything. */
  async flush(): Promise<void> {
    await this.#saving;
  }

  #find(token: string, nowMs: number): SessionRecord {
    if (!isSessionToken(token)) {
      throw new AuthenticationError("denied", "it is no session token");
    }
    const record = this.#sessions.get(hashOf(token));
    if (record === undefined) {
      throw new AuthenticationError("denied", "no session has this token");
    }
    const isIdle = nowMs >= record.usedMs + this.#idleMs;
    if (isIdle || nowMs >= record.startedMs + this.#maxAgeMs) {
      this.#remove(record);
      this.#changed();
      throw new AuthenticationError(
        "expired",
        isIdle ? "the session was not used" : "the session is too old",
      );
    }
    return record;
  }

  async #start(
    { id, roles, startedMs }: Pick<SessionRecord, "id" | "roles" | "startedMs">,
    nowMs: number,
  ): Promise<Session> {
    const random = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
    const token = PREFIX + random.toBase64({
      alphabet: "base64url",
      omitPadding: true,
    });
    const hash = hashOf(token);
    this.#add({ hash, id, roles: [...roles], startedMs, usedMs: nowMs });
    await this.#changed();
    return { token, expiresAtMs: startedMs + this.#maxAgeMs };
  }

  #principal({ id, roles, startedMs }: SessionRecord): Principal {
    const expiresAtMs = startedMs + this.#maxAgeMs;
    return { id, roles, method: "session", expiresAtMs };
  }

  #add(record: SessionRecord): void {
    this.#remove(record);
    const ofUser = this.#users.get(record.id) ?? new Set();
    ofUser.add(record.hash);
    this.#users.set(record.id, ofUser);
    this.#sessions.set(record.hash, record);
    if (ofUser.size > this.#maxPerUser) this.#removeFirst(ofUser);
    if (this.#sessions.size > this.#maxSessions) {
      this.#removeFirst(this.#sessions.keys());
    }
  }

  #removeFirst(hashes: Iterable<string>): void {
    for (const hash of hashes) {
      this.#remove(this.#sessions.get(hash)!);
      return;
    }
  }

  #remove({ hash, id }: SessionRecord): void {
    this.#sessions.delete(hash);
    const ofUser = this.#users.get(id);
    ofUser?.delete(hash);
    if (ofUser?.size === 0) this.#users.delete(id);
  }

  /** Resolves when the store has the change; changes meanwhile are saved together. */
  #changed(): Promise<void> {
    if (this.#store === undefined) return Promise.resolve();
    this.#isChanged = true;
    return this.#saving ??= this.#save(this.#store);
  }

  async #save(store: SessionStore): Promise<void> {
    while (this.#isChanged) {
      this.#isChanged = false;
      try {
        await store.save([...this.#sessions.values()]);
      } catch (error) {
        this.#onFault?.(error as Error);
      }
    }
    this.#saving = undefined;
  }
}

/**
 * Whether a text has the form of a session token.
 *
 * @example
 * ```ts
 * import { isSessionToken } from "./sessions.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isSessionToken("pts_" + "A".repeat(43)), true);
 * assertEquals(isSessionToken("eyJ.eyJ.x"), false);
 * ```
 */
export function isSessionToken(token: string): boolean {
  return TOKEN_REGEXP.test(token);
}

/** 256 random bits need no salt and no slow hash: nobody can try them. */
function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
