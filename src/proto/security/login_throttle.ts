/** Limits of a {@linkcode LoginThrottle}. */
export interface LoginThrottleLimits {
  /** Tries of one source that may fail before it waits. */
  freeTries: number;
  /** Tries on one account from anywhere that may fail before sources that have failed wait. */
  freeTriesPerAccount: number;
  /** The first wait, in milliseconds; each further failure doubles it. */
  firstDelayMs: number;
  /** The longest wait for failures of the source, in milliseconds. */
  maxDelayMs: number;
  /** The longest wait for failures of others on the same account, in milliseconds. */
  maxAccountDelayMs: number;
  /** The longest wait of a source that has logged in to this account before, in milliseconds. */
  maxKnownDelayMs: number;
  /** After so long without a failure all is forgotten, in milliseconds. */
  forgetAfterMs: number;
  /** Sources whose failures are remembered; those that tried longest ago are forgotten first. */
  maxSources: number;
  /** Accounts whose failures and known sources are remembered, likewise. */
  maxAccounts: number;
  /** Sources that are known of one account, likewise. */
  maxKnownSources: number;
}

/** What a {@linkcode LoginThrottle} allows when it is not told otherwise. */
export const DEFAULT_LOGIN_THROTTLE_LIMITS: LoginThrottleLimits = {
  freeTries: 3,
  freeTriesPerAccount: 10,
  firstDelayMs: 1000,
  maxDelayMs: 300_000,
  maxAccountDelayMs: 60_000,
  maxKnownDelayMs: 1000,
  forgetAfterMs: 3_600_000,
  maxSources: 10_000,
  maxAccounts: 10_000,
  maxKnownSources: 16,
};

/** Failures in a row. */
interface Failures {
  count: number;
  lastMs: number;
}

/** Failures of a source; undefined `account` where they were of several. */
interface SourceFailures extends Failures {
  account: string | undefined;
}

/**
 * Slows down who guesses passwords and lets in who knows one.
 *
 * A source that fails waits, longer each time. Failures on an account slow down the sources that have failed, not
 * those that have not, and hardly one from which its owner has logged in before: a flood of guesses keeps nobody out.
 * Memory is bounded. Pure: the caller brings the time, in milliseconds.
 *
 * @example Usage
 * ```ts
 * import { LoginThrottle } from "./login_throttle.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const throttle = new LoginThrottle();
 * for (let tries = 0; tries < 4; tries++) throttle.failed("ada", "192.0.2.66", 0);
 * assertEquals(throttle.delayMs("ada", "192.0.2.66", 0), 1000);
 * assertEquals(throttle.delayMs("ada", "192.0.2.1", 0), 0);
 * ```
 */
export class LoginThrottle {
  /** The limits. */
  readonly limits: Readonly<LoginThrottleLimits>;
  readonly #sources: RecentMap<SourceFailures>;
  readonly #accounts: RecentMap<Failures>;
  /** By account, by source. */
  readonly #known: RecentMap<RecentMap<Failures>>;

  /** Creates a throttle that remembers nothing. */
  constructor(limits: Partial<LoginThrottleLimits> = {}) {
    this.limits = { ...DEFAULT_LOGIN_THROTTLE_LIMITS, ...limits };
    this.#sources = new RecentMap(this.limits.maxSources);
    this.#accounts = new RecentMap(this.limits.maxAccounts);
    this.#known = new RecentMap(this.limits.maxAccounts);
  }

  /** Sources and accounts that are remembered. */
  get size(): number {
    let size = this.#sources.size + this.#accounts.size;
    for (const sources of this.#known.values()) size += sources.size;
    return size;
  }

  /** Whether somebody has logged in to the account from there, and it is remembered. */
  isKnown(account: string, source: string): boolean {
    return this.#known.get(account)?.get(source) !== undefined;
  }

  /** How many milliseconds to wait before a try counts; 0 if it may be made at once. */
  delayMs(account: string, source: string, nowMs: number): number {
    const { freeTries, freeTriesPerAccount, maxDelayMs } = this.limits;
    const { maxAccountDelayMs, maxKnownDelayMs } = this.limits;
    const known = this.#known.get(account)?.get(source);
    if (known !== undefined) {
      return this.#wait(known, freeTries, maxKnownDelayMs, nowMs);
    }
    const ofSource = this.#sources.get(source);
    if (ofSource === undefined || this.#isOld(ofSource, nowMs)) return 0;
    return Math.max(
      this.#wait(ofSource, freeTries, maxDelayMs, nowMs),
      this.#wait(
        this.#accounts.get(account),
        freeTriesPerAccount,
        maxAccountDelayMs,
        nowMs,
        ofSource.lastMs,
      ),
    );
  }

  /** Remembers a try that failed. */
  failed(account: string, source: string, nowMs: number): void {
    const knownSources = this.#known.get(account);
    const known = knownSources?.get(source);
    if (knownSources !== undefined && known !== undefined) {
      knownSources.set(source, this.#oneMore(known, nowMs));
      return;
    }
    const before = this.#sources.get(source);
    const ofSource = this.#oneMore(before, nowMs);
    const isSame = ofSource.count === 1 || before?.account === account;
    this.#sources.set(source, {
      ...ofSource,
      account: isSame ? account : undefined,
    });
    this.#accounts.set(
      account,
      this.#oneMore(this.#accounts.get(account), nowMs),
    );
  }

  /** Remembers that the owner of the account is there. */
  succeeded(account: string, source: string, nowMs: number): void {
    const sources = this.#known.get(account) ??
      new RecentMap<Failures>(this.limits.maxKnownSources);
    sources.set(source, { count: 0, lastMs: nowMs });
    this.#known.set(account, sources);
    // Typing errors before the right password; failures on other accounts are held against the source.
    if (this.#sources.get(source)?.account === account) {
      this.#sources.delete(source);
    }
  }

  #isOld({ lastMs }: Failures, nowMs: number): boolean {
    return nowMs - lastMs >= this.limits.forgetAfterMs;
  }

  #oneMore(failures: Failures | undefined, nowMs: number): Failures {
    const count = failures === undefined || this.#isOld(failures, nowMs)
      ? 0
      : failures.count;
    return { count: count + 1, lastMs: nowMs };
  }

  /** What is left of the wait, which begins at `fromMs`. */
  #wait(
    failures: Failures | undefined,
    free: number,
    maxMs: number,
    nowMs: number,
    fromMs = failures?.lastMs ?? 0,
  ): number {
    if (failures === undefined || this.#isOld(failures, nowMs)) return 0;
    const beyond = failures.count - free;
    if (beyond <= 0) return 0;
    const delayMs = Math.min(
      this.limits.firstDelayMs * 2 ** (beyond - 1),
      maxMs,
    );
    // A clock that was set back makes nobody wait longer than a whole delay.
    return Math.min(Math.max(fromMs + delayMs - nowMs, 0), delayMs);
  }
}

/** Forgets what was looked at longest ago when it is full: whoever goes on trying is remembered. */
class RecentMap<V> {
  readonly #max: number;
  readonly #entries = new Map<string, V>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#max) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  values(): MapIterator<V> {
    return this.#entries.values();
  }
}
