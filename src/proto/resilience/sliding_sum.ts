/** Parts that the window is cut into. */
const SEGMENTS = 10;

/**
 * The sum of what was added within the last `windowMs`, kept in ten segments: the oldest tenth falls out at once, so that
 * the sum covers between nine and ten tenths of the window. A clock that steps back is taken to stand still.
 *
 * @example Usage
 * ```ts
 * import { SlidingSum } from "./sliding_sum.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const sum = new SlidingSum(1000, 0);
 * sum.add(3, 50);
 * sum.add(4, 850);
 * assertEquals(sum.total(999), 7);
 * assertEquals(sum.total(1000), 4);
 * ```
 */
export class SlidingSum {
  readonly #segmentMs: number;
  readonly #segments = new Float64Array(SEGMENTS);
  /** The segment of the latest time seen, counted from the start of time. */
  #current: number;

  /** Starts empty at `nowMs`. */
  constructor(windowMs: number, nowMs: number) {
    this.#segmentMs = windowMs / SEGMENTS;
    this.#current = Math.floor(nowMs / this.#segmentMs);
  }

  /** Adds `amount`, which may be negative. */
  add(amount: number, nowMs: number): void {
    this.#advance(nowMs);
    this.#segments[this.#current % SEGMENTS]! += amount;
  }

  /** The sum over the window that ends at `nowMs`. */
  total(nowMs: number): number {
    this.#advance(nowMs);
    let total = 0;
    for (const amount of this.#segments) total += amount;
    return total;
  }

  /** Forgets everything. */
  clear(): void {
    this.#segments.fill(0);
  }

  /** The segments of the window that ends at `nowMs`, oldest first. */
  segments(nowMs: number): number[] {
    this.#advance(nowMs);
    const oldest = (this.#current + 1) % SEGMENTS;
    return Array.from(
      this.#segments,
      (_, index) => this.#segments[(oldest + index) % SEGMENTS]!,
    );
  }

  /** Continues from `segments`, oldest first. */
  restore(segments: readonly number[]): void {
    const oldest = (this.#current + 1) % SEGMENTS;
    this.clear();
    for (const [index, amount] of segments.slice(-SEGMENTS).entries()) {
      const from = SEGMENTS - Math.min(segments.length, SEGMENTS);
      this.#segments[(oldest + from + index) % SEGMENTS] = amount;
    }
  }

  #advance(nowMs: number): void {
    const segment = Math.floor(nowMs / this.#segmentMs);
    if (segment <= this.#current) return;
    const first = Math.max(this.#current + 1, segment - SEGMENTS + 1);
    for (let passed = first; passed <= segment; passed++) {
      this.#segments[passed % SEGMENTS] = 0;
    }
    this.#current = segment;
  }
}
