import type { Outcome, OutcomeListener } from "./health.ts";
import { SlidingSum } from "./sliding_sum.ts";

/** Options of {@linkcode RetryBudget}. */
export interface RetryBudgetOptions {
  /** Retries that each success pays for. @default {0.2} */
  ratio?: number;
  /** Retries per second that need no success, so that a client with little traffic may retry too. @default {10} */
  minPerSecond?: number;
  /** How long a success counts, in milliseconds. @default {10_000} */
  windowMs?: number;
}

/**
 * Keeps retries a small share of the traffic, so that an overloaded server is not hit by its clients' retries on top:
 * Finagle's `RetryBudget`. Only successes pay in, as in the retry throttling of gRPC (proposal A6): once a server fails
 * altogether, `minPerSecond` is all that is left.
 *
 * @example Usage
 * ```ts
 * import { RetryBudget } from "./retry_budget.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const budget = new RetryBudget({ ratio: 0.5, minPerSecond: 0 }, 0);
 * assertEquals(budget.tryWithdraw(0), false);
 * const success = { ok: true, latencyMs: 3, kind: "answered" } as const;
 * budget.record(success, 10);
 * budget.record(success, 20);
 * assertEquals([budget.tryWithdraw(30), budget.tryWithdraw(30)], [true, false]);
 * ```
 */
export class RetryBudget implements OutcomeListener {
  readonly #ratio: number;
  readonly #reserve: number;
  /** What was paid in less what was spent; both are forgotten after the window, which fills the reserve again. */
  readonly #balance: SlidingSum;

  /** Starts at `nowMs` with the reserve alone. */
  constructor(options: RetryBudgetOptions, nowMs: number) {
    const { ratio = 0.2, minPerSecond = 10, windowMs = 10_000 } = options;
    this.#ratio = ratio;
    this.#reserve = minPerSecond * windowMs / 1000;
    this.#balance = new SlidingSum(windowMs, nowMs);
  }

  /** A success pays in. */
  record(outcome: Outcome, nowMs: number): void {
    if (outcome.ok) this.#balance.add(this.#ratio, nowMs);
  }

  /** Retries that could be paid for at `nowMs`. */
  balance(nowMs: number): number {
    // Five times 0.2 is a hair under one when summed up.
    const balance = this.#reserve + this.#balance.total(nowMs) + 1e-6;
    return Math.max(Math.floor(balance), 0);
  }

  /** Spends one retry, or a hedged attempt, if there is one. */
  tryWithdraw(nowMs: number): boolean {
    if (this.balance(nowMs) < 1) return false;
    this.#balance.add(-1, nowMs);
    return true;
  }
}
