import { chooseServer } from "../resilience/balance.ts";
import {
  type BalanceCandidate,
  type BalanceChoice,
  type BalancePolicy,
  type BalanceRequest,
  openOnes,
} from "./candidate.ts";

/**
 * Chooses the cheaper of two backends drawn at random, by what {@linkcode ServerLoad} says of their latencies and of what
 * they have to do: the peak-EWMA of Finagle.
 *
 * @example Usage
 * ```ts
 * import { PeakEwma } from "./peak_ewma.ts";
 * import { ServerLoad } from "../resilience/balance.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const backends = [90, 10].map((latencyMs, index) => {
 *   const load = new ServerLoad();
 *   load.record({ ok: true, kind: "answered", latencyMs }, 0);
 *   const name = "ab"[index]!;
 *   const isHealthy = () => true;
 *   const weights = { weight: 1, currentWeight: 1 };
 *   return { name, ...weights, active: 0, isOpen: true, load, isHealthy };
 * });
 * const { candidate } = new PeakEwma().choose({}, backends, 0, () => 0.5);
 * assertEquals(candidate.name, "b");
 * ```
 */
export class PeakEwma implements BalancePolicy {
  /** Chooses the cheaper of two. */
  choose<C extends BalanceCandidate>(
    _request: BalanceRequest,
    candidates: readonly C[],
    nowMs: number,
    random: () => number,
  ): BalanceChoice<C> {
    const { server } = chooseServer(openOnes(candidates), {
      nowMs,
      random,
      panicThreshold: 0,
    });
    return {
      candidate: server,
      why: `costs ${server.load.cost(nowMs).toFixed(1)}`,
    };
  }
}
