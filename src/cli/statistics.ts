/**
 * What a pile of measurements says.
 *
 * @module
 */

/** The shape of a distribution; all numbers in the unit of the samples. */
export interface Summary {
  /** How many samples there are. */
  count: number;
  /** The least. */
  min: number;
  /** The mean. */
  mean: number;
  /** Half of the samples are at most this. */
  p50: number;
  /** 90 % of the samples are at most this. */
  p90: number;
  /** 99 % of the samples are at most this. */
  p99: number;
  /** 99.9 % of the samples are at most this. */
  p999: number;
  /** The greatest. */
  max: number;
}

/** Samples from `from` (included) to `to` (excluded). */
export interface Bucket {
  /** The least sample that counts. */
  from: number;
  /** The least sample that counts no more. */
  to: number;
  /** How many samples there are. */
  count: number;
}

/**
 * Sums up samples by nearest rank. All zero when there are none.
 *
 * @example
 * ```ts
 * import { summarize } from "./statistics.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const { p50, p99, mean } = summarize([4, 1, 3, 2]);
 * assertEquals({ p50, p99, mean }, { p50: 2, p99: 4, mean: 2.5 });
 * ```
 */
export function summarize(samples: Iterable<number>): Summary {
  const sorted = Float64Array.from(samples).sort();
  const count = sorted.length;
  const at = (share: number): number =>
    sorted[Math.max(0, Math.ceil(count * share) - 1)] ?? 0;
  return {
    count,
    min: at(0),
    mean: count === 0 ? 0 : sorted.reduce((a, b) => a + b, 0) / count,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    max: at(1),
  };
}

/** Steps within a factor of ten: 1-2-5, then R5, R10 and R20 of ISO 3. */
const SERIES: readonly (readonly number[])[] = [
  [1, 2, 5],
  [1, 1.6, 2.5, 4, 6.3],
  [1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8],
  // deno-fmt-ignore
  [
    1, 1.12, 1.25, 1.4, 1.6, 1.8, 2, 2.24, 2.5, 2.8,
    3.15, 3.55, 4, 4.5, 5, 5.6, 6.3, 7.1, 8, 9,
  ],
];

/** Fewer samples than this share, above all others, share a last bucket. */
const TAIL = 0.001;

/** Samples are not told apart further below the greatest than this. */
const MAX_RATIO = 1e6;

/**
 * Sorts samples into buckets whose bounds are round numbers and grow by a
 * factor, as latencies do. The finest series of preferred numbers is taken that
 * needs at most `maxBuckets` for all but the slowest thousandth; those are in
 * the last bucket, whose `to` is infinite.
 *
 * @example
 * ```ts
 * import { logBuckets } from "./statistics.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(logBuckets([1.5, 3, 4], 3), [
 *   { from: 1, to: 2, count: 1 },
 *   { from: 2, to: Infinity, count: 2 },
 * ]);
 * ```
 */
export function logBuckets(
  samples: Iterable<number>,
  maxBuckets = 12,
): Bucket[] {
  const sorted = Float64Array.from(samples).sort();
  const count = sorted.length;
  if (count === 0) return [];
  const most = sorted[Math.ceil(count * (1 - TAIL)) - 1]!;
  if (most < SMALLEST) return [{ from: 0, to: Infinity, count }];
  const least = Math.max(sorted[0]!, most / MAX_RATIO);
  const candidates = SERIES.map((series) => lowerBounds(series, least, most));
  const bounds = candidates.findLast(({ length }) => length <= maxBuckets) ??
    candidates[0]!.slice(0, maxBuckets);
  let index = 0;
  return bounds.map((from, bucket) => {
    const to = bounds[bucket + 1] ?? Infinity;
    const start = index;
    while (index < count && sorted[index]! < to) index++;
    return { from, to, count: index - start };
  });
}

/** Samples below this count as 0: their logarithms run out of numbers. */
const SMALLEST = 1e-290;

/** Numbers of `series` from the last at or below `least` to `most`. */
function lowerBounds(
  series: readonly number[],
  least: number,
  most: number,
): number[] {
  let bounds: number[] = [];
  for (let exponent = Math.floor(Math.log10(least)) - 1;; exponent++) {
    for (const step of series) {
      const bound = Number(`${step}e${exponent}`);
      if (bound > most) return bounds;
      bounds = bound <= least ? [bound] : [...bounds, bound];
    }
  }
}
