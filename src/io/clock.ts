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
  /** Those for which the process stays alive; deadlines are not among them: what they guard keeps it alive. */
  readonly #waitedFor = new Set<Timer>();
  #handle: ReturnType<typeof setTimeout> | undefined;
  #wakesAtMs = Infinity;

  now(): number {
    return performance.now();
  }

  arm(timer: Timer, delayMs: number): void {
    const nowMs = performance.now();
    this.#wheel.arm(timer, nowMs + delayMs);
    if (timer.keepsAlive) this.#waitFor(timer);
    if (timer.dueMs < this.#wakesAtMs) this.#schedule(nowMs);
  }

  cancel(timer: Timer): void {
    this.#wheel.cancel(timer);
    if (timer.keepsAlive) this.#forget(timer);
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
      for (const timer of this.#waitedFor) {
        if (timer.next === undefined) this.#waitedFor.delete(timer);
      }
      this.#schedule(nowMs);
    }, waitMs + this.#wheel.tickMs);
    if (this.#waitedFor.size === 0) Deno.unrefTimer(this.#handle);
  }

  #waitFor(timer: Timer): void {
    this.#waitedFor.add(timer);
    if (this.#handle !== undefined) Deno.refTimer(this.#handle);
  }

  #forget(timer: Timer): void {
    this.#waitedFor.delete(timer);
    if (this.#waitedFor.size > 0 || this.#handle === undefined) return;
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

/** Calls `ring` once, `delayMs` from now, or never if that is `Infinity`; cancel the timer it returns to prevent that. */
export function alarm(clock: Clock, delayMs: number, ring: () => void): Timer {
  const timer = new Alarm(ring);
  if (delayMs !== Infinity) clock.arm(timer, delayMs);
  return timer;
}

/** Resolves `delayMs` from now, or when `signal` is aborted; the process stays alive until then. */
export function sleep(
  clock: Clock,
  delayMs: number,
  signal?: AbortSignal,
): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clock.cancel(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = new Alarm(done);
    timer.keepsAlive = true;
    clock.arm(timer, delayMs);
    signal?.addEventListener("abort", done, { once: true });
  });
}
