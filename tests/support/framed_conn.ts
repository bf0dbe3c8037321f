import { netTransport } from "../../src/io/net.ts";
import { Inbox } from "../../src/io/inbox.ts";
import type {
  Conn,
  Transport,
  TransportConnectOptions,
} from "../../src/io/transport.ts";
import type { Endpoint } from "../../src/io/endpoint.ts";
import { systemTransports } from "../../src/io/transports.ts";
import { webSocketOver } from "../../src/io/web_socket.ts";

/** A masking key that changes nothing, so that payloads can be passed on in pieces. */
const NO_MASK = [0, 0, 0, 0];

/**
 * A WebSocket for tests that write and read frames with a 4-byte length: each is one message, and part of one is part
 * of a message.
 */
export class FramedConn implements Conn {
  readonly localAddr: Deno.Addr;
  readonly remoteAddr: Deno.Addr;
  readonly #below: Conn;
  readonly #conn: Conn;
  readonly #inbox = new Inbox();
  #out: Uint8Array = new Uint8Array(0);
  #length: number[] = [];
  /** Bytes of the frame under way that are still to be written. */
  #due = 0;

  private constructor(below: Conn, conn: Conn) {
    this.#below = below;
    this.#conn = conn;
    this.localAddr = conn.localAddr;
    this.remoteAddr = conn.remoteAddr;
  }

  /** Connects to a `ws` or `wss` endpoint. */
  static async connect(
    endpoint: Endpoint,
    options: TransportConnectOptions,
  ): Promise<FramedConn> {
    let below: Conn | undefined;
    const road: Transport = {
      listen: netTransport.listen,
      connect: async (endpoint, options) =>
        below = await systemTransports[endpoint.scheme].connect(
          endpoint,
          options,
        ),
    };
    const conn = await webSocketOver(road).connect(endpoint, {
      ...options,
      messages: { text: false, maxBytes: 1 << 26 },
    });
    return new FramedConn(below!, conn);
  }

  async write(bytes: Uint8Array): Promise<number> {
    const out: number[] = [];
    let at = 0;
    while (at < bytes.length && out.length < 65_536) {
      if (this.#due > 0) {
        const piece = bytes.subarray(at, at + Math.min(this.#due, 65_536));
        for (const byte of piece) out.push(byte);
        this.#due -= piece.length;
        at += piece.length;
        continue;
      }
      this.#length.push(bytes[at++]!);
      if (this.#length.length < 4) continue;
      const view = new DataView(Uint8Array.from(this.#length).buffer);
      this.#due = view.getUint32(0);
      this.#length = [];
      out.push(...header(this.#due));
    }
    const all = Uint8Array.from(out);
    for (let sent = 0; sent < all.length;) {
      sent += await this.#conn.write(all.subarray(sent));
    }
    return at;
  }

  async read(into: Uint8Array): Promise<number | null> {
    const inbox = this.#inbox;
    const { deframer } = this.#conn.framed!;
    while (this.#out.length === 0) {
      const next = deframer.next(inbox.bytes, inbox.from, inbox.to);
      if (next >= 0) {
        inbox.from = next;
        if (deframer.start < 0) continue;
        const payload = inbox.bytes.subarray(deframer.start, deframer.end);
        this.#out = new Uint8Array(4 + payload.length);
        new DataView(this.#out.buffer).setUint32(0, payload.length);
        this.#out.set(payload, 4);
        break;
      }
      const count = await this.#conn.read(inbox.space(deframer.wanted));
      if (count === null) return null;
      inbox.received(count);
    }
    const count = Math.min(into.length, this.#out.length);
    into.set(this.#out.subarray(0, count));
    this.#out = this.#out.subarray(count);
    return count;
  }

  async closeWrite(): Promise<void> {
    if (this.#due === 0 && this.#length.length === 0) {
      return await this.#conn.closeWrite();
    }
    // The length that is cut off is cut off below as well.
    if (this.#due === 0) await this.#conn.write(Uint8Array.of(0x82));
    await this.#below.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }
}

function header(length: number): number[] {
  if (length < 126) return [0x82, 0x80 | length, ...NO_MASK];
  if (length < 65_536) {
    return [0x82, 0x80 | 126, length >> 8, length & 255, ...NO_MASK];
  }
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length));
  return [0x82, 0x80 | 127, ...bytes, ...NO_MASK];
}
