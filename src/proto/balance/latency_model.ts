/** How much of what was known still counts after one more answer. */
const FORGET = 0.98;
/** How uncertain the coefficients are at first. */
const PRIOR = 100;
/** They become no more uncertain than this while answers tell nothing new. */
const MAX_VARIANCE = 1_000;
/** What is predicted of a backend that was asked and has not answered yet. */
const UNKNOWN_MS = 1e9;

/**
 * Predicts the latency of one backend from the connections that it has: a base and a multiple of their square, because a
 * line before its workers forms only once all of them are busy. Learned by recursive least squares that forget (Haykin,
 * "Adaptive Filter Theory"). A backend that is silent while it has something to do is taken to be as slow as its silence
 * shows.
 *
 * @example Usage
 * ```ts
 * import { LatencyModel } from "./latency_model.ts";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const model = new LatencyModel();
 * for (let n = 1; n <= 200; n++) {
 *   const active = n % 10 + 1;
 *   model.learn({ latencyMs: 5 + 2 * active ** 2, active }, n);
 * }
 * assertAlmostEquals(model.predict(20, 200), 805, 1);
 * ```
 */
export class LatencyModel {
  #base = 0;
  #slope = 0;
  #baseVariance = PRIOR;
  #slopeVariance = PRIOR;
  #covariance = 0;
  /** When the latest answer came. */
  #atMs: number | undefined;

  /** Milliseconds that a connection would take if it were the `active`-th; 0 while the backend was never asked. */
  predict(active: number, nowMs: number): number {
    if (this.#atMs === undefined) return active === 1 ? 0 : UNKNOWN_MS + active;
    const line = this.#base + Math.max(this.#slope, 0) * active * active;
    const silentMs = active > 1 ? nowMs - this.#atMs : 0;
    return Math.max(line, silentMs, 0);
  }

  /** Learns how long it took when there were so many. */
  learn(
    { latencyMs, active }: { latencyMs: number; active: number },
    nowMs: number,
  ): void {
    const x = active * active;
    const baseGain = this.#baseVariance + this.#covariance * x;
    const slopeGain = this.#covariance + this.#slopeVariance * x;
    const scale = FORGET + baseGain + slopeGain * x;
    const surprise = latencyMs - (this.#base + this.#slope * x);
    this.#base += surprise * baseGain / scale;
    this.#slope += surprise * slopeGain / scale;
    this.#baseVariance = forget(this.#baseVariance - baseGain ** 2 / scale);
    this.#slopeVariance = forget(this.#slopeVariance - slopeGain ** 2 / scale);
    this.#covariance = (this.#covariance - baseGain * slopeGain / scale) /
      FORGET;
    this.#atMs = nowMs;
  }
}

function forget(variance: number): number {
  return Math.min(variance / FORGET, MAX_VARIANCE);
}
