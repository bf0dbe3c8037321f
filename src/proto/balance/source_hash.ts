import {
  type BalanceCandidate,
  type BalanceChoice,
  type BalancePolicy,
  type BalanceRequest,
  openOnes,
} from "./candidate.ts";
import { hashText, mix32 } from "./hash.ts";
import { draw } from "./random_two.ts";

/** Begins the hashes of the keys: other than those of the names. */
const KEY_SEED = 0x9e3779b9;

/**
 * Sends the same source to the same backend: weighted rendezvous hashing (Thaler and Ravishankar, 1998; weights by
 * Schindelhauer and Schomaker, 2005). When a backend leaves, only its sources move; when one joins, only to it.
 *
 * @example Usage
 * ```ts
 * import { SourceHash } from "./source_hash.ts";
 * import { ServerLoad } from "../resilience/balance.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const backends = ["a", "b", "c"].map((name) => ({
 *   name,
 *   weight: 1,
 *   currentWeight: 1,
 *   active: 0,
 *   isOpen: true,
 *   load: new ServerLoad(),
 *   isHealthy: () => true,
 * }));
 * const policy = new SourceHash();
 * const choose = () =>
 *   policy.choose({ key: "192.0.2.7" }, backends, 0, () => 0.5).candidate;
 * assertEquals(choose(), choose());
 * ```
 */
export class SourceHash implements BalancePolicy {
  /** Chooses who scores highest with the key. */
  choose<C extends BalanceCandidate>(
    { key }: BalanceRequest,
    candidates: readonly C[],
    _nowMs: number,
    random: () => number,
  ): BalanceChoice<C> {
    const open = openOnes(candidates);
    if (key === undefined) {
      return { candidate: draw(open, random), why: "no source: at random" };
    }
    const hash = hashText(key, KEY_SEED);
    let best = open[0]!;
    let highest = -Infinity;
    for (const candidate of open) {
      const mixed = mix32(hash ^ hashText(candidate.name, 0));
      const score = candidate.weight / -Math.log((mixed + 0.5) / 2 ** 32);
      if (score > highest) {
        highest = score;
        best = candidate;
      }
    }
    return { candidate: best, why: `hash of ${key}` };
  }
}
