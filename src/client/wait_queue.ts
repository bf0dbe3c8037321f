import type { Clock } from "../io/clock.ts";
import { Timer } from "../proto/timer_wheel.ts";

/** One that waits; its links belong to the queue. */
class Waiter<T> extends Timer {
  override readonly keepsAlive = true;
  ahead: Waiter<T> | undefined = undefined;
  behind: Waiter<T> | undefined = undefined;
  readonly #queue: WaitQueue<T>;
  readonly #waitMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #abort: (() => void) | undefined;
  readonly #settled = Promise.withResolvers<T>();

  constructor(
    queue: WaitQueue<T>,
    waitMs: number,
    signal: AbortSignal | undefined,
  ) {
    super();
    this.#queue = queue;
    this.#waitMs = waitMs;
    this.#signal = signal;
    if (signal === undefined) return;
    this.#abort = () => {
      queue.leave(this);
      this.fail(signal.reason);
    };
    signal.addEventListener("abort", this.#abort, { once: true });
  }

  get promise(): Promise<T> {
    return this.#settled.promise;
  }

  override expired(): void {
    this.#queue.leave(this);
    this.fail(this.#queue.timedOut(this.#waitMs));
  }

  serve(value: T): void {
    this.#forgetSignal();
    this.#settled.resolve(value);
  }

  fail(error: unknown): void {
    this.#forgetSignal();
    this.#settled.reject(error);
  }

  #forgetSignal(): void {
    if (this.#abort === undefined) return;
    this.#signal!.removeEventListener("abort", this.#abort);
  }
}

/** A queue, first come, first served, that can be left at any place: by a deadline or by an abort. */
export class WaitQueue<T> {
  readonly #clock: Clock;
  /** Makes the error for one whose deadline passed. */
  readonly timedOut: (waitMs: number) => Error;
  #first: Waiter<T> | undefined;
  #last: Waiter<T> | undefined;
  #size = 0;

  /** Makes an empty queue; `timedOut` makes the error for those whose deadline passes. */
  constructor(clock: Clock, timedOut: (waitMs: number) => Error) {
    this.#clock = clock;
    this.timedOut = timedOut;
  }

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** Waits for {@linkcode WaitQueue.serve}, at most `waitMs` long. */
  wait(waitMs: number, signal: AbortSignal | undefined): Promise<T> {
    const waiter = new Waiter<T>(this, waitMs, signal);
    if (waitMs !== Infinity) this.#clock.arm(waiter, waitMs);
    waiter.ahead = this.#last;
    if (this.#last === undefined) this.#first = waiter;
    else this.#last.behind = waiter;
    this.#last = waiter;
    this.#size++;
    return waiter.promise;
  }

  /** Gives `value` to who came first; false if nobody waits. */
  serve(value: T): boolean {
    const waiter = this.#first;
    if (waiter === undefined) return false;
    this.leave(waiter);
    waiter.serve(value);
    return true;
  }

  /** Tells all who wait that they do so in vain. */
  failAll(error: unknown): void {
    for (let waiter = this.#first; waiter !== undefined;) {
      const { behind } = waiter;
      this.leave(waiter);
      waiter.fail(error);
      waiter = behind;
    }
  }

  /** Takes `waiter` out, wherever it stands. */
  leave(waiter: Waiter<T>): void {
    this.#clock.cancel(waiter);
    if (waiter.ahead === undefined) this.#first = waiter.behind;
    else waiter.ahead.behind = waiter.behind;
    if (waiter.behind === undefined) this.#last = waiter.ahead;
    else waiter.behind.ahead = waiter.ahead;
    this.#size--;
  }
}
