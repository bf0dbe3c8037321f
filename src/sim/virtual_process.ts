import type { Clock } from "../io/clock.ts";
import { ProcessClock } from "./process_clock.ts";
import type { ConnOwner, VirtualConn } from "./virtual_conn.ts";
import type { VirtualListener } from "./virtual_listener.ts";

/** What runs on a virtual host, until the host crashes or is killed. A dead process does not run on: nothing that it waits for happens. */
export class VirtualProcess implements ConnOwner {
  /** Its time. */
  readonly clock: ProcessClock;
  readonly conns: Set<VirtualConn> = new Set();
  /** Its listeners, by what they occupy. */
  readonly listeners: Map<string, VirtualListener> = new Map();
  readBytesPerSecond: number;
  /** False once it is dead. */
  alive = true;

  /** Starts with the time of the network. */
  constructor(clock: Clock, readBytesPerSecond: number) {
    this.clock = new ProcessClock(clock);
    this.readBytesPerSecond = readBytesPerSecond;
  }

  /** The process dies; the system that it ran on ends its connections. */
  kill(): void {
    this.#die();
    for (const conn of this.conns) conn.orphan();
  }

  /** The process and its system die. */
  crash(): void {
    this.#die();
    for (const conn of this.conns) conn.forget();
  }

  #die(): void {
    this.alive = false;
    this.clock.stop();
    for (const listener of this.listeners.values()) listener.forget();
    this.listeners.clear();
  }
}
