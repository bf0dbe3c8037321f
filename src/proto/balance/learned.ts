import type {
  BalanceCandidate,
  BalanceChoice,
  BalancePolicy,
  BalanceRequest,
  BalanceSample,
} from "./candidate.ts";
import { LatencyModel } from "./latency_model.ts";

/** Options of {@linkcode Learned}. */
export interface LearnedOptions {
  /** The share of connections that go to a backend drawn at random, so that no prediction goes untested. @default {0.005} */
  explore?: number;
}

/**
 * Chooses the backend of which a model, learned while it runs, predicts the lowest latency: see
 * {@linkcode LatencyModel}.
 *
 * @example Usage
 * ```ts
 * import { Learned } from "./learned.ts";
 * import { ServerLoad } from "../resilience/balance.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const backends = ["slow", "fast"].map((name) => ({
 *   name,
 *   weight: 1,
 *   currentWeight: 1,
 *   active: 0,
 *   isOpen: true,
 *   load: new ServerLoad(),
 *   isHealthy: () => true,
 * }));
 * const policy = new Learned();
 * for (let nowMs = 0; nowMs < 100; nowMs += 10) {
 *   policy.answered(backends[0]!, { latencyMs: 90, active: 1 }, nowMs);
 *   policy.answered(backends[1]!, { latencyMs: 10, active: 1 }, nowMs);
 * }
 * const { candidate } = policy.choose({}, backends, 100, () => 0.5);
 * assertEquals(candidate.name, "fast");
 * ```
 */
export class Learned implements BalancePolicy {
  readonly #explore: number;
  readonly #models = new Map<string, LatencyModel>();

  /** Starts without knowledge: backends that have not answered yet are tried first. */
  constructor(options: LearnedOptions = {}) {
    this.#explore = options.explore ?? 0.005;
  }

  /** Chooses who is predicted to answer first. */
  choose<C extends BalanceCandidate>(
    _request: BalanceRequest,
    candidates: readonly C[],
    nowMs: number,
    random: () => number,
  ): BalanceChoice<C> {
    const open = candidates.filter(({ isOpen }) => isOpen);
    // Equals are chosen in turn, so to speak: the search begins anywhere.
    const start = Math.floor(random() * open.length);
    if (random() < this.#explore) {
      return { candidate: open[start]!, why: "explored" };
    }
    let best = open[start]!;
    let least = Infinity;
    for (let step = 0; step < open.length; step++) {
      const candidate = open[(start + step) % open.length]!;
      const { name, active } = candidate;
      const predicted = this.#model(name).predict(active + 1, nowMs);
      if (predicted < least) {
        least = predicted;
        best = candidate;
      }
    }
    return { candidate: best, why: `predicted ${least.toFixed(1)} ms` };
  }

  /** Learns. */
  answered(
    { name }: BalanceCandidate,
    sample: BalanceSample,
    nowMs: number,
  ): void {
    this.#model(name).learn(sample, nowMs);
  }

  /** Forgets a backend that has left. */
  forget(name: string): void {
    this.#models.delete(name);
  }

  #model(name: string): LatencyModel {
    let model = this.#models.get(name);
    if (model === undefined) {
      model = new LatencyModel();
      this.#models.set(name, model);
    }
    return model;
  }
}
