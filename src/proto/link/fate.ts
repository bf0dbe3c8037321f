import { seededRandom } from "../../bytes/random.ts";
import type { Impairments } from "./impairments.ts";

/** What becomes of one packet. */
export interface Fate {
  /** It does not arrive. */
  lost: boolean;
  /** It arrives twice. */
  duplicated: boolean;
  /** Others overtake it. */
  reordered: boolean;
  /** Which of its bits is flipped, as a share of all of them; undefined for none. */
  flipAt: number | undefined;
  /** Milliseconds of jitter. */
  jitterMs: number;
}

/** Sets the generators of one seed apart. */
const STRIDE = 0x9e3779b1;

/**
 * Decides what becomes of each packet. Every kind of impairment draws from a generator of its own, once a packet: whether
 * the hundredth packet is lost depends on the seed and on the loss, and on nothing else.
 *
 * @example Usage
 * ```ts
 * import { Fates } from "./fate.ts";
 * import { completeImpairments } from "./impairments.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const lost = (latencyMs: number) => {
 *   const fates = new Fates(7);
 *   const impairments = completeImpairments({ lossRate: 0.3, latencyMs });
 *   return Array.from({ length: 100 }, () => fates.next(impairments).lost);
 * };
 * assertEquals(lost(0), lost(50));
 * ```
 */
export class Fates {
  readonly #loss: () => number;
  readonly #state: () => number;
  readonly #duplicate: () => number;
  readonly #reorder: () => number;
  readonly #corrupt: () => number;
  readonly #flip: () => number;
  readonly #jitter: () => number;
  #inBurst = false;

  /** Draws all of its decisions from `seed`. */
  constructor(seed: number) {
    let index = 0;
    const generator = () => seededRandom(Math.imul(++index, STRIDE) ^ seed);
    this.#loss = generator();
    this.#state = generator();
    this.#duplicate = generator();
    this.#reorder = generator();
    this.#corrupt = generator();
    this.#flip = generator();
    this.#jitter = generator();
  }

  /** Decides about the next packet. */
  next(impairments: Required<Impairments>): Fate {
    const { burstEnterRate, burstLeaveRate } = impairments;
    const state = this.#state();
    this.#inBurst = this.#inBurst
      ? state >= burstLeaveRate
      : state < burstEnterRate;
    const flip = this.#flip();
    return {
      lost: this.#loss() <
        (this.#inBurst ? impairments.burstLossRate : impairments.lossRate),
      duplicated: this.#duplicate() < impairments.duplicateRate,
      reordered: this.#reorder() < impairments.reorderRate,
      flipAt: this.#corrupt() < impairments.corruptRate ? flip : undefined,
      jitterMs: this.#jitter() * impairments.jitterMs,
    };
  }
}

/** Flips one bit of `bytes`, in place; `at` is 0 to below 1. */
export function flipBit(bytes: Uint8Array, at: number): void {
  if (bytes.length === 0) return;
  const bit = Math.floor(at * bytes.length * 8);
  bytes[bit >> 3]! ^= 1 << (bit & 7);
}
