import type { Endpoint } from "../endpoint.ts";
import type { Conn, Listener } from "../transport.ts";
import { QuicConnection } from "./connection.ts";
import {
  DEFAULT_QUIC_LIMITS,
  type QuicLimits,
  type QuicListenOptions,
} from "./options.ts";

/** Handshakes that failed and were not told of yet; beyond it, they are forgotten. */
const MAX_FAILED = 16;

/** Stands for a connection that came to nothing, so that whoever accepts it hears why. */
export class FailedConn implements Conn {
  readonly localAddr: Deno.NetAddr;
  readonly remoteAddr: Deno.NetAddr;
  readonly error: unknown;

  constructor(localAddr: Deno.NetAddr, connection: unknown, error: unknown) {
    this.localAddr = localAddr;
    // What is refused at its first packet has no address that the runtime would tell.
    this.remoteAddr = connection instanceof QuicConnection
      ? connection.remoteAddr
      : { transport: "udp", hostname: "0.0.0.0", port: 0 };
    this.error = error;
  }

  read(): Promise<number | null> {
    return Promise.resolve(null);
  }

  write(): Promise<number> {
    return Promise.reject(this.error);
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}
}

/** Hands out the streams of all QUIC connections, of each the next one once the last one was taken. */
export class QuicListener implements Listener {
  readonly endpoint: Endpoint;
  readonly options: Required<QuicLimits> & QuicListenOptions;
  readonly #closed: () => void;
  readonly #waiting: { conn: Conn; taken: () => void }[] = [];
  #accepting: PromiseWithResolvers<Conn> | undefined;
  #failed = 0;

  constructor(
    endpoint: Endpoint,
    options: QuicListenOptions,
    closed: () => void,
  ) {
    this.endpoint = endpoint;
    this.options = { ...DEFAULT_QUIC_LIMITS, ...options };
    this.#closed = closed;
  }

  /** Resolves when `conn` was accepted, or the listener was closed. */
  offer(conn: Conn): Promise<void> {
    if (this.#accepting !== undefined) {
      this.#accepting.resolve(conn);
      this.#accepting = undefined;
      return Promise.resolve();
    }
    return new Promise((taken) => this.#waiting.push({ conn, taken }));
  }

  /** Tells of a connection that came to nothing. */
  async tell(conn: FailedConn): Promise<void> {
    if (this.#failed === MAX_FAILED) return;
    this.#failed++;
    await this.offer(conn);
    this.#failed--;
  }

  accept(): Promise<Conn> {
    const next = this.#waiting.shift();
    next?.taken();
    if (next !== undefined) return Promise.resolve(next.conn);
    this.#accepting = Promise.withResolvers();
    return this.#accepting.promise;
  }

  /** QUIC's own handshake is over; says why if it came to nothing. */
  shake(conn: Conn): Promise<Conn> {
    return conn instanceof FailedConn
      ? Promise.reject(conn.error)
      : Promise.resolve(conn);
  }

  close(): void {
    for (const { conn, taken } of this.#waiting.splice(0)) {
      conn.close();
      taken();
    }
    this.#accepting?.reject(
      new Deno.errors.BadResource("Cannot accept: the listener is closed"),
    );
    this.#closed();
  }
}
