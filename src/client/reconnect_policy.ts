/** When a client tries again, and when it gives up. */
export interface ReconnectOptions {
  /**
   * The first attempt after a loss comes at a random time within this, so that those who lost one server together do not
   * come back together. @default {3_000}
   */
  spreadMs?: number;
  /** The least delay between further attempts. @default {100} */
  minMs?: number;
  /** The greatest. @default {10_000} */
  maxMs?: number;
  /** Attempts in a row before giving up. @default {Infinity} */
  maxAttempts?: number;
  /** Milliseconds without a connection before giving up. @default {Infinity} */
  maxElapsedMs?: number;
  /** Milliseconds before an attempt, counted from 1, in place of the above; undefined to give up. */
  delay?: (attempt: number, error: unknown) => number | undefined;
}

/** Even those who tried first go on over a range of at least this many times `minMs`, thrice: a herd stays spread. */
const LEAST_RANGE = 4;

/**
 * The delays of one loss of connection: the first spread evenly, the others by decorrelated jitter ("Exponential Backoff
 * And Jitter", AWS Architecture Blog, 2015). Pure: time and chance are brought.
 */
export class ReconnectPolicy {
  readonly #options: Required<Omit<ReconnectOptions, "delay">>;
  readonly #delay: ReconnectOptions["delay"];
  readonly #random: () => number;
  #attempts = 0;
  #previousMs = 0;
  #lostMs = 0;

  /** Takes chance as numbers from 0 to below 1. */
  constructor(options: ReconnectOptions, random: () => number) {
    this.#options = {
      spreadMs: options.spreadMs ?? 3_000,
      minMs: options.minMs ?? 100,
      maxMs: options.maxMs ?? 10_000,
      maxAttempts: options.maxAttempts ?? Infinity,
      maxElapsedMs: options.maxElapsedMs ?? Infinity,
    };
    this.#delay = options.delay;
    this.#random = random;
  }

  /** Attempts since the last connection. */
  get attempts(): number {
    return this.#attempts;
  }

  /** A connection stood, and was lost at `nowMs`. */
  lost(nowMs: number): void {
    this.#attempts = 0;
    this.#previousMs = 0;
    this.#lostMs = nowMs;
  }

  /** Milliseconds to wait before the next attempt; undefined to give up. */
  nextMs(nowMs: number, error: unknown): number | undefined {
    const { spreadMs, minMs, maxMs, maxAttempts, maxElapsedMs } = this.#options;
    this.#attempts++;
    if (this.#attempts > maxAttempts) return undefined;
    if (nowMs - this.#lostMs >= maxElapsedMs) return undefined;
    if (this.#delay !== undefined) return this.#delay(this.#attempts, error);
    if (this.#attempts === 1) {
      this.#previousMs = this.#random() * spreadMs;
    } else {
      const upToMs = Math.max(this.#previousMs, LEAST_RANGE * minMs) * 3;
      this.#previousMs = Math.min(
        minMs + this.#random() * (upToMs - minMs),
        maxMs,
      );
    }
    return this.#previousMs;
  }
}
