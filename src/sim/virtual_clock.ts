import { setImmediate } from "node:timers";
import { type Clock, sleep } from "../io/clock.ts";
import { type Timer, TimerWheel } from "../proto/timer_wheel.ts";

/** Turns of the event loop in which nothing is armed or cancelled before time goes on. */
const QUIET_TURNS = 3;

/** Options of {@linkcode VirtualClock.runUntil}. */
export interface RunUntilOptions {
  /** Virtual milliseconds after which it gives up. @default {3_600_000} */
  limitMs?: number;
}

/**
 * A clock that stands still until it is told to go on, and then leaps from deadline to deadline. Before each leap,
 * everything that the last one set off is done: promises, and callbacks of `setImmediate`. Timers fire in order, to
 * the millisecond; what waits for the machine (files, sockets, `setTimeout`, `crypto.subtle`) is not waited for.
 *
 * @example Usage
 * ```ts
 * import { VirtualClock } from "./virtual_clock.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const clock = new VirtualClock();
 * const startMs = clock.now();
 * await clock.runUntil(clock.sleep(600_000));
 * assertEquals(clock.now() - startMs, 600_000);
 * ```
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #wheel: TimerWheel;
  /** Calls of `arm` and `cancel`: while there are any, the program is busy. */
  #calls = 0;
  #driven = false;

  /** Starts at `nowMs`, which is not 0 because no machine starts there either. */
  constructor(nowMs = 1000) {
    this.#nowMs = nowMs;
    this.#wheel = new TimerWheel(nowMs, 1);
  }

  /** How many timers are armed. */
  get armed(): number {
    return this.#wheel.size;
  }

  now(): number {
    return this.#nowMs;
  }

  arm(timer: Timer, delayMs: number): void {
    this.#calls++;
    this.#wheel.arm(timer, this.#nowMs + delayMs);
  }

  cancel(timer: Timer): void {
    this.#calls++;
    this.#wheel.cancel(timer);
  }

  /** Resolves `delayMs` from now, or when `signal` is aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleep(this, delayMs, signal);
  }

  /**
   * Moves the time at once, as for a machine that was asleep: what was due meanwhile fires late, and together.
   *
   * @throws {RangeError} If `ms` is negative: a monotonic clock does not go back.
   */
  jump(ms: number): void {
    if (!(ms >= 0)) {
      throw new RangeError(
        `Cannot jump as 'ms' must be 0 or more: current value is ${ms}`,
      );
    }
    this.#nowMs += ms;
  }

  /** Lets `ms` pass. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await this.#drive(untilMs, () => false);
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /**
   * Lets time pass until `promise` is settled, and returns what it was resolved with.
   *
   * @throws {Error} If nothing is left that could settle it, or the limit is reached; and whatever it was rejected with.
   */
  async runUntil<T>(
    promise: Promise<T>,
    { limitMs = 3_600_000 }: RunUntilOptions = {},
  ): Promise<T> {
    let settled = false;
    const settle = () => {
      settled = true;
    };
    promise.then(settle, settle);
    await this.#drive(this.#nowMs + limitMs, () => settled);
    if (settled) return await promise;
    throw new Error(
      this.#wheel.size === 0
        ? `Cannot go on: the promise is pending and no timer is armed: current value of the clock is ${this.#nowMs}`
        : `Cannot go on: the promise is pending after ${limitMs} ms: current value of the clock is ${this.#nowMs}`,
    );
  }

  /** Leaps until `untilMs`, until `done`, or until nothing is armed. */
  async #drive(untilMs: number, done: () => boolean): Promise<void> {
    if (this.#driven) {
      throw new TypeError(
        "Cannot advance the clock: another call does; wait with sleep() inside it",
      );
    }
    this.#driven = true;
    try {
      await this.#quiet();
      for (;;) {
        await this.#fire();
        if (done()) return;
        const waitMs = this.#wheel.waitMs(this.#nowMs);
        if (waitMs === undefined || this.#nowMs + waitMs > untilMs) return;
        this.#nowMs += waitMs;
      }
    } finally {
      this.#driven = false;
    }
  }

  async #fire(): Promise<void> {
    const { size } = this.#wheel;
    const calls = this.#calls;
    this.#wheel.advance(this.#nowMs);
    if (this.#wheel.size !== size || this.#calls !== calls) await this.#quiet();
  }

  /** Resolves when the program waits for nothing but time. */
  async #quiet(): Promise<void> {
    for (let turns = 0; turns < QUIET_TURNS; turns++) {
      const calls = this.#calls;
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#calls !== calls) turns = -1;
    }
  }
}
