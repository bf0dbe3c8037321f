import { parseEndpoint } from "../../src/io/endpoint.ts";
import type { Conn, TransportConnectOptions } from "../../src/io/transport.ts";
import { systemTransports } from "../../src/io/transports.ts";
import { FramedConn } from "./framed_conn.ts";
import { utf8 } from "./three_ways.ts";
import { within } from "./wait.ts";

/** A peer that knows no framing: it sends and receives the bytes that it is told to. */
export class RawClient implements Disposable {
  readonly conn: Conn;

  constructor(conn: Conn) {
    this.conn = conn;
  }

  /** Connects to an endpoint's URL. */
  static async connect(
    to: string,
    options: TransportConnectOptions = {},
  ): Promise<RawClient> {
    const endpoint = parseEndpoint(to);
    if (endpoint.scheme === "ws" || endpoint.scheme === "wss") {
      return new RawClient(await FramedConn.connect(endpoint, options));
    }
    const road = systemTransports[endpoint.scheme];
    return new RawClient(await road.connect(endpoint, options));
  }

  /** Sends all of `bytes`. */
  async send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.conn.write(bytes.subarray(at));
    }
  }

  /** Receives exactly `count` bytes. */
  async receive(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count;) {
      const read = await within(
        `byte ${at} of ${count}`,
        this.conn.read(bytes.subarray(at)),
      );
      if (read === null) {
        throw new Error(`Cannot receive: the end came after ${at} bytes`);
      }
      at += read;
    }
    return bytes;
  }

  /** Receives one frame with a 4-byte big-endian length. */
  async receiveFrame(): Promise<Uint8Array> {
    const header = await this.receive(4);
    return await this.receive(new DataView(header.buffer).getUint32(0));
  }

  /** Receives everything up to the end of the stream; a reset is an end as well. */
  async receiveAll(): Promise<Uint8Array> {
    const chunks: number[] = [];
    const chunk = new Uint8Array(65536);
    for (;;) {
      let count: number | null;
      try {
        count = await within("the end of the stream", this.conn.read(chunk));
      } catch (error) {
        if (!isReset(error)) throw error;
        count = null;
      }
      if (count === null) return Uint8Array.from(chunks);
      for (const byte of chunk.subarray(0, count)) chunks.push(byte);
    }
  }

  /** Ends the sending direction. */
  async closeWrite(): Promise<void> {
    await this.conn.closeWrite();
  }

  [Symbol.dispose](): void {
    try {
      this.conn.close();
    } catch {
      // Closed already.
    }
  }
}

/** Whether a connection was cut off by the other side. */
export function isReset(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.UnexpectedEof;
}

/** A frame with a 4-byte big-endian length. */
export function frame(payload: Uint8Array | string): Uint8Array<ArrayBuffer> {
  const bytes = typeof payload === "string" ? utf8(payload) : payload;
  const framed = new Uint8Array(4 + bytes.length);
  new DataView(framed.buffer).setUint32(0, bytes.length);
  framed.set(bytes, 4);
  return framed;
}
