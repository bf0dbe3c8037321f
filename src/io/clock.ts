import { Timer, TimerWheel } from "../proto/timer_wheel.ts";

/** Where connections, servers and clients take their time from; tests and simulations pass their own. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Calls `timer.expired` once, `delayMs` from now; moves the timer if it is armed. */
  arm(timer: Timer, delayMs: number): void;
  /** Disarms `timer`; does nothing if it is not armed. */
  cancel(timer: Timer): void;
}

class SystemClock implements Clock {
  readonly #wheel = new TimerWheel(performance.now());
  #handle: ReturnType<typeof setTimeout> | undefined;
  #wakesAtMs = Infinity;

  now(): number {
    return performance.now();
  }

  arm(timer: Timer, delayMs: number): void {
    const nowMs = performance.now();
    this.#wheel.arm(timer, nowMs + delayMs);
    if (timer.dueMs < this.#wakesAtMs) this.#schedule(nowMs);
  }

  cancel(timer: Timer): void {
    this.#wheel.cancel(timer);
    if (this.#wheel.size === 0) this.#stop();
  }

  #schedule(nowMs: number): void {
    this.#stop();
    const waitMs = this.#wheel.waitMs(nowMs);
    if (waitMs === undefined) return;
    this.#wakesAtMs = nowMs + waitMs;
    this.#handle = setTimeout(() => {
      const nowMs = performance.now();
      this.#wheel.advance(nowMs);
      this.#schedule(nowMs);
    }, waitMs + this.#wheel.tickMs);
    // Deadlines never keep a process alive: what they guard does.
    Deno.unrefTimer(this.#handle);
  }

  #stop(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
    this.#wakesAtMs = Infinity;
  }
}

/** The clock of the machine. Every deadline of the process shares one timer wheel and one timer of the runtime. */
export const systemClock: Clock = new SystemClock();

class Alarm extends Timer {
  readonly #ring: () => void;

  constructor(ring: () => void) {
    super();
    this.#ring = ring;
  }

  override expired(): void {
    this.#ring();
  }
}

/** Calls `ring` once, `delayMs` from now; cancel the timer it returns to prevent that. */
export function alarm(clock: Clock, delayMs: number, ring: () => void): Timer {
  const timer = new Alarm(ring);
  clock.arm(timer, delayMs);
  return timer;
}

/** Resolves `delayMs` from now. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void alarm(clock, delayMs, resolve));
}
