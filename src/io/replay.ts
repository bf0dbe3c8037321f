import type { Ending } from "./peer.ts";
import type { PeerIdentity } from "./peer_identity.ts";
import type { Conn, RoadFraming } from "./transport.ts";

/** `conn`, with `bytes` that were read too early to be read again first; `conn` itself if there are none. */
export function replay(conn: Conn, bytes: Uint8Array): Conn {
  return bytes.length === 0 ? conn : new ReplayingConn(conn, bytes);
}

/** A connection some of whose bytes were read too early: they are read again first. */
class ReplayingConn implements Conn {
  readonly #conn: Conn;
  #rest: Uint8Array;

  constructor(conn: Conn, rest: Uint8Array) {
    this.#conn = conn;
    this.#rest = rest;
  }

  get identity(): PeerIdentity | undefined {
    return this.#conn.identity;
  }

  get framed(): RoadFraming | undefined {
    return this.#conn.framed;
  }

  get remoteAddr(): Deno.Addr {
    return this.#conn.remoteAddr;
  }

  get localAddr(): Deno.Addr {
    return this.#conn.localAddr;
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#rest.length === 0) return this.#conn.read(into);
    const count = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return Promise.resolve(count);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  closeWrite(ending?: Ending): Promise<void> {
    return this.#conn.closeWrite(ending);
  }

  close(): void {
    this.#conn.close();
  }
}
