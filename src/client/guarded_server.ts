import { type Candidate, ServerLoad } from "../proto/resilience/balance.ts";
import type {
  BreakerTransition,
  CircuitBreaker,
} from "../proto/resilience/breaker.ts";
import {
  HealthSignal,
  type Outcome,
  type OutcomeListener,
} from "../proto/resilience/health.ts";

/**
 * The server's circuit breaker is open: it failed lately and is left alone for a while. `cause` is its latest failure.
 *
 * @example Usage
 * ```ts
 * import { BreakerOpenError } from "./guarded_server.ts";
 * import { Guard } from "./guard.ts";
 * import { assertRejects } from "@std/assert";
 *
 * const guard = new Guard({
 *   servers: ["tcp://127.0.0.1:9999"],
 *   breaker: { consecutiveFailures: 1 },
 * });
 * const fail = () => Promise.reject(new Error("Broken"));
 * await assertRejects(() => guard.run(fail), Error, "Broken");
 * await assertRejects(() => guard.run(fail), BreakerOpenError);
 * ```
 */
export class BreakerOpenError extends Error {
  /** The name that stack traces show. */
  override readonly name = "BreakerOpenError";
  /** Milliseconds until it lets an attempt pass. */
  readonly retryAfterMs: number;

  /** Creates the error for `server`. */
  constructor(server: string, retryAfterMs: number, cause?: unknown) {
    super(
      `Cannot ask ${server}: its circuit breaker is open: current value of 'retryAfterMs' is ${
        Math.ceil(retryAfterMs)
      }`,
      cause === undefined ? undefined : { cause },
    );
    this.retryAfterMs = retryAfterMs;
  }
}

/** A server and all that is known of it. */
export class GuardedServer<S> implements Candidate {
  readonly server: S;
  readonly load: ServerLoad = new ServerLoad();
  readonly breaker: CircuitBreaker | undefined;
  /** Takes the outcome of every attempt. */
  readonly health: HealthSignal;
  /** Why the latest attempt failed. */
  lastError: unknown;
  readonly #changed: (transition: BreakerTransition) => void;

  /** `listeners` hear of each outcome too; `changed` hears of the circuit breaker. */
  constructor(
    server: S,
    breaker: CircuitBreaker | undefined,
    listeners: OutcomeListener[],
    changed: (transition: BreakerTransition) => void,
  ) {
    this.server = server;
    this.breaker = breaker;
    this.#changed = changed;
    const own = { record: this.#record.bind(this) };
    this.health = new HealthSignal([own, this.load, ...listeners]);
  }

  isHealthy(nowMs: number): boolean {
    return this.breaker?.admits(nowMs) ?? true;
  }

  /**
   * An attempt begins.
   *
   * @throws {BreakerOpenError} If the circuit breaker does not let it pass.
   */
  begin(nowMs: number): void {
    const admission = this.breaker?.admit(nowMs);
    if (admission?.admitted === false) {
      const label = typeof this.server === "string"
        ? this.server
        : "the server";
      const waitMs = Math.max(this.breaker!.probesFromMs - nowMs, 0);
      throw new BreakerOpenError(label, waitMs, this.lastError);
    }
    if (admission?.transition !== undefined) {
      this.#changed(admission.transition);
    }
    this.load.started();
  }

  #record(outcome: Outcome, nowMs: number): void {
    const transition = this.breaker?.record(outcome, nowMs);
    if (transition !== undefined) this.#changed(transition);
  }
}
