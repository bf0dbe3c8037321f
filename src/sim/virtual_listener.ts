import type { Endpoint } from "../io/endpoint.ts";
import type { Conn, Listener } from "../io/transport.ts";
import type { VirtualConn } from "./virtual_conn.ts";

const LOOPBACK_REGEXP = /^(localhost|127\.0\.0\.1|::1)$/;

/** A listening socket of a virtual host. */
export class VirtualListener implements Listener {
  readonly endpoint: Endpoint;
  readonly #backlog: number;
  readonly #closed: () => void;
  readonly #waiting: VirtualConn[] = [];
  readonly #accepting: PromiseWithResolvers<Conn>[] = [];
  #open = true;

  /** Listens at `endpoint`; `closed` is called when it no longer does. */
  constructor(endpoint: Endpoint, backlog: number, closed: () => void) {
    this.endpoint = endpoint;
    this.#backlog = backlog;
    this.#closed = closed;
  }

  /** Whether it hears who connects: one that is bound to the loopback interface hears its own host alone. */
  hears(local: boolean): boolean {
    return local || !("hostname" in this.endpoint) ||
      !LOOPBACK_REGEXP.test(this.endpoint.hostname);
  }

  /** Whether no more connections may wait to be accepted. */
  get isFull(): boolean {
    return this.#waiting.length >= this.#backlog;
  }

  /** Takes a connection; false if the listener is closed. */
  offer(conn: VirtualConn): boolean {
    if (!this.#open) return false;
    const accepting = this.#accepting.shift();
    if (accepting === undefined) this.#waiting.push(conn);
    else accepting.resolve(conn);
    return true;
  }

  accept(): Promise<Conn> {
    if (!this.#open) {
      return Promise.reject(
        new Deno.errors.BadResource("The listener is closed"),
      );
    }
    const conn = this.#waiting.shift();
    if (conn !== undefined) return Promise.resolve(conn);
    const accepting = Promise.withResolvers<Conn>();
    this.#accepting.push(accepting);
    return accepting.promise;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#closed();
    for (const conn of this.#waiting.splice(0)) conn.refuse();
    for (const accepting of this.#accepting.splice(0)) {
      accepting.reject(new Deno.errors.BadResource("The listener is closed"));
    }
  }

  /** Ends with its process: who waits for a connection waits forever. */
  forget(): void {
    this.#open = false;
    this.#waiting.length = this.#accepting.length = 0;
  }
}
