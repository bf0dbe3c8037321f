/** How much of what was known still counts after one more answer. */
const FORGET = 0.98;
/** Milliseconds in which a forecast error loses all but 37 % of its weight. */
const DRIFT_MS = 2_000;
/** How uncertain the coefficients are at first. */
const PRIOR = 100;
/** They become no more uncertain than this while answers tell nothing new. */
const MAX_VARIANCE = 1_000;

/**
 * Predicts the latency of one backend from the connections that it has: a line, base and cost of each further connection,
 * by recursive least squares that forget (Haykin, "Adaptive Filter Theory", chapter 10), and the recent error of that line.
 * A backend that is silent while it has something to do is taken to be as slow as its silence shows.
 *
 * @example Usage
 * ```ts
 * import { LatencyModel } from "./latency_model.ts";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const model = new LatencyModel();
 * for (let n = 1; n <= 200; n++) {
 *   const active = n % 10 + 1;
 *   model.learn(5 + 2 * active, active, n);
 * }
 * assertAlmostEquals(model.predict(20, 200), 45, 1);
 * ```
 */
export class LatencyModel {
  #base = 0;
  #slope = 0;
  /** Covariance of the two: [base, both, slope]. */
  #variance = PRIOR;
  #covariance = 0;
  #slopeVariance = PRIOR;
  #error = 0;
  #atMs: number | undefined;

  /** Milliseconds that a connection would take if it were the `active`-th; 0 while nothing is known. */
  predict(active: number, nowMs: number): number {
    if (this.#atMs === undefined) return active === 1 ? 0 : 1e9 + active;
    const quietMs = Math.max(nowMs - this.#atMs, 0);
    const line = this.#base + Math.max(this.#slope, 0) * active;
    const drift = this.#error * Math.exp(-quietMs / DRIFT_MS);
    const silent = active > 1 ? quietMs : 0;
    return Math.max(line + drift, silent, 0.001);
  }

  /** Learns that it took so long when there were `active`. */
  learn(latencyMs: number, active: number, nowMs: number): void {
    const x = active;
    const gain0 = this.#variance + this.#covariance * x;
    const gain1 = this.#covariance + this.#slopeVariance * x;
    const scale = FORGET + gain0 + gain1 * x;
    const surprise = latencyMs - (this.#base + this.#slope * x);
    this.#base += surprise * gain0 / scale;
    this.#slope += surprise * gain1 / scale;
    this.#variance = Math.min(
      (this.#variance - gain0 * gain0 / scale) / FORGET,
      MAX_VARIANCE,
    );
    this.#covariance = (this.#covariance - gain0 * gain1 / scale) / FORGET;
    this.#slopeVariance = Math.min(
      (this.#slopeVariance - gain1 * gain1 / scale) / FORGET,
      MAX_VARIANCE,
    );
    const quietMs = Math.max(nowMs - (this.#atMs ?? nowMs), 0);
    const keep = Math.exp(-quietMs / DRIFT_MS) * 0.9;
    this.#error = this.#error * keep + surprise * (1 - keep) * 0;
    this.#atMs = nowMs;
  }
}
