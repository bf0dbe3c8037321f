import { TokenBucket } from "../token_bucket.ts";

/** Options of {@linkcode KeyedLimit}. */
export interface KeyedLimitOptions {
  /** What each key may do per second on average. */
  ratePerSecond: number;
  /** What each key may do at once, 1 or more. @default {Math.max(ratePerSecond, 1)} */
  burst?: number;
  /** The most keys to know at a time. @default {100_000} */
  maxKeys?: number;
}

/** Keys looked at for one that can be forgotten, when there is a new one. */
const LOOKED_AT = 8;

/**
 * A rate for each key: an account, an address. A key is forgotten once it has all its allowance back, and never before,
 * so that nobody gets a new allowance by making the table forget. When it is full of keys that are owed something, all
 * further keys share one allowance.
 *
 * @example Usage
 * ```ts
 * import { KeyedLimit } from "./keyed_limit.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const limit = new KeyedLimit({ ratePerSecond: 10, burst: 1 });
 * assertEquals(limit.tryTake("ada", 0), 0);
 * assertEquals(limit.tryTake("ada", 0), 100);
 * assertEquals(limit.tryTake("bob", 0), 0);
 * ```
 */
export class KeyedLimit {
  readonly #ratePerSecond: number;
  readonly #burst: number;
  readonly #maxKeys: number;
  readonly #buckets = new Map<string, TokenBucket>();
  #shared: TokenBucket | undefined;

  /**
   * Starts without a key.
   *
   * @throws {RangeError} If an option is not a finite number above 0, or `burst` below 1.
   */
  constructor(options: KeyedLimitOptions) {
    const { ratePerSecond, maxKeys = 100_000 } = options;
    const { burst = Math.max(ratePerSecond, 1) } = options;
    requireAtLeast("ratePerSecond", ratePerSecond, Number.MIN_VALUE);
    requireAtLeast("burst", burst, 1);
    requireAtLeast("maxKeys", maxKeys, 1);
    this.#ratePerSecond = ratePerSecond;
    this.#burst = burst;
    this.#maxKeys = maxKeys;
  }

  /** Keys that are known. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one on credit if need be; returns the milliseconds to wait until the rate is kept, 0 if it is. */
  take(key: string, nowMs: number): number {
    return this.#bucket(key, nowMs).take(1, nowMs);
  }

  /** Takes one if there is one, and returns 0; else the milliseconds after which there is one. */
  tryTake(key: string, nowMs: number): number {
    const bucket = this.#bucket(key, nowMs);
    const waitMs = bucket.take(1, nowMs);
    if (waitMs > 0) bucket.take(-1, nowMs);
    return waitMs;
  }

  #bucket(key: string, nowMs: number): TokenBucket {
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    this.#forget(nowMs);
    const bucket = new TokenBucket(this.#ratePerSecond, this.#burst, nowMs);
    if (this.#buckets.size >= this.#maxKeys) return this.#shared ??= bucket;
    this.#buckets.set(key, bucket);
    return bucket;
  }

  /** Looks at the keys that were not looked at for longest. */
  #forget(nowMs: number): void {
    let left = LOOKED_AT;
    for (const [key, bucket] of this.#buckets) {
      if (left-- === 0) return;
      this.#buckets.delete(key);
      if (bucket.fullAtMs > nowMs) this.#buckets.set(key, bucket);
    }
  }
}

function requireAtLeast(name: string, value: number, least: number): void {
  if (value >= least && value < Infinity) return;
  throw new RangeError(
    `Cannot limit: '${name}' must be ${
      least === 1 ? "1 or more" : "a number above 0"
    }: current value is ${value}`,
  );
}
