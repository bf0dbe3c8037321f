import type { Clock } from "../io/clock.ts";
import type { Timer } from "../proto/timer_wheel.ts";

/** The time of one process of a virtual host: once the process is dead, its timers never fire. */
export class ProcessClock implements Clock {
  readonly #clock: Clock;
  /** Those that were armed and not cancelled; undefined once the process is dead. */
  #timers: Set<Timer> | undefined = new Set();

  /** Runs with `clock`. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  arm(timer: Timer, delayMs: number): void {
    if (this.#timers === undefined) return;
    this.#timers.add(timer);
    this.#clock.arm(timer, delayMs);
  }

  cancel(timer: Timer): void {
    this.#timers?.delete(timer);
    this.#clock.cancel(timer);
  }

  /** Stops for good. */
  stop(): void {
    for (const timer of this.#timers ?? []) this.#clock.cancel(timer);
    this.#timers = undefined;
  }
}
