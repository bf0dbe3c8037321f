import type { Timer } from "../../proto/timer_wheel.ts";
import { abortable } from "../abortable.ts";
import { alarm, sleep, systemClock } from "../clock.ts";
import type { PeerIdentity } from "../peer_identity.ts";
import type { Conn } from "../transport.ts";
import { QuicStream, type QuicStreamOwner } from "./stream.ts";

/** How a QUIC connection ended. */
export interface QuicClose {
  /** The application's code, as the peer sent it; 0 if this end closed it, or if it was lost. */
  readonly code: number;
  /** A few words for a person: those that came with the code, or why it was lost. */
  readonly reason: string;
}

/** What ALPN says unless told otherwise; QUIC insists on an answer. */
export const DEFAULT_ALPN = "portolan";

/** Milliseconds that the runtime may take to say why a connection has ended, after its streams have failed. */
const REASON_MS = 100;

/** What the runtime says when `idleTimeoutMs` has passed. */
const TIMED_OUT = "timed out";

/** Said to the peer when a stream is cut off that was all there was to its connection. */
const CUT_OFF = { closeCode: 1, reason: "cut off" };

/** Takes a stream that the peer has opened; for servers. */
export let acceptStream: (
  connection: QuicConnection,
  opened: Deno.QuicBidirectionalStream,
) => Conn;

/** From now on, `ms` without a stream end the connection. */
export let limitStreamless: (connection: QuicConnection, ms: number) => void;

/**
 * A QUIC connection: streams, each of which is a connection to the rest of this library, and datagrams. Given to
 * {@linkcode QuicListenOptions.connection} on a server; a client's is a {@linkcode QuicRoad}.
 *
 * @example Usage
 * ```ts
 * import { connect, createCa, lines, serve, text } from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const ca = await createCa();
 * const { certPem: cert, keyPem: key } = await ca.issue({
 *   names: ["127.0.0.1"],
 *   purpose: "server",
 * });
 * const wire = lines(text());
 * const alpn: unknown[] = [];
 * await using server = await serve({
 *   listen: "quic://127.0.0.1:0",
 *   tls: { cert, key },
 *   wire,
 *   handler: { message: (peer, line) => peer.send(line) },
 *   quic: { connection: ({ identity }) => alpn.push(identity.alpn) },
 * });
 * const tls = { caCerts: [ca.certPem] };
 * await using client = await connect({ to: server.endpoint, tls, wire });
 * client.send("ahoy");
 * assertEquals(await client.receive(), "ahoy");
 * assertEquals(alpn, ["portolan"]);
 * ```
 */
export class QuicConnection {
  /** The runtime's own, for what is not here, such as unidirectional streams. */
  readonly quic: Deno.QuicConn;
  /** The peer's address at first; `quic.remoteAddr` follows a client that moves. */
  readonly remoteAddr: Deno.NetAddr;
  /** What the handshake told. */
  readonly identity: PeerIdentity;
  readonly #owner: QuicStreamOwner;
  /** The one stream is all that the peer can want: when it is over, so is the connection. */
  readonly #single: boolean;
  #streams = 0;
  #streamsEver = 0;
  #streamlessMs = Infinity;
  #timer: Timer | undefined;
  #closed: Promise<QuicClose> | undefined;

  static {
    acceptStream = (connection, opened) => connection.#accept(opened);
    limitStreamless = (connection, ms) => connection.#limitStreamless(ms);
  }

  /**
   * Takes over `quic`; with `single`, a stream that is cut off takes the connection with it. `offered` is what ALPN may
   * agree on, as it has not yet in a handshake that goes on.
   */
  constructor(quic: Deno.QuicConn, single: boolean, offered?: string) {
    this.quic = quic;
    this.#single = single;
    const { hostname, port } = quic.remoteAddr;
    this.remoteAddr = { transport: "udp", hostname, port };
    // The runtime says null while the handshake goes on.
    const { protocol, serverName } = quic;
    const alpn = protocol ?? offered;
    this.identity = {
      protocol: "QUICv1",
      ...(alpn && { alpn }),
      ...(serverName && { serverName }),
    };
    this.#owner = {
      remoteAddr: this.remoteAddr,
      identity: this.identity,
      localAddr: () => ({ ...quic.endpoint.addr, transport: "udp" }),
      explain: (error) => this.#explain(error),
      streamClosed: (clean) => this.#streamClosed(clean),
    };
  }

  /** Streams that are open. */
  get streams(): number {
    return this.#streams;
  }

  /** Bytes that a datagram may have now; 0 if the peer takes none. */
  get maxDatagramBytes(): number {
    return this.quic.maxDatagramSize;
  }

  /** Resolves when the connection has ended; keeps the process alive until then. */
  get closed(): Promise<QuicClose> {
    return this.#closed ??= this.quic.closed.then(
      ({ closeCode, reason }) => ({ code: closeCode, reason }),
      (error) => ({ code: 0, reason: messageOf(error) }),
    );
  }

  /**
   * Sends a datagram, which arrives once or not at all; waits while there are too many to be sent.
   *
   * @throws {RangeError} If it has more than {@linkcode QuicConnection.maxDatagramBytes}.
   */
  async sendDatagram(bytes: Uint8Array): Promise<void> {
    const { maxDatagramBytes } = this;
    if (bytes.length > maxDatagramBytes) {
      throw new RangeError(
        `Cannot send a datagram: it must have at most ${maxDatagramBytes} bytes: current value is ${bytes.length}`,
      );
    }
    try {
      await this.quic.sendDatagram(bytes);
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  /** The next datagram; undefined once the connection has ended. The oldest are lost if nobody takes them. */
  async receiveDatagram(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      return await this.quic.readDatagram();
    } catch {
      return undefined;
    }
  }

  /** Opens a stream, which the peer sees at once; waits while the peer allows no more of them, until `signal` is aborted. */
  async openStream(signal?: AbortSignal): Promise<Conn> {
    const opening = this.quic.createBidirectionalStream({
      waitUntilAvailable: true,
    });
    try {
      const stream = this.#adopt(await abortable(opening, signal));
      if (this.#isPrefaced) await stream.sendPreface();
      return stream;
    } catch (error) {
      if (!signal?.aborted) throw await this.#explain(error);
      opening.then((stream) => this.#adopt(stream).close(), () => {});
      throw error;
    }
  }

  #accept(opened: Deno.QuicBidirectionalStream): Conn {
    const stream = this.#adopt(opened);
    if (this.#isPrefaced) stream.expectPreface();
    return stream;
  }

  get #isPrefaced(): boolean {
    return this.identity.alpn === DEFAULT_ALPN;
  }

  #adopt(stream: Deno.QuicBidirectionalStream): QuicStream {
    this.#streams++;
    this.#streamsEver++;
    this.#rest();
    return new QuicStream(this.#owner, stream);
  }

  #limitStreamless(ms: number): void {
    this.#streamlessMs = ms;
    if (this.#streams === 0) this.#countDown();
  }

  #streamClosed(clean: boolean): void {
    this.#streams--;
    // The runtime cannot reset a stream, and what is read or written in vain would go on.
    if (!clean && this.#single && this.#streamsEver === 1) {
      return this.quic.close(CUT_OFF);
    }
    if (this.#streams === 0) this.#countDown();
  }

  #countDown(): void {
    this.#rest();
    this.#timer = alarm(systemClock, this.#streamlessMs, () => this.close());
  }

  #rest(): void {
    if (this.#timer !== undefined) systemClock.cancel(this.#timer);
  }

  async #explain(error: unknown): Promise<Error> {
    if (error instanceof Deno.errors.ConnectionReset) return error;
    // A stream that fails for any other reason fails with its connection.
    const close = await Promise.race([
      this.closed,
      sleep(systemClock, REASON_MS).then(() => undefined),
    ]);
    const reason = close === undefined ? messageOf(error) : close.reason;
    if (reason === TIMED_OUT) {
      return new Deno.errors.TimedOut("no sign of life", { cause: error });
    }
    return new Deno.errors.ConnectionReset(
      `The QUIC connection has ended: ${reason || "closed"}`,
      { cause: error },
    );
  }

  /** Ends the connection and its streams at once; `code` and `reason` are for the peer. */
  close(code = 0, reason = ""): void {
    this.#rest();
    this.quic.close({ closeCode: code, reason });
  }
}

/** What the runtime says, without the part that is the same in all of it. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
