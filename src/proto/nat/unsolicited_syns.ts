import { Timer, type TimerWheel } from "../timer_wheel.ts";

class HeldSyn extends Timer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #refuse: (syn: HeldSyn) => void;

  constructor(bytes: Uint8Array<ArrayBuffer>, refuse: (syn: HeldSyn) => void) {
    super();
    this.bytes = bytes;
    this.#refuse = refuse;
  }

  override expired(): void {
    this.#refuse(this);
  }
}

/** Options of {@linkcode UnsolicitedSyns}. */
export interface UnsolicitedSynsOptions {
  /** Where time comes from. */
  wheel: TimerWheel;
  /** How long they wait. */
  waitMs: number;
  /** How many wait; what comes beyond that is dropped in silence. */
  max: number;
  /** Is told of those that nobody asked for in the meantime. */
  refuse: (bytes: Uint8Array<ArrayBuffer>) => void;
}

/** SYNs from the outside that nobody asked for yet: the inside may be about to, in a simultaneous open (RFC 5382, REQ-4). */
export class UnsolicitedSyns {
  readonly #options: UnsolicitedSynsOptions;
  readonly #syns = new Map<string, HeldSyn>();

  constructor(options: UnsolicitedSynsOptions) {
    this.#options = options;
  }

  /** Takes in the beginning of a SYN. */
  hold(key: string, bytes: Uint8Array<ArrayBuffer>, nowMs: number): void {
    const { max, refuse, waitMs, wheel } = this.#options;
    if (this.#syns.size >= max || this.#syns.has(key)) return;
    const syn = new HeldSyn(bytes.slice(), ({ bytes }) => {
      this.#syns.delete(key);
      refuse(bytes);
    });
    this.#syns.set(key, syn);
    wheel.arm(syn, nowMs + waitMs);
  }

  /** Drops the SYN of a connection that the inside has opened meanwhile. */
  drop(key: string): void {
    const syn = this.#syns.get(key);
    if (syn === undefined) return;
    this.#options.wheel.cancel(syn);
    this.#syns.delete(key);
  }

  /** Whether any wait. */
  get isEmpty(): boolean {
    return this.#syns.size === 0;
  }
}
