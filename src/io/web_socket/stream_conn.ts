import { ByteWriter } from "../../bytes/writer.ts";
import { brokenProtocol } from "../endings.ts";
import { writeAll } from "../greet.ts";
import { Inbox } from "../inbox.ts";
import type { Ending } from "../peer.ts";
import type { PeerIdentity } from "../peer_identity.ts";
import type { Conn } from "../transport.ts";
import { RemoteProtocolError } from "../../proto/errors.ts";
import type { WebSocketConn } from "./conn.ts";

/** Bytes of a stream that one message carries at most. */
const CHUNK_BYTES = 64 * 1024;

/** A WebSocket as a stream of bytes: where messages begin and end does not matter, nor whether they are text. */
export class WebSocketStreamConn implements Conn {
  readonly #conn: WebSocketConn;
  readonly #inbox = new Inbox();
  /** What of the message at hand is not yet read. */
  #payload: Uint8Array = new Uint8Array(0);

  constructor(conn: WebSocketConn) {
    this.#conn = conn;
  }

  get remoteAddr(): Deno.Addr {
    return this.#conn.remoteAddr;
  }

  get localAddr(): Deno.Addr {
    return this.#conn.localAddr;
  }

  get identity(): PeerIdentity | undefined {
    return this.#conn.identity;
  }

  get peerReason(): string | undefined {
    return this.#conn.peerReason;
  }

  async read(into: Uint8Array): Promise<number | null> {
    const inbox = this.#inbox;
    const { deframer } = this.#conn.framed;
    while (this.#payload.length === 0) {
      if (this.#nextMessage()) continue;
      const count = await this.#conn.read(inbox.space(deframer.wanted));
      if (count === null) {
        deframer.finish(inbox.bytes, inbox.from, inbox.to);
        return null;
      }
      inbox.received(count);
    }
    const count = Math.min(into.length, this.#payload.length);
    into.set(this.#payload.subarray(0, count));
    this.#payload = this.#payload.subarray(count);
    return count;
  }

  /** Moves on to the next message; false if it is not whole yet. */
  #nextMessage(): boolean {
    const inbox = this.#inbox;
    const { deframer } = this.#conn.framed;
    try {
      const next = deframer.next(inbox.bytes, inbox.from, inbox.to);
      if (next < 0) return false;
      inbox.from = next;
    } catch (error) {
      if (error instanceof RemoteProtocolError) {
        void this.#conn.closeWrite(brokenProtocol(error)).catch(() => {});
      }
      throw error;
    }
    const { start, end, inflated } = deframer;
    if (start >= 0) {
      this.#payload = inflated ?? inbox.bytes.subarray(start, end);
    }
    return true;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const chunk = bytes.subarray(0, CHUNK_BYTES);
    const { framing } = this.#conn.framed;
    const writer = new ByteWriter(chunk.length + 16);
    const mark = framing.begin(writer);
    writer.set(chunk);
    framing.end(writer, mark);
    await writeAll(this.#conn, writer.view());
    return chunk.length;
  }

  async closeWrite(ending?: Ending): Promise<void> {
    await this.#conn.closeWrite(ending);
  }

  close(): void {
    this.#conn.close();
  }
}
