/**
 * Allows `ratePerSecond` on average and `burst` at once. Pure: the caller brings the time.
 *
 * @example Usage
 * ```ts
 * import { TokenBucket } from "./token_bucket.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const bucket = new TokenBucket(10, 2, 0);
 * assertEquals(bucket.take(2, 0), 0);
 * assertEquals(bucket.take(1, 0), 100);
 * ```
 */
export class TokenBucket {
  /** Tokens per second. */
  readonly ratePerSecond: number;
  /** The most that can be saved up. */
  readonly burst: number;
  #tokens: number;
  #atMs: number;

  /** Starts full at `nowMs`. */
  constructor(ratePerSecond: number, burst: number, nowMs: number) {
    this.ratePerSecond = ratePerSecond;
    this.burst = burst;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** A bucket that saves up one second's worth; undefined for a rate of `Infinity`, which needs none. */
  static of(ratePerSecond: number, nowMs: number): TokenBucket | undefined {
    return ratePerSecond === Infinity
      ? undefined
      : new TokenBucket(ratePerSecond, ratePerSecond, nowMs);
  }

  /** When all that can be saved up is there, if nothing more is taken. */
  get fullAtMs(): number {
    return this.#atMs +
      (this.burst - this.#tokens) / this.ratePerSecond * 1000;
  }

  /**
   * Takes `count` tokens, on credit if need be, and returns how many milliseconds to wait until the debt is paid: 0
   * while the rate is kept.
   */
  take(count: number, nowMs: number): number {
    const earned = Math.max(nowMs - this.#atMs, 0) / 1000 * this.ratePerSecond;
    this.#tokens = Math.min(this.#tokens + earned, this.burst) - count;
    this.#atMs = nowMs;
    return this.#tokens >= 0
      ? 0
      : Math.ceil(-this.#tokens / this.ratePerSecond * 1000);
  }
}
