/** The shortest average that chunks can have. */
export const MIN_AVERAGE_BYTES = 1024;

/** The longest average that chunks can have. */
export const MAX_AVERAGE_BYTES: number = 16 * 1024 * 1024;

/** The state that the gear table starts from, and what its generator adds at every step: SplitMix32's own constant. */
const SEED = 0;
const STEP = 0x9e3779b9;

/**
 * 256 words that stand for the bytes: the output of SplitMix32 for the seed 0.
 *
 * @see https://github.com/bryc/code/blob/master/jshash/PRNGs.md#splitmix32
 */
export const GEAR: Uint32Array = makeGear();

function makeGear(): Uint32Array {
  let state = SEED;
  return Uint32Array.from({ length: 256 }, () => {
    state = state + STEP | 0;
    let word = state ^ state >>> 16;
    word = Math.imul(word, 0x21f0aaad);
    word ^= word >>> 15;
    word = Math.imul(word, 0x735a2d97);
    return (word ^ word >>> 15) >>> 0;
  });
}

/** Whether chunks can have this average: a power of two from 1 KiB to 16 MiB. */
export function isAverage(bytes: number): boolean {
  return Number.isInteger(Math.log2(bytes)) && bytes >= MIN_AVERAGE_BYTES &&
    bytes <= MAX_AVERAGE_BYTES;
}

/**
 * Cuts content into chunks where the content itself says so, as FastCDC (2020) does with normalised chunking: a byte put in or
 * taken out moves the boundaries near it, and no others.
 *
 * A chunk has at least an eighth of `averageBytes` and at most eight times as much. From its first eighth on, a hash of the
 * last 32 bytes rolls on: `hash = (hash << 1) + GEAR[byte]`, in 32 bits, beginning with 0. The chunk ends after the byte at
 * which enough of the highest bits of the hash are zero: one more than log2 of `averageBytes` up to that length, one less
 * after it. (Of the ways to set these numbers, this one finds the old boundaries again soonest after a change.)
 *
 * @see https://ieeexplore.ieee.org/document/9055082
 *
 * @example Usage
 * ```ts
 * import { Chunker } from "./chunker.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const chunker = new Chunker(1024);
 * const data = new Uint8Array(10_000);
 * // The cut may lie in what comes next.
 * assertEquals(chunker.next(data.subarray(0, 4000), 0), -1);
 * assertEquals(chunker.next(data.subarray(4000), 0), 4192);
 * ```
 */
export class Chunker {
  /** Chunks are no shorter, but for the last one. */
  readonly minBytes: number;
  /** Chunks are no longer. */
  readonly maxBytes: number;
  readonly #averageBytes: number;
  /** A hash below this ends a short chunk. */
  readonly #early: number;
  /** A hash below this ends a long chunk. */
  readonly #late: number;
  /** Bytes of the chunk so far. */
  #length = 0;
  #hash = 0;

  /**
   * Starts with a first chunk.
   *
   * @throws {RangeError} If `averageBytes` is no power of two from 1 KiB to 16 MiB.
   */
  constructor(averageBytes: number) {
    const bits = Math.log2(averageBytes);
    if (!isAverage(averageBytes)) {
      throw new RangeError(
        `Cannot cut chunks: a power of two from ${MIN_AVERAGE_BYTES} to ${MAX_AVERAGE_BYTES} is expected: current value is ${averageBytes}`,
      );
    }
    this.#averageBytes = averageBytes;
    this.minBytes = averageBytes / 8;
    this.maxBytes = averageBytes * 8;
    this.#early = 2 ** (32 - bits - 1);
    this.#late = 2 ** (32 - bits + 1);
  }

  /** Where in `data`, which goes on where the last call ended, the chunk ends, looking from `from` on; -1 if it goes on after it. */
  next(data: Uint8Array, from: number): number {
    const start = from - this.#length;
    let at = from;
    const skip = start + this.minBytes;
    if (at < skip) at = Math.min(skip, data.length);
    const normal = Math.min(start + this.#averageBytes, data.length);
    const last = Math.min(start + this.maxBytes, data.length);
    const gear = GEAR;
    let hash = this.#hash;
    const early = this.#early;
    while (at < normal) {
      hash = (hash << 1) + gear[data[at++]!]! | 0;
      if (hash >>> 0 < early) return this.#cut(at);
    }
    const late = this.#late;
    while (at < last) {
      hash = (hash << 1) + gear[data[at++]!]! | 0;
      if (hash >>> 0 < late) return this.#cut(at);
    }
    if (at - start === this.maxBytes) return this.#cut(at);
    this.#hash = hash;
    this.#length = data.length - start;
    return -1;
  }

  #cut(at: number): number {
    this.#length = 0;
    this.#hash = 0;
    return at;
  }
}
