/** Upper bounds of the latency buckets in milliseconds. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  25,
  50,
  100,
  250,
  1000,
];

/**
 * How long handling took, counted in buckets.
 *
 * @example Usage
 * ```ts
 * import { Latency } from "./counters.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const latency = new Latency();
 * latency.record(0.2);
 * assertEquals(latency.count, 1);
 * assertEquals(latency.buckets[1], 1);
 * ```
 */
export class Latency {
  /** Observations per bucket; the last one is for what exceeds every bound. */
  readonly buckets: number[] = new Array(LATENCY_BOUNDS_MS.length + 1).fill(0);
  /** Observations in all. */
  count = 0;
  /** Their sum in milliseconds. */
  sumMs = 0;

  /** Counts one observation. */
  record(ms: number): void {
    let bucket = 0;
    while (
      bucket < LATENCY_BOUNDS_MS.length && ms > LATENCY_BOUNDS_MS[bucket]!
    ) bucket++;
    this.buckets[bucket]!++;
    this.count++;
    this.sumMs += ms;
  }
}

/**
 * What the connections of one server or client have done so far.
 *
 * @example Usage
 * ```ts
 * import { Counters } from "./counters.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new Counters().messagesIn, 0);
 * ```
 */
export class Counters {
  /** Connections taken in. */
  accepted = 0;
  /** Connections turned away by a limit. */
  refused = 0;
  /** Connections that have ended. */
  closed = 0;
  /** Messages received. */
  messagesIn = 0;
  /** Messages queued for sending. */
  messagesOut = 0;
  /** Bytes received. */
  bytesIn = 0;
  /** Bytes that the kernel took. */
  bytesOut = 0;
  /** Frames and payloads that were no messages. */
  invalid = 0;
  /** Times that a limit bit. */
  limited = 0;
  /** Messages that groups did not deliver to slow members. */
  skipped = 0;
  /** From the read of a batch of messages until all of them were handled. */
  readonly handling: Latency = new Latency();
}
