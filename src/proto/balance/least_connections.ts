import type {
  BalanceCandidate,
  BalanceChoice,
  BalancePolicy,
  BalanceRequest,
} from "./candidate.ts";

/** Connections are compared in these units, so that weights up to 256 count. */
const SCALE = 4096;
const STEPS = 16;

/** Where a backend stands in the line. */
interface Place {
  key: number;
  order: number;
}

/**
 * Chooses who has the fewest connections for its weight; among equals who has been so for longest: in the order of
 * HAProxy's `leastconn`.
 *
 * @example Usage
 * ```ts
 * import { LeastConnections } from "./least_connections.ts";
 * import { ServerLoad } from "../resilience/balance.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const backends = [3, 1, 2].map((active, index) => ({
 *   name: "abc"[index]!,
 *   weight: 1,
 *   currentWeight: 1,
 *   active,
 *   isOpen: true,
 *   load: new ServerLoad(),
 *   isHealthy: () => true,
 * }));
 * const policy = new LeastConnections();
 * assertEquals(policy.choose({}, backends).candidate.name, "b");
 * ```
 */
export class LeastConnections implements BalancePolicy {
  readonly #places = new Map<string, Place>();
  #order = 0;

  /** Chooses who is first in the line. */
  choose<C extends BalanceCandidate>(
    _request: BalanceRequest,
    candidates: readonly C[],
  ): BalanceChoice<C> {
    let best: C | undefined;
    let first: Place | undefined;
    for (const candidate of candidates) {
      const place = this.#place(candidate);
      if (!candidate.isOpen) continue;
      if (
        first === undefined || place.key < first.key ||
        place.key === first.key && place.order < first.order
      ) {
        best = candidate;
        first = place;
      }
    }
    return { candidate: best!, why: `has ${best!.active}` };
  }

  /** Takes note that the connections of a backend are others. */
  moved(candidate: BalanceCandidate): void {
    this.#place(candidate);
  }

  /** Puts a backend that is back behind its equals. */
  rejoined(candidate: BalanceCandidate): void {
    this.#places.delete(candidate.name);
    this.#place(candidate);
  }

  /** Forgets a backend that has left. */
  forget(name: string): void {
    this.#places.delete(name);
  }

  #place({ name, active, currentWeight }: BalanceCandidate): Place {
    const share = Math.max(Math.round(currentWeight * STEPS), 1);
    const key = active === 0 ? 0 : Math.floor((active + 1) * SCALE / share);
    let place = this.#places.get(name);
    if (place?.key !== key) {
      place = { key, order: ++this.#order };
      this.#places.set(name, place);
    }
    return place;
  }
}
