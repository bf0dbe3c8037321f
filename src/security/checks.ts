import { AuthenticationError } from "./authentication.ts";

/** Milliseconds after which a peer that found all places taken may try again. */
const BUSY_RETRY_MS = 1_000;

/** Sources that are known to have logged in; those that did so longest ago are forgotten. */
export const MAX_TRUSTED_SOURCES = 10_000;

/** Limits of {@linkcode Checks}. */
export interface ChecksLimits {
  /** Checks at a time. */
  maxChecks: number;
  /** Checks at a time for one source. */
  maxChecksPerSource: number;
  /** Those that may wait. */
  maxWaitingChecks: number;
  /** Those that may wait for one source. */
  maxWaitingChecksPerSource: number;
}

/** What one source has under way. */
interface Source {
  running: number;
  readonly waiting: Set<() => void>;
}

/**
 * Lets so many logins be checked at a time. The others wait, and the sources that wait take turns: a flood from one
 * delays no other. Sources from which somebody has logged in go first: a flood from many delays the others alone. Too
 * many that wait are refused.
 */
export class Checks {
  readonly #limits: ChecksLimits;
  /** In the order of their turns. */
  readonly #sources = new Map<string, Source>();
  readonly #trusted = new Set<string>();
  #running = 0;
  #waiting = 0;

  constructor(limits: ChecksLimits) {
    this.#limits = limits;
  }

  /** Sources that have something under way. */
  get size(): number {
    return this.#sources.size;
  }

  /** Remembers that somebody has logged in from there. */
  trust(source: string): void {
    this.#trusted.delete(source);
    this.#trusted.add(source);
    if (this.#trusted.size <= MAX_TRUSTED_SOURCES) return;
    for (const oldest of this.#trusted) {
      this.#trusted.delete(oldest);
      return;
    }
  }

  /** Whether somebody has logged in from there, and it is remembered. */
  isTrusted(source: string): boolean {
    return this.#trusted.has(source);
  }

  /**
   * Runs `check` when it is its turn.
   *
   * @throws {AuthenticationError} If too many wait; and whatever `check` throws.
   */
  async run<T>(
    source: string,
    signal: AbortSignal,
    check: () => Promise<T>,
  ): Promise<T> {
    await this.#enter(source, signal);
    try {
      return await check();
    } finally {
      this.#leave(source);
    }
  }

  async #enter(name: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { maxChecks, maxChecksPerSource } = this.#limits;
    const { maxWaitingChecks, maxWaitingChecksPerSource } = this.#limits;
    const source = this.#sources.get(name) ??
      { running: 0, waiting: new Set() };
    if (this.#running < maxChecks && source.running < maxChecksPerSource) {
      this.#sources.set(name, source);
      this.#running++;
      source.running++;
      return;
    }
    const { waiting } = source;
    if (
      this.#waiting >= maxWaitingChecks && !this.isTrusted(name) ||
      waiting.size >= maxWaitingChecksPerSource
    ) {
      throw new AuthenticationError(
        "too_many_tries",
        `${this.#waiting} logins wait already, ${waiting.size} of the source`,
        { retryAfterMs: BUSY_RETRY_MS },
      );
    }
    this.#sources.set(name, source);
    await new Promise<void>((resolve, reject) => {
      const start = () => {
        signal.removeEventListener("abort", leave);
        this.#waiting--;
        waiting.delete(start);
        resolve();
      };
      const leave = () => {
        this.#waiting--;
        waiting.delete(start);
        this.#forget(name, source);
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting++;
      waiting.add(start);
    });
  }

  #leave(name: string): void {
    const source = this.#sources.get(name)!;
    this.#running--;
    source.running--;
    this.#forget(name, source);
    this.#startNext();
  }

  #forget(name: string, source: Source): void {
    if (source.running === 0 && source.waiting.size === 0) {
      this.#sources.delete(name);
    }
  }

  /** Gives the place to the source whose turn it is. */
  #startNext(): void {
    let next: string | undefined;
    for (const [name, { running, waiting }] of this.#sources) {
      if (waiting.size === 0 || running >= this.#limits.maxChecksPerSource) {
        continue;
      }
      next ??= name;
      if (!this.isTrusted(name)) continue;
      next = name;
      break;
    }
    if (next !== undefined) this.#start(next, this.#sources.get(next)!);
  }

  #start(name: string, source: Source): void {
    this.#sources.delete(name);
    this.#sources.set(name, source);
    this.#running++;
    source.running++;
    const [start] = source.waiting;
    start!();
  }
}
