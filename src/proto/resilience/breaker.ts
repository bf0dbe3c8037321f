import type { Outcome, OutcomeListener } from "./health.ts";
import { SlidingSum } from "./sliding_sum.ts";

/** `closed`: attempts pass. `open`: none do. `half-open`: a few probes do, to see whether the server is back. */
export type BreakerState = "closed" | "open" | "half-open";

/** Why a breaker changed its state. */
export type BreakerTrigger =
  /** Too large a share of the window's attempts failed. */
  | "failure rate"
  /** Too many attempts failed one after another. */
  | "consecutive failures"
  /** It has been open for `openMs`. */
  | "time to probe"
  /** Enough probes succeeded. */
  | "probes succeeded"
  /** Too many probes failed for enough of them to succeed. */
  | "probes failed";

/** The whole machine: what each trigger leads to in each state. */
const NEXT_STATE = {
  closed: { "failure rate": "open", "consecutive failures": "open" },
  open: { "time to probe": "half-open" },
  "half-open": { "probes succeeded": "closed", "probes failed": "open" },
} as const satisfies Record<
  BreakerState,
  Partial<Record<BreakerTrigger, BreakerState>>
>;

/** A change of state. */
export interface BreakerTransition {
  /** The state that was left. */
  readonly from: BreakerState;
  /** The state that was entered. */
  readonly to: BreakerState;
  /** Why. */
  readonly trigger: BreakerTrigger;
  /** When, in the caller's monotonic milliseconds. */
  readonly atMs: number;
}

/** Whether an attempt may be made. */
export interface Admission {
  /** If not, fail at once. */
  readonly admitted: boolean;
  /** The change of state that asking brought about, if it did. */
  readonly transition?: BreakerTransition;
}

/** Options of {@linkcode CircuitBreaker}. */
export interface BreakerOptions {
  /** The share of failures in the window that opens it, from 0 to 1. @default {0.5} */
  failureRate?: number;
  /** Outcomes in the window below which the share says nothing. @default {20} */
  minimumThroughput?: number;
  /** Length of the window, in milliseconds. @default {10_000} */
  windowMs?: number;
  /** Failures one after another that open it, whatever the share; `Infinity` for no such rule. @default {5} */
  consecutiveFailures?: number;
  /** How long it stays open before it lets probes pass, in milliseconds. @default {5000} */
  openMs?: number;
  /** Attempts that pass while half-open. @default {3} */
  probes?: number;
  /** The share of the probes that must succeed, from 0 to 1. @default {0.5} */
  successRate?: number;
}

/** What {@linkcode CircuitBreaker.toJSON} exports. A half-open breaker is exported as one whose time to probe has come. */
export interface BreakerSnapshot {
  /** The state. */
  readonly state: "closed" | "open";
  /** Milliseconds from the change to that state until the breaker was last used. */
  readonly elapsedMs: number;
  /** Failures since the last success. */
  readonly consecutiveFailures: number;
  /** Outcomes in each segment of the window, oldest first. */
  readonly outcomes: readonly number[];
  /** Failures in each segment of the window, oldest first. */
  readonly failures: readonly number[];
}

const ADMITTED: Admission = { admitted: true };
const REFUSED: Admission = { admitted: false };

/**
 * A circuit breaker: fails fast while a server fails, and probes whether it is back. It opens by the share of failures in a
 * sliding window or by failures one after another, whichever comes first. Outcomes of attempts that began before the
 * latest change of state are ignored: they tell of the time before it. Pure: `admit` before each attempt, `record` after
 * it, and act on the transitions that they return.
 *
 * @example Usage
 * ```ts
 * import { CircuitBreaker } from "./breaker.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const breaker = new CircuitBreaker({ consecutiveFailures: 2, probes: 1 }, 0);
 * const failure = { ok: false, latencyMs: 1, kind: "timed out" } as const;
 * breaker.record(failure, 10);
 * assertEquals(breaker.record(failure, 20)?.trigger, "consecutive failures");
 * assertEquals(breaker.admit(30).admitted, false);
 * assertEquals(breaker.admit(5020).transition?.to, "half-open");
 * breaker.record({ ok: true, latencyMs: 1, kind: "answered" }, 5022);
 * assertEquals(breaker.state, "closed");
 * ```
 */
export class CircuitBreaker implements OutcomeListener {
  readonly #options: Required<BreakerOptions>;
  readonly #outcomes: SlidingSum;
  readonly #failures: SlidingSum;
  #state: BreakerState = "closed";
  /** When the state was entered. */
  #sinceMs: number;
  /** The latest time seen. */
  #nowMs: number;
  #consecutiveFailures = 0;
  #probesSucceeded = 0;
  #probesFailed = 0;
  /** Probes that have not ended. */
  #probesOut = 0;
  /** When the latest probe left. */
  #probedMs = 0;

  /** Starts closed at `nowMs`. */
  constructor(options: BreakerOptions, nowMs: number) {
    this.#options = {
      failureRate: options.failureRate ?? 0.5,
      minimumThroughput: options.minimumThroughput ?? 20,
      windowMs: options.windowMs ?? 10_000,
      consecutiveFailures: options.consecutiveFailures ?? 5,
      openMs: options.openMs ?? 5000,
      probes: options.probes ?? 3,
      successRate: options.successRate ?? 0.5,
    };
    this.#outcomes = new SlidingSum(this.#options.windowMs, nowMs);
    this.#failures = new SlidingSum(this.#options.windowMs, nowMs);
    this.#sinceMs = this.#nowMs = nowMs;
  }

  /**
   * Continues what {@linkcode CircuitBreaker.toJSON} exported, as if no time had passed since.
   *
   * @throws {TypeError} If `snapshot` is not what it exports.
   */
  static from(
    snapshot: BreakerSnapshot,
    options: BreakerOptions,
    nowMs: number,
  ): CircuitBreaker {
    const { state, elapsedMs, consecutiveFailures, outcomes, failures } =
      snapshot;
    const counts = [elapsedMs, consecutiveFailures, outcomes, failures].flat();
    if (
      !(state === "closed" || state === "open") ||
      !Array.isArray(outcomes) || !Array.isArray(failures) ||
      !counts.every((count) => Number.isFinite(count) && count >= 0)
    ) {
      throw new TypeError(
        `Cannot restore a circuit breaker: it was not exported by one: current value is ${
          JSON.stringify(snapshot)
        }`,
      );
    }
    const breaker = new CircuitBreaker(options, nowMs);
    breaker.#state = state;
    breaker.#sinceMs = nowMs - elapsedMs;
    breaker.#consecutiveFailures = consecutiveFailures;
    breaker.#outcomes.restore(outcomes);
    breaker.#failures.restore(failures);
    return breaker;
  }

  /** The state as of the last call that brought the time. */
  get state(): BreakerState {
    return this.#state;
  }

  /** The first moment at which an open breaker lets a probe pass, in the caller's milliseconds. */
  get probesFromMs(): number {
    return this.#sinceMs + this.#options.openMs;
  }

  /** Whether {@linkcode CircuitBreaker.admit} would let an attempt pass; changes nothing. */
  admits(nowMs: number): boolean {
    switch (this.#state) {
      case "closed":
        return true;
      case "open":
        return nowMs >= this.probesFromMs;
      case "half-open":
        return this.#probesLeft > 0 || this.#probesLost(nowMs);
    }
  }

  /** Asks to make an attempt. Each one that is admitted must be told of by {@linkcode CircuitBreaker.record}. */
  admit(nowMs: number): Admission {
    this.#nowMs = nowMs;
    // A clock that was set back must not keep it open for as long as that.
    if (nowMs < this.#sinceMs) this.#sinceMs = nowMs;
    if (this.#state === "closed") return ADMITTED;
    if (!this.admits(nowMs)) return REFUSED;
    const transition = this.#state === "open"
      ? this.#become("time to probe", nowMs)
      : undefined;
    if (this.#probesLeft === 0) this.#probesOut = 0;
    this.#probesOut++;
    this.#probedMs = nowMs;
    return transition === undefined ? ADMITTED : { admitted: true, transition };
  }

  /** Takes the outcome of an attempt; returns the change of state that it brought about, if it did. */
  record(outcome: Outcome, nowMs: number): BreakerTransition | undefined {
    this.#nowMs = nowMs;
    if (this.#state === "open" || !this.#isCurrent(outcome, nowMs)) {
      return undefined;
    }
    if (this.#state === "half-open") return this.#probed(outcome, nowMs);
    if (outcome.kind === "cancelled") return undefined;
    this.#outcomes.add(1, nowMs);
    if (outcome.ok) {
      this.#consecutiveFailures = 0;
      return undefined;
    }
    this.#failures.add(1, nowMs);
    this.#consecutiveFailures++;
    return this.#tripped(nowMs);
  }

  /** Exports the state; times are relative, because clocks of two processes have nothing in common. */
  toJSON(): BreakerSnapshot {
    return {
      state: this.#state === "closed" ? "closed" : "open",
      elapsedMs: this.#state === "half-open"
        ? this.#options.openMs
        : this.#nowMs - this.#sinceMs,
      consecutiveFailures: this.#consecutiveFailures,
      outcomes: this.#outcomes.segments(this.#nowMs),
      failures: this.#failures.segments(this.#nowMs),
    };
  }

  #tripped(nowMs: number): BreakerTransition | undefined {
    const { consecutiveFailures, minimumThroughput, failureRate } =
      this.#options;
    if (this.#consecutiveFailures >= consecutiveFailures) {
      return this.#become("consecutive failures", nowMs);
    }
    const outcomes = this.#outcomes.total(nowMs);
    if (outcomes < minimumThroughput) return undefined;
    return this.#failures.total(nowMs) >= failureRate * outcomes
      ? this.#become("failure rate", nowMs)
      : undefined;
  }

  #probed(outcome: Outcome, nowMs: number): BreakerTransition | undefined {
    if (this.#probesOut > 0) this.#probesOut--;
    if (outcome.kind === "cancelled") return undefined;
    if (outcome.ok) this.#probesSucceeded++;
    else this.#probesFailed++;
    const { probes, successRate } = this.#options;
    const needed = Math.max(Math.ceil(probes * successRate), 1);
    if (this.#probesSucceeded >= needed) {
      return this.#become("probes succeeded", nowMs);
    }
    return this.#probesFailed > probes - needed
      ? this.#become("probes failed", nowMs)
      : undefined;
  }

  get #probesLeft(): number {
    return this.#options.probes - this.#probesSucceeded - this.#probesFailed -
      this.#probesOut;
  }

  /** Whether the probes that are out have had their time, so that others may go: one that hangs must not close the way. */
  #probesLost(nowMs: number): boolean {
    return nowMs - this.#probedMs >= this.#options.openMs;
  }

  /** Whether the attempt began in this state; the tolerance is for what is lost when times are added and subtracted. */
  #isCurrent(outcome: Outcome, nowMs: number): boolean {
    return nowMs - outcome.latencyMs >= this.#sinceMs - 0.001;
  }

  #become(
    trigger: BreakerTrigger,
    nowMs: number,
  ): BreakerTransition {
    const from = this.#state;
    const row: Partial<Record<BreakerTrigger, BreakerState>> = NEXT_STATE[from];
    const to = row[trigger]!;
    this.#state = to;
    this.#sinceMs = nowMs;
    this.#consecutiveFailures = 0;
    this.#probesSucceeded = this.#probesFailed = this.#probesOut = 0;
    this.#outcomes.clear();
    this.#failures.clear();
    return { from, to, trigger, atMs: nowMs };
  }
}
