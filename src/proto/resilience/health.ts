/**
 * How an attempt ended. `answered`: the server replied. `refused`: it could not be reached or turned the attempt away, so
 * nothing was carried out. `timed out` and `connection lost`: it may have been carried out all the same. `cancelled`: the
 * caller gave up, which says nothing about the server but how long it had not answered.
 */
export type OutcomeKind =
  | "answered"
  | "refused"
  | "timed out"
  | "connection lost"
  | "cancelled";

/** The one signal that feeds breaker, retry budget, balancing and concurrency limit. */
export interface Outcome {
  /** Whether the server did its part; an error that is the caller's fault is an answer like any other. */
  readonly ok: boolean;
  /** Milliseconds from the start of the attempt to its end. */
  readonly latencyMs: number;
  /** How it ended. */
  readonly kind: OutcomeKind;
}

/** Learns from the outcome of every attempt. */
export interface OutcomeListener {
  /** Takes an outcome that became known at `nowMs`, in monotonic milliseconds. */
  record(outcome: Outcome, nowMs: number): unknown;
}

/**
 * Hands each outcome to all of its listeners, so that one call is all that reports a success or a failure.
 *
 * @example Usage
 * ```ts
 * import { CircuitBreaker } from "./breaker.ts";
 * import { HealthSignal } from "./health.ts";
 * import { RetryBudget } from "./retry_budget.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const breaker = new CircuitBreaker({ consecutiveFailures: 1 }, 0);
 * const budget = new RetryBudget({}, 0);
 * const signal = new HealthSignal([breaker, budget]);
 * signal.record({ ok: false, latencyMs: 5, kind: "refused" }, 10);
 * assertEquals(breaker.state, "open");
 * ```
 */
export class HealthSignal implements OutcomeListener {
  readonly #listeners: readonly OutcomeListener[];

  /** Makes a signal for `listeners`, which hear of each outcome in this order. */
  constructor(listeners: readonly OutcomeListener[]) {
    this.#listeners = listeners;
  }

  /** Tells every listener. */
  record(outcome: Outcome, nowMs: number): void {
    for (const listener of this.#listeners) listener.record(outcome, nowMs);
  }
}
