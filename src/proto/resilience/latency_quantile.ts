/** Buckets a doubling; each is 9 % wide. */
const BUCKETS_PER_DOUBLING = 8;
/** The upper bound of the first bucket: 2^-7 ms, which is 8 microseconds. */
const FIRST_EXPONENT = -7;
/** Enough for two hours. */
const BUCKETS = 30 * BUCKETS_PER_DOUBLING;

/**
 * Estimates quantiles of recent latencies to 9 %, from a histogram with logarithmic buckets whose counts are halved
 * whenever `memory` latencies were recorded: what is older counts less and less.
 *
 * @example Usage
 * ```ts
 * import { LatencyQuantile } from "./latency_quantile.ts";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const latency = new LatencyQuantile();
 * assertEquals(latency.quantile(0.95), undefined);
 * for (let ms = 1; ms <= 100; ms++) latency.record(ms);
 * const p95 = latency.quantile(0.95)!;
 * assert(p95 >= 95 && p95 < 95 * 1.09);
 * ```
 */
export class LatencyQuantile {
  readonly #counts = new Float64Array(BUCKETS);
  readonly #memory: number;
  readonly #minimum: number;
  #total = 0;

  /**
   * Starts empty.
   *
   * @param memory Latencies after which the counts are halved. @default {1000}
   * @param minimum Latencies below which there is no estimate. @default {50}
   */
  constructor(memory = 1000, minimum = 50) {
    this.#memory = memory;
    this.#minimum = minimum;
  }

  /** Counts a latency. */
  record(latencyMs: number): void {
    const exponent = Math.log2(Math.max(latencyMs, 0)) - FIRST_EXPONENT;
    const bucket = Math.ceil(exponent * BUCKETS_PER_DOUBLING);
    this.#counts[Math.min(Math.max(bucket, 0), BUCKETS - 1)]!++;
    this.#total++;
    if (this.#total < this.#memory) return;
    for (let index = 0; index < BUCKETS; index++) this.#counts[index]! /= 2;
    this.#total /= 2;
  }

  /** Milliseconds within which the share `q` of the latencies lie; undefined while too few are known. */
  quantile(q: number): number | undefined {
    if (this.#total < this.#minimum) return undefined;
    let left = this.#total * q;
    let bucket = 0;
    while (bucket < BUCKETS - 1) {
      left -= this.#counts[bucket]!;
      if (left <= 0) break;
      bucket++;
    }
    return 2 ** (bucket / BUCKETS_PER_DOUBLING + FIRST_EXPONENT);
  }
}
