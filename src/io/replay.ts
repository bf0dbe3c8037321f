import type { Ending } from "./peer.ts";
import type { PeerIdentity } from "./peer_identity.ts";
import type { Conn, RoadFraming } from "./transport.ts";

/** Addresses other than those of the connection itself. */
export interface ToldAddresses {
  remoteAddr?: Deno.Addr | undefined;
  localAddr?: Deno.Addr | undefined;
}

/**
 * `conn`, with `bytes` that were read too early to be read again first, and with the addresses that a proxy told; `conn`
 * itself if there is neither.
 */
export function replay(
  conn: Conn,
  bytes: Uint8Array,
  told: ToldAddresses = {},
): Conn {
  const { remoteAddr, localAddr } = told;
  return bytes.length === 0 && remoteAddr === undefined
    ? conn
    : new ReplayingConn(conn, bytes, {
      remoteAddr: remoteAddr ?? conn.remoteAddr,
      localAddr: localAddr ?? conn.localAddr,
    });
}

/** A connection some of whose bytes were read too early: they are read again first. */
class ReplayingConn implements Conn {
  readonly remoteAddr: Deno.Addr;
  readonly localAddr: Deno.Addr;
  readonly #conn: Conn;
  #rest: Uint8Array;

  constructor(
    conn: Conn,
    rest: Uint8Array,
    { remoteAddr, localAddr }: Pick<Conn, "remoteAddr" | "localAddr">,
  ) {
    this.remoteAddr = remoteAddr;
    this.localAddr = localAddr;
    this.#conn = conn;
    this.#rest = rest;
  }

  get identity(): PeerIdentity | undefined {
    return this.#conn.identity;
  }

  get framed(): RoadFraming | undefined {
    return this.#conn.framed;
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
