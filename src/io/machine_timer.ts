import type { Timer } from "../proto/timer_wheel.ts";
import { alarm, type Clock } from "./clock.ts";

/** A machine without a clock of its own. */
export interface TimedMachine {
  /** Not before this time does `advance` have something to do. */
  readonly dueMs: number;
  /** Does what is due at `nowMs`. */
  advance(nowMs: number): void;
}

/** Calls a machine when something of it is due; one timer, however many deadlines the machine has. */
export class MachineTimer {
  readonly #clock: Clock;
  readonly #machine: TimedMachine;
  #timer: Timer | undefined;
  #wakesAtMs = Infinity;

  /** Does nothing until the first `schedule`. */
  constructor(clock: Clock, machine: TimedMachine) {
    this.#clock = clock;
    this.#machine = machine;
  }

  /** Sees to it that the machine is called in time; call it when the machine was given something to do. */
  schedule(nowMs: number): void {
    const { dueMs } = this.#machine;
    if (dueMs >= this.#wakesAtMs) return;
    this.stop();
    this.#wakesAtMs = dueMs;
    this.#timer = alarm(this.#clock, dueMs - nowMs, () => {
      this.#wakesAtMs = Infinity;
      const nowMs = this.#clock.now();
      this.#machine.advance(nowMs);
      this.schedule(nowMs);
    });
  }

  /** Calls the machine no more, until the next `schedule`. */
  stop(): void {
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer);
    this.#wakesAtMs = Infinity;
  }
}
