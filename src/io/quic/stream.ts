import { RemoteProtocolError } from "../../proto/errors.ts";
import type { PeerIdentity } from "../peer_identity.ts";
import type { Conn } from "../transport.ts";

/** What is handed to the runtime in one write, so that progress shows. */
const WRITE_BYTES = 64 * 1024;

const NO_BUFFER = new ArrayBuffer(0);

/**
 * What every stream begins with where ALPN has agreed on `portolan`: a stream shows at the other end with its first byte,
 * and there are servers that speak first.
 */
const PREFACE = Uint8Array.of(0);

/** What a stream needs of the connection that it belongs to. */
export interface QuicStreamOwner {
  /** The peer's address. */
  readonly remoteAddr: Deno.NetAddr;
  /** Our address. */
  localAddr(): Deno.NetAddr;
  /** What the handshake told. */
  readonly identity: PeerIdentity;
  /** Why a read or a write failed: why the connection ended, if it did. */
  explain(error: unknown): Promise<Error>;
  /** The stream was closed: `clean` if both directions had come to their end. */
  streamClosed(clean: boolean): void;
}

/** One bidirectional stream as a connection. */
export class QuicStream implements Conn {
  readonly remoteAddr: Deno.NetAddr;
  readonly #owner: QuicStreamOwner;
  readonly #reader: ReadableStreamBYOBReader;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  /** Where the runtime reads to: it takes buffers away from those who lend them, and a caller lends his for a read only. */
  #buffer: ArrayBuffer = NO_BUFFER;
  #readEnded = false;
  #writeEnded = false;
  #closed = false;
  /** Bytes at the beginning that are no content. */
  #prefaceBytes = 0;
  /** Fails the write in flight. */
  #failWrite: ((error: Error) => void) | undefined;

  constructor(owner: QuicStreamOwner, stream: Deno.QuicBidirectionalStream) {
    this.#owner = owner;
    // Who is counted under an address has to be found there again, although QUIC clients may move.
    this.remoteAddr = owner.remoteAddr;
    this.#reader = stream.readable.getReader({ mode: "byob" });
    this.#writer = stream.writable.getWriter();
    // Their failures are those of the reads and writes.
    this.#reader.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
  }

  get localAddr(): Deno.NetAddr {
    return this.#owner.localAddr();
  }

  get identity(): PeerIdentity {
    return this.#owner.identity;
  }

  /** Shows the stream to the peer. */
  async sendPreface(): Promise<void> {
    await this.write(PREFACE);
  }

  /** What is read first is the peer's preface. */
  expectPreface(): void {
    this.#prefaceBytes = PREFACE.length;
  }

  async read(into: Uint8Array): Promise<number | null> {
    this.#assertOpen("read");
    if (this.#readEnded) return null;
    if (into.length === 0) return 0;
    const { byteLength } = this.#buffer;
    const buffer = byteLength < into.length || byteLength > 4 * into.length
      ? new ArrayBuffer(into.length)
      : this.#buffer;
    let value: Uint8Array<ArrayBuffer> | undefined;
    let done: boolean;
    try {
      ({ value, done } = await this.#reader.read(
        new Uint8Array(buffer, 0, into.length),
      ));
    } catch (error) {
      this.#assertOpen("read");
      throw await this.#owner.explain(error);
    }
    this.#assertOpen("read");
    if (done || value === undefined) {
      this.#readEnded = true;
      this.#buffer = NO_BUFFER;
      return null;
    }
    this.#buffer = value.buffer;
    if (this.#prefaceBytes > 0) return await this.#readPreface(value, into);
    into.set(value);
    return value.length;
  }

  async #readPreface(
    received: Uint8Array,
    into: Uint8Array,
  ): Promise<number | null> {
    this.#prefaceBytes = 0;
    if (received[0] !== PREFACE[0]) {
      throw new RemoteProtocolError(
        "invalid_frame",
        `Cannot read a stream: it must begin with the byte 0: current value is ${
          received[0]
        }`,
      );
    }
    if (received.length === PREFACE.length) return await this.read(into);
    into.set(received.subarray(PREFACE.length));
    return received.length - PREFACE.length;
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#assertOpen("write");
      const part = bytes.length > WRITE_BYTES
        ? bytes.subarray(0, WRITE_BYTES)
        : bytes;
      this.#failWrite = reject;
      this.#writer.write(part).then(
        () => resolve(part.length),
        (error) => this.#owner.explain(error).then(reject),
      );
    });
  }

  async closeWrite(): Promise<void> {
    this.#assertOpen("end");
    if (this.#writeEnded) return;
    this.#writeEnded = true;
    try {
      await this.#writer.close();
    } catch (error) {
      throw await this.#owner.explain(error);
    }
  }

  close(): void {
    this.#assertOpen("close");
    this.#closed = true;
    this.#failWrite?.(closedError("write"));
    if (!this.#readEnded) this.#reader.cancel().catch(() => {});
    if (!this.#writeEnded) this.#writer.abort().catch(() => {});
    this.#owner.streamClosed(this.#readEnded && this.#writeEnded);
  }

  #assertOpen(action: string): void {
    if (this.#closed) throw closedError(action);
  }
}

function closedError(action: string): Error {
  return new Deno.errors.BadResource(
    `Cannot ${action}: the stream is closed`,
  );
}
