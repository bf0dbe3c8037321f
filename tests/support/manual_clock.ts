import type { Clock } from "../../src/io/clock.ts";
import { type Timer, TimerWheel } from "../../src/proto/timer_wheel.ts";
import { turns } from "./wait.ts";

/** A clock that stands still until it is told to go on. Deadlines fire in order, and to the millisecond. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #wheel: TimerWheel;

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
    this.#wheel.arm(timer, this.#nowMs + delayMs);
  }

  cancel(timer: Timer): void {
    this.#wheel.cancel(timer);
  }

  /** Lets `ms` pass, from deadline to deadline; what each of them sets off is done before the next. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await turns();
    while (this.#nowMs < untilMs) {
      const waitMs = this.#wheel.waitMs(this.#nowMs) ?? Infinity;
      this.#nowMs = Math.min(this.#nowMs + Math.max(waitMs, 1), untilMs);
      this.#wheel.advance(this.#nowMs);
      await turns();
    }
  }
}
