import type {
  BalanceCandidate,
  BalanceChoice,
  BalancePolicy,
  BalanceRequest,
} from "./candidate.ts";

/**
 * Weighted round robin without bursts, as nginx does it: each time every backend gains its weight, the one that has most
 * is chosen and pays the sum of all weights.
 *
 * @example Usage
 * ```ts
 * import { SmoothWeighted } from "./smooth_weighted.ts";
 * import { ServerLoad } from "../resilience/balance.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const backends = Object.entries({ a: 5, b: 1, c: 1 }).map(([name, weight]) => ({
 *   name,
 *   weight,
 *   currentWeight: weight,
 *   active: 0,
 *   isOpen: true,
 *   load: new ServerLoad(),
 *   isHealthy: () => true,
 * }));
 * const policy = new SmoothWeighted();
 * const picks = Array.from({ length: 7 }, () =>
 *   policy.choose({}, backends).candidate.name
 * );
 * assertEquals(picks.join(""), "aabacaa");
 * ```
 */
export class SmoothWeighted implements BalancePolicy {
  /** What each backend has gained and not paid. */
  readonly #gained = new Map<string, number>();

  /** Chooses who has gained most. */
  choose<C extends BalanceCandidate>(
    _request: BalanceRequest,
    candidates: readonly C[],
  ): BalanceChoice<C> {
    let total = 0;
    let best: C | undefined;
    let most = -Infinity;
    for (const candidate of candidates) {
      if (!candidate.isOpen) continue;
      const { name, currentWeight } = candidate;
      const gained = (this.#gained.get(name) ?? 0) + currentWeight;
      this.#gained.set(name, gained);
      total += currentWeight;
      if (gained > most) {
        most = gained;
        best = candidate;
      }
    }
    this.#gained.set(best!.name, most - total);
    return { candidate: best!, why: `weight ${best!.weight}` };
  }

  /** Forgets a backend that has left. */
  forget(name: string): void {
    this.#gained.delete(name);
  }
}
