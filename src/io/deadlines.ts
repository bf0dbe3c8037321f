import { Timer } from "../proto/timer_wheel.ts";
import type { Clock } from "./clock.ts";
import type { ConnectionLimits } from "./limits.ts";
import type { Outbox } from "./outbox.ts";

/** What {@linkcode Deadlines} tells its connection. */
export interface DeadlineOwner {
  /** The peer has taken too long. */
  deadlinePassed(limit: keyof ConnectionLimits, reason: string): void;
  /** The peer did not close in the time that it was given for that. */
  lingered(): void;
}

/** The deadlines of one connection: idle, first message, frame, write and linger, kept by one timer. */
export class Deadlines extends Timer {
  /** When the last bytes arrived, in the clock's milliseconds. */
  readMs: number;
  /** The first message has arrived. */
  greeted = false;
  /** The handler's `open`, which may receive messages, is done. */
  opened = false;
  readonly #owner: DeadlineOwner;
  readonly #outbox: Outbox;
  readonly #limits: Required<ConnectionLimits>;
  readonly #clock: Clock;
  readonly #startedMs: number;
  #idleMs: number;
  /** When the frame that is not yet whole began; 0 if none. */
  #frameMs = 0;
  /** When to stop waiting for the peer's end; 0 while the connection lives. */
  #lingerUntilMs = 0;
  /** Each sign of life of the peer makes that later. */
  #patient = false;
  #listening = false;

  /** Starts the time of the connection. */
  constructor(
    owner: DeadlineOwner,
    outbox: Outbox,
    limits: Required<ConnectionLimits>,
    clock: Clock,
  ) {
    super();
    this.#owner = owner;
    this.#outbox = outbox;
    this.#limits = limits;
    this.#clock = clock;
    this.#idleMs = limits.idleMs;
    this.#startedMs = this.readMs = clock.now();
    this.#arm(this.#startedMs);
  }

  get #isNew(): boolean {
    return !(this.greeted && this.opened);
  }

  /** Milliseconds of silence that end the connection. */
  get idleMs(): number {
    return this.#idleMs;
  }

  set idleMs(ms: number) {
    this.#idleMs = ms;
    if (this.#lingerUntilMs === 0) this.#arm(this.#clock.now());
  }

  /** A read begins; `midFrame` if the frame that it goes on with has begun. */
  readBegins(midFrame: boolean): void {
    this.#listening = true;
    // The time that handling took is not the peer's silence.
    this.readMs = this.#clock.now();
    if (!midFrame) this.#frameMs = 0;
    else if (this.#frameMs === 0) this.#frameMs = this.readMs;
  }

  /** A read has ended. */
  readEnded(): void {
    this.#listening = false;
    this.readMs = this.#clock.now();
    if (this.#patient) {
      this.#lingerUntilMs = this.readMs + this.#limits.lingerMs;
    }
  }

  /** A whole frame has arrived. */
  frameEnded(): void {
    this.#frameMs = 0;
  }

  /**
   * From now on only the peer's end is waited for. A patient one waits longer for a peer that still sends: it has not
   * read our last words yet, and closing with its bytes unread would take them away.
   */
  linger(patient: boolean): void {
    const nowMs = this.#clock.now();
    this.#patient = patient;
    this.#lingerUntilMs = nowMs + this.#limits.lingerMs;
    this.#arm(nowMs);
  }

  /** The connection has ended. */
  stop(): void {
    this.#clock.cancel(this);
    // A handler that was left behind may still set idleMs.
    this.#lingerUntilMs = Infinity;
  }

  override expired(nowMs: number): void {
    const { writeMs } = this.#limits;
    const { progressMs } = this.#outbox;
    if (this.#lingerUntilMs > 0) {
      if (nowMs >= this.#lingerUntilMs) return this.#owner.lingered();
    } else if (progressMs > 0 && nowMs - progressMs >= writeMs) {
      const reason = `no write progress for ${writeMs} ms`;
      this.#owner.deadlinePassed("writeMs", reason);
    } else if (this.#listening) {
      this.#checkReading(nowMs);
    } else {
      // Silence counts only while we listen: a handler that takes its time is not the peer's fault.
      this.readMs = nowMs;
    }
    this.#arm(nowMs);
  }

  #checkReading(nowMs: number): void {
    const idleMs = this.#idleMs;
    const { frameMs, firstMessageMs } = this.#limits;
    if (this.#isNew && nowMs - this.#startedMs >= firstMessageMs) {
      const what = this.greeted ? "not let in" : "no whole first message";
      const reason = `${what} within ${firstMessageMs} ms`;
      this.#owner.deadlinePassed("firstMessageMs", reason);
    } else if (this.#frameMs > 0 && nowMs - this.#frameMs >= frameMs) {
      const reason = `a frame was not whole within ${frameMs} ms`;
      this.#owner.deadlinePassed("frameMs", reason);
    } else if (nowMs - this.readMs >= idleMs) {
      this.#owner.deadlinePassed("idleMs", `idle for ${idleMs} ms`);
    }
  }

  /** Arms the timer no later than the next deadline; one that begins meanwhile is seen in time, as none is shorter. */
  #arm(nowMs: number): void {
    const idleMs = this.#idleMs;
    const { frameMs, firstMessageMs, writeMs } = this.#limits;
    const { progressMs } = this.#outbox;
    let dueMs = (progressMs > 0 ? progressMs : nowMs) + writeMs;
    if (this.#lingerUntilMs > 0) {
      dueMs = this.#lingerUntilMs;
    } else if (this.#listening) {
      const frameStartMs = this.#frameMs > 0 ? this.#frameMs : nowMs;
      dueMs = Math.min(dueMs, frameStartMs + frameMs, this.readMs + idleMs);
      if (this.#isNew) {
        dueMs = Math.min(dueMs, this.#startedMs + firstMessageMs);
      }
    } else {
      const soonest = this.#isNew
        ? Math.min(frameMs, idleMs, firstMessageMs)
        : Math.min(frameMs, idleMs);
      dueMs = Math.min(dueMs, nowMs + soonest);
    }
    if (dueMs !== Infinity) this.#clock.arm(this, Math.max(dueMs - nowMs, 1));
  }
}
