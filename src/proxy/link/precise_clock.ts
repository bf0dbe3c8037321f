import type { Clock } from "../../io/clock.ts";
import type { Timer } from "../../proto/timer_wheel.ts";

/** The machine's clock with a timer of the runtime for each deadline: up to a millisecond late, where the shared wheel is up to 32. */
class PreciseClock implements Clock {
  readonly #handles = new Map<Timer, ReturnType<typeof setTimeout>>();

  now(): number {
    return performance.now();
  }

  arm(timer: Timer, delayMs: number): void {
    this.cancel(timer);
    timer.dueMs = performance.now() + delayMs;
    this.#arm(timer);
  }

  #arm(timer: Timer): void {
    // The runtime's timers hold 31 bits of milliseconds.
    const waitMs = Math.min(timer.dueMs - performance.now(), 2 ** 31 - 1);
    const handle = setTimeout(() => {
      if (performance.now() < timer.dueMs) return this.#arm(timer);
      this.#handles.delete(timer);
      timer.expired(performance.now());
    }, Math.max(0, Math.floor(waitMs)));
    this.#handles.set(timer, handle);
  }

  cancel(timer: Timer): void {
    clearTimeout(this.#handles.get(timer));
    this.#handles.delete(timer);
  }
}

/** Keeps the times of links, which are shorter than those of connections. */
export const preciseClock: Clock = new PreciseClock();
