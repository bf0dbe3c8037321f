import type { Outcome, OutcomeListener } from "./health.ts";

/** How a limit follows the server's capacity. */
export interface AdaptiveLimitOptions {
  /**
   * The limit grows while nine of ten attempts are answered within this, in milliseconds. Choose two or three times what
   * nine of ten take on an idle server.
   */
  targetMs: number;
  /** It never shrinks below this. @default {1} */
  min?: number;
  /** It never grows beyond this. @default {1000} */
  max?: number;
}

/** Options of {@linkcode ConcurrencyLimit}. */
export interface ConcurrencyLimitOptions {
  /** Attempts at a time; with `adaptive`, the ones to begin with. @default {100} */
  limit?: number;
  /** Lets the limit follow the latency; without it, it is fixed. */
  adaptive?: AdaptiveLimitOptions;
}

/** The share of late attempts above which the limit shrinks. */
const LATE_SHARE = 0.1;
/** It shrinks by the ratio of target to latency, but to no more than this share of itself and no less than that. */
const DECREASE = { most: 0.9, least: 0.5 };
/** Outcomes below which a sample says nothing. */
const MIN_SAMPLE = 10;

/**
 * Counts attempts at a time against a limit, so that a slow server cannot take up everything. Adaptive, it grows by one a
 * round while latency is on target and the limit is what holds attempts back, and shrinks by a tenth to a half when it is
 * off target: additive increase, multiplicative decrease (Chiu and Jain, 1989), on latency as in `AIMDLimit` of Netflix's
 * concurrency-limits. A round is as many outcomes as the limit, of attempts that began in it. Pure.
 *
 * @example Usage
 * ```ts
 * import { ConcurrencyLimit } from "./concurrency_limit.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const limit = new ConcurrencyLimit({ limit: 1 }, 0);
 * assertEquals([limit.tryAcquire(), limit.tryAcquire()], [true, false]);
 * limit.release();
 * assertEquals(limit.tryAcquire(), true);
 * ```
 */
export class ConcurrencyLimit implements OutcomeListener {
  readonly #adaptive: Required<AdaptiveLimitOptions> | undefined;
  #limit: number;
  #inFlight = 0;
  /** The round began then. */
  #roundMs: number;
  #sample = 0;
  #late = 0;
  #latencySumMs = 0;
  /** The most attempts at a time in this round. */
  #peak = 0;

  /** Starts at `nowMs` with nothing in flight. */
  constructor(options: ConcurrencyLimitOptions, nowMs: number) {
    const { limit = 100, adaptive } = options;
    if (!(limit >= 1)) {
      throw new RangeError(
        `Cannot limit attempts: 'limit' must be at least 1: current value is ${limit}`,
      );
    }
    this.#adaptive = adaptive && { min: 1, max: 1000, ...adaptive };
    this.#limit = limit;
    this.#roundMs = nowMs;
  }

  /** Attempts that are allowed at a time. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** Attempts in flight. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Starts an attempt if the limit allows one more. */
  tryAcquire(): boolean {
    if (this.#inFlight >= this.limit) return false;
    this.#inFlight++;
    if (this.#inFlight > this.#peak) this.#peak = this.#inFlight;
    return true;
  }

  /** An attempt has ended. */
  release(): void {
    this.#inFlight--;
  }

  /** Learns from the outcome of an attempt; the limit may change. */
  record(outcome: Outcome, nowMs: number): void {
    if (this.#adaptive === undefined || outcome.kind === "cancelled") return;
    if (nowMs - outcome.latencyMs < this.#roundMs - 0.001) return;
    const { targetMs, min, max } = this.#adaptive;
    this.#sample++;
    this.#latencySumMs += outcome.latencyMs;
    const answered = outcome.kind === "answered";
    if (!answered || outcome.latencyMs > targetMs) this.#late++;
    if (this.#sample < Math.max(this.limit, MIN_SAMPLE)) return;
    if (this.#late > this.#sample * LATE_SHARE) {
      const share = targetMs * this.#sample / this.#latencySumMs;
      const { most, least } = DECREASE;
      this.#limit *= Math.max(Math.min(share, most), least);
      this.#limit = Math.max(this.#limit, min, 1);
    } else if (this.#peak >= this.limit) {
      this.#limit = Math.min(this.#limit + 1, max);
    }
    this.#roundMs = nowMs;
    this.#sample = this.#late = this.#latencySumMs = 0;
    this.#peak = this.#inFlight;
  }
}
