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

/**
 * The delays of one loss of connection: the first spread evenly, each further one by chance from once to twice the one
 * before (decorrelated jitter; "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). The second is no shorter
 * than half the spread, so that those who tried in vain stay spread. Pure: time and chance are brought.
 */
export class ReconnectPolicy {
  readonly #options: Required<Omit<ReconnectOptions, "delay">>;
  readonly #delay: ReconnectOptions["delay"];
  readonly #random: () => number;
  #attempts = 0;
  #previousMs: number;
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
    this.#previousMs = this.#options.spreadMs / 2;
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
    this.#previousMs = this.#options.spreadMs / 2;
    this.#lostMs = nowMs;
  }

  /** Milliseconds to wait before the next attempt; undefined to give up. */
  nextMs(nowMs: number, error: unknown): number | undefined {
    const { spreadMs, minMs, maxMs, maxAttempts, maxElapsedMs } = this.#options;
    this.#attempts++;
    if (this.#attempts > maxAttempts) return undefined;
    if (nowMs - this.#lostMs >= maxElapsedMs) return undefined;
    if (this.#delay !== undefined) return this.#delay(this.#attempts, error);
    if (this.#attempts === 1) return this.#random() * spreadMs;
    const fromMs = Math.max(Math.min(this.#previousMs, maxMs / 2), minMs);
    this.#previousMs = Math.min(fromMs * (1 + this.#random()), maxMs);
    return this.#previousMs;
  }
}
