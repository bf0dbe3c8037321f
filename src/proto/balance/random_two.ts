import {
  type BalanceCandidate,
  type BalanceChoice,
  type BalancePolicy,
  type BalanceRequest,
  openOnes,
} from "./candidate.ts";

/**
 * Draws two backends at random, by weight, and chooses the one with fewer connections for its weight: the power of two
 * choices (Mitzenmacher, 2001), HAProxy's `random(2)`.
 *
 * @example Usage
 * ```ts
 * import { RandomTwo } from "./random_two.ts";
 * import { ServerLoad } from "../resilience/balance.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const backends = [9, 1].map((active, index) => ({
 *   name: "ab"[index]!,
 *   weight: 1,
 *   currentWeight: 1,
 *   active,
 *   isOpen: true,
 *   load: new ServerLoad(),
 *   isHealthy: () => true,
 * }));
 * const random = [0.1, 0.1].values();
 * const { candidate } = new RandomTwo().choose({}, backends, 0, () =>
 *   random.next().value!
 * );
 * assertEquals(candidate.name, "b");
 * ```
 */
export class RandomTwo implements BalancePolicy {
  /** Chooses the less busy of two. */
  choose<C extends BalanceCandidate>(
    _request: BalanceRequest,
    candidates: readonly C[],
    _nowMs: number,
    random: () => number,
  ): BalanceChoice<C> {
    const open = openOnes(candidates);
    const one = draw(open, random);
    const others = open.filter((candidate) => candidate !== one);
    if (others.length === 0) return { candidate: one, why: "the only one" };
    const other = draw(others, random);
    const [less, more] = busyness(other) < busyness(one)
      ? [other, one]
      : [one, other];
    const why = `has ${less.active}, ${more.name} has ${more.active}`;
    return { candidate: less, why };
  }
}

/** Connections for the weight, one more counted: of two without any, the heavier is less busy. */
function busyness({ active, currentWeight }: BalanceCandidate): number {
  return (active + 1) / currentWeight;
}

/** Draws by weight. */
export function draw<C extends BalanceCandidate>(
  candidates: readonly C[],
  random: () => number,
): C {
  const total = candidates.reduce((sum, one) => sum + one.currentWeight, 0);
  let left = random() * total;
  for (const candidate of candidates) {
    left -= candidate.currentWeight;
    if (left < 0) return candidate;
  }
  return candidates.at(-1)!;
}
