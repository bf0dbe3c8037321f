/**
 * A deadline that a {@linkcode TimerWheel} keeps. Subclass it, or embed one; the fields belong to the wheel.
 *
 * @example Usage
 * ```ts
 * import { Timer, TimerWheel } from "./timer_wheel.ts";
 * import { assertEquals } from "@std/assert";
 *
 * class Alarm extends Timer {
 *   rang = 0;
 *   override expired(): void {
 *     this.rang++;
 *   }
 * }
 * const wheel = new TimerWheel(0);
 * const alarm = new Alarm();
 * wheel.arm(alarm, 100);
 * wheel.advance(99);
 * assertEquals(alarm.rang, 0);
 * wheel.advance(100 + wheel.tickMs);
 * assertEquals(alarm.rang, 1);
 * ```
 */
export abstract class Timer {
  /** When it is due, in the wheel's milliseconds. */
  dueMs = 0;
  /** Whether a program waits for nothing else, so that its process must live on until then. */
  keepsAlive = false;
  /** Neighbours in the slot; undefined while not armed. */
  previous: Timer | undefined = undefined;
  /** See `previous`. */
  next: Timer | undefined = undefined;
  /** Called once the deadline has passed; the timer is then not armed and may be armed again. */
  abstract expired(nowMs: number): void;
}

class Slot extends Timer {
  override previous: Timer = this;
  override next: Timer = this;
  override expired(): void {}
}

function append(slot: Slot, timer: Timer): void {
  timer.previous = slot.previous;
  timer.next = slot;
  slot.previous.next = timer;
  slot.previous = timer;
}

function unlink(timer: Timer): void {
  timer.previous!.next = timer.next;
  timer.next!.previous = timer.previous;
}

/**
 * A hashed timing wheel (Varghese and Lauck, 1987, scheme 6): arming and cancelling cost the same for one deadline as
 * for a hundred thousand, and nothing is allocated. Deadlines fire up to one tick late and never early.
 *
 * @example Usage
 * ```ts
 * import { TimerWheel } from "./timer_wheel.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wheel = new TimerWheel(0, 16);
 * assertEquals(wheel.size, 0);
 * assertEquals(wheel.waitMs(0), undefined);
 * ```
 */
export class TimerWheel {
  /** Resolution in milliseconds. */
  readonly tickMs: number;
  /** Armed timers. */
  size = 0;
  readonly #slots: Slot[];
  /** The first tick that has not been visited. */
  #tick: number;

  /** Starts at `nowMs`; deadlines beyond `tickMs * slots` stay in their slot for more turns. */
  constructor(nowMs: number, tickMs = 16, slots = 1024) {
    this.tickMs = tickMs;
    this.#slots = Array.from({ length: slots }, () => new Slot());
    this.#tick = Math.floor(nowMs / tickMs);
  }

  /** Arms `timer` for `dueMs`, or moves it there. */
  arm(timer: Timer, dueMs: number): void {
    if (timer.next !== undefined) this.cancel(timer);
    timer.dueMs = dueMs;
    const tick = Math.max(Math.ceil(dueMs / this.tickMs), this.#tick);
    const slot = this.#slots[tick % this.#slots.length]!;
    append(slot, timer);
    this.size++;
  }

  /** Disarms `timer`; does nothing if it is not armed. */
  cancel(timer: Timer): void {
    if (timer.next === undefined) return;
    unlink(timer);
    timer.next = timer.previous = undefined;
    this.size--;
  }

  /** Fires every timer that is due at `nowMs`. */
  advance(nowMs: number): void {
    const last = Math.floor(nowMs / this.tickMs);
    // After a long pause one turn of the wheel sees every slot.
    const first = Math.max(this.#tick, last - this.#slots.length + 1);
    for (let tick = first; tick <= last && this.size > 0; tick++) {
      // Moved on before firing, so that a timer armed by a callback lands in a slot that is still to come.
      this.#tick = tick + 1;
      const slot = this.#slots[tick % this.#slots.length]!;
      if (slot.next !== slot) this.#fire(slot, nowMs);
    }
    this.#tick = Math.max(this.#tick, last + 1);
  }

  #fire(slot: Slot, nowMs: number): void {
    // Set apart first: a callback may arm or cancel any timer, also one that is due in this very turn.
    const due = new Slot();
    for (let timer: Timer = slot.next; timer !== slot;) {
      const following = timer.next!;
      if (timer.dueMs <= nowMs) {
        unlink(timer);
        append(due, timer);
      }
      timer = following;
    }
    while (due.next !== due) {
      const timer = due.next;
      this.cancel(timer);
      timer.expired(nowMs);
    }
  }

  /** Milliseconds from `nowMs` until a visit is worth while, or undefined if nothing is armed. */
  waitMs(nowMs: number): number | undefined {
    if (this.size === 0) return undefined;
    const count = this.#slots.length;
    for (let tick = this.#tick; tick < this.#tick + count; tick++) {
      const slot = this.#slots[tick % count]!;
      if (slot.next !== slot) return Math.max(tick * this.tickMs - nowMs, 0);
    }
    return this.tickMs;
  }
}
