/**
 * Makes a generator of pseudo-random numbers in [0, 1) that depends on `seed` alone (sfc32 of PractRand, seeded by
 * splitmix32). Not for secrets.
 *
 * @example Usage
 * ```ts
 * import { seededRandom } from "./random.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const a = seededRandom(7);
 * const b = seededRandom(7);
 * assertEquals([a(), a()], [b(), b()]);
 * ```
 */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  const mix = (): number => {
    state = state + 0x9e3779b9 | 0;
    let t = Math.imul(state ^ state >>> 16, 0x21f0aaad);
    t = Math.imul(t ^ t >>> 15, 0x735a2d97);
    return t ^ t >>> 15;
  };
  let a = mix();
  let b = mix();
  let c = mix();
  let counter = 1;
  return () => {
    const t = (a + b | 0) + counter | 0;
    counter = counter + 1 | 0;
    a = b ^ b >>> 9;
    b = c + (c << 3) | 0;
    c = (c << 21 | c >>> 11) + t | 0;
    return (t >>> 0) / 0x100000000;
  };
}
