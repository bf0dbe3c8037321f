import { type Clock, systemClock } from "../io/clock.ts";
import {
  ConcurrencyLimit,
  type ConcurrencyLimitOptions,
} from "../proto/resilience/concurrency_limit.ts";
import type { Outcome, OutcomeListener } from "../proto/resilience/health.ts";
import { WaitQueue } from "./wait_queue.ts";

/** Options of {@linkcode Bulkhead}. */
export interface BulkheadOptions extends ConcurrencyLimitOptions {
  /** Attempts that may wait for their turn; further ones are refused at once. @default {1000} */
  maxWaiters?: number;
  /** Milliseconds that an attempt waits for its turn. @default {1000} */
  waitMs?: number;
  /** Where deadlines take their time from. @default {systemClock} */
  clock?: Clock;
}

/** Options of {@linkcode Bulkhead.acquire}. */
export interface AcquireOptions {
  /** Milliseconds to wait; the bulkhead's `waitMs` unless told. */
  waitMs?: number;
  /** Gives up when aborted. */
  signal?: AbortSignal;
}

/**
 * As many attempts as may be made at a time are being made.
 *
 * @example Usage
 * ```ts
 * import { Bulkhead, ConcurrencyLimitError } from "./bulkhead.ts";
 * import { assertRejects } from "@std/assert";
 *
 * const bulkhead = new Bulkhead({ limit: 1, maxWaiters: 0 });
 * await bulkhead.acquire();
 * await assertRejects(() => bulkhead.acquire(), ConcurrencyLimitError);
 * ```
 */
export class ConcurrencyLimitError extends Error {
  /** The name that stack traces show. */
  override readonly name = "ConcurrencyLimitError";
  /** `full`: too many wait already. `timed out`: the attempt's turn did not come in time. */
  readonly reason: "full" | "timed out";

  /** Creates the error; `detail` says what was exceeded. */
  constructor(reason: "full" | "timed out", limit: number, detail: string) {
    super(
      `Cannot start an attempt: ${detail}: current value of 'limit' is ${limit}`,
    );
    this.reason = reason;
  }
}

/**
 * Keeps attempts at a time below a limit; more of them wait for their turn, first come, first served, in a queue that is
 * bounded and has a deadline. The limit itself is a {@linkcode ConcurrencyLimit}, fixed or adaptive.
 *
 * @example Usage
 * ```ts
 * import { Bulkhead } from "./bulkhead.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const bulkhead = new Bulkhead({ limit: 1 });
 * await bulkhead.acquire();
 * const next = bulkhead.acquire();
 * assertEquals([bulkhead.inFlight, bulkhead.waiting], [1, 1]);
 * bulkhead.release();
 * await next;
 * assertEquals([bulkhead.inFlight, bulkhead.waiting], [1, 0]);
 * ```
 */
export class Bulkhead implements OutcomeListener {
  readonly #limit: ConcurrencyLimit;
  readonly #waiters: WaitQueue<void>;
  readonly #maxWaiters: number;
  readonly #waitMs: number;

  /** Starts with nothing in flight. */
  constructor(options: BulkheadOptions = {}) {
    const { maxWaiters = 1000, waitMs = 1000, clock = systemClock } = options;
    this.#limit = new ConcurrencyLimit(options, clock.now());
    this.#maxWaiters = maxWaiters;
    this.#waitMs = waitMs;
    this.#waiters = new WaitQueue(clock, (waitMs) => {
      const detail = `no turn came within ${waitMs} ms`;
      return new ConcurrencyLimitError("timed out", this.limit, detail);
    });
  }

  /** Attempts that are allowed at a time. */
  get limit(): number {
    return this.#limit.limit;
  }

  /** Attempts in flight. */
  get inFlight(): number {
    return this.#limit.inFlight;
  }

  /** Attempts that wait for their turn. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** Starts an attempt if none waits and the limit allows one more. */
  tryAcquire(): boolean {
    return this.#waiters.size === 0 && this.#limit.tryAcquire();
  }

  /**
   * Waits until an attempt may start; {@linkcode Bulkhead.release} is then due at its end.
   *
   * @throws {ConcurrencyLimitError} If its turn does not come in time, or too many wait already.
   */
  acquire(options: AcquireOptions = {}): Promise<void> {
    const { signal, waitMs = this.#waitMs } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.tryAcquire()) return Promise.resolve();
    if (this.#waiters.size >= this.#maxWaiters) {
      const detail = `too many wait already (${this.#maxWaiters})`;
      return Promise.reject(
        new ConcurrencyLimitError("full", this.limit, detail),
      );
    }
    return this.#waiters.wait(waitMs, signal);
  }

  /** An attempt has ended: the next may start. */
  release(): void {
    this.#limit.release();
    this.#admit();
  }

  /** Learns from the outcome of an attempt; an adaptive limit may change. */
  record(outcome: Outcome, nowMs: number): void {
    this.#limit.record(outcome, nowMs);
    this.#admit();
  }

  #admit(): void {
    while (this.#waiters.size > 0 && this.#limit.tryAcquire()) {
      this.#waiters.serve();
    }
  }
}
