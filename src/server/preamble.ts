import { HelloError } from "../proto/hello/error.ts";
import { Negotiated } from "../proto/hello.ts";
import type { Wire } from "../proto/framing/framing.ts";
import { alarm, type Clock } from "../io/clock.ts";
import { closeQuietly } from "../io/close_quietly.ts";
import {
  greet,
  type Greeted,
  helloSecrets,
  sayLastWords,
} from "../io/greet.ts";
import type { Conn, Listener } from "../io/transport.ts";

/** A road's handshake came to nothing; `cause` says why. */
export class HandshakeError extends Error {
  /** The name that stack traces show. */
  override readonly name = "HandshakeError";
}

/** What comes before the first message of a connection: the handshake of its road, then the hello. */
export class Preamble<In, Out> {
  readonly #wire: Wire<In, Out> | Negotiated<In, Out>;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** Ends the preambles under way. */
  readonly #running = new Set<AbortController>();
  /** Connections that are told why they are closed. */
  readonly #parting = new Set<Conn>();

  constructor(
    wire: Wire<In, Out> | Negotiated<In, Out>,
    clock: Clock,
    timeoutMs: number,
  ) {
    this.#wire = wire;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Whether a connection from `listener` has one. */
  isNeeded(listener: Listener): boolean {
    return listener.shake !== undefined || this.#wire instanceof Negotiated;
  }

  /**
   * Gets through all of it; undefined if the peer wanted no connection. If it comes to nothing, tells the peer why,
   * closes `conn` and throws.
   *
   * @throws {HandshakeError} If the handshake fails or takes too long.
   * @throws {HelloError} If the hello does.
   */
  async run(
    conn: Conn,
    listener: Listener,
  ): Promise<Greeted<In, Out> | undefined> {
    return await this.#inTime(async (signal) => {
      const shaken = await this.#shake(conn, listener, signal);
      return shaken && await this.#greet(shaken, signal);
    });
  }

  /** Shakes hands alone, to say why no more comes of it; undefined, and `conn` closed, if that fails. */
  async shakeOnly(conn: Conn, listener: Listener): Promise<Conn | undefined> {
    try {
      return await this.#inTime((signal) =>
        this.#shake(conn, listener, signal)
      );
    } catch {
      return undefined;
    }
  }

  async #inTime<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const running = new AbortController();
    this.#running.add(running);
    const deadline = alarm(this.#clock, this.#timeoutMs, () => {
      const reason = `not done within ${this.#timeoutMs} ms`;
      running.abort(new HelloError("timed_out", reason));
    });
    try {
      return await run(running.signal);
    } finally {
      this.#clock.cancel(deadline);
      this.#running.delete(running);
    }
  }

  async #shake(
    conn: Conn,
    listener: Listener,
    signal: AbortSignal,
  ): Promise<Conn | undefined> {
    if (listener.shake === undefined) return conn;
    try {
      return await listener.shake(conn, signal);
    } catch (cause) {
      closeQuietly(conn);
      throw new HandshakeError("Cannot shake hands", { cause });
    }
  }

  async #greet(conn: Conn, signal: AbortSignal): Promise<Greeted<In, Out>> {
    const wire = this.#wire;
    if (!(wire instanceof Negotiated)) {
      return { conn, wire, agreement: undefined };
    }
    const hello = wire.hello("server", helloSecrets());
    try {
      return await greet(conn, hello, signal);
    } catch (error) {
      this.#parting.add(conn);
      await sayLastWords(conn, hello.takeOutput(), this.#clock);
      this.#parting.delete(conn);
      throw error;
    }
  }

  /** Ends every preamble under way. */
  stop(): void {
    for (const running of this.#running) {
      running.abort(new HelloError("ended", "the server shuts down"));
    }
    this.#parting.forEach(closeQuietly);
  }
}
