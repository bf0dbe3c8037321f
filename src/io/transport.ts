import type { Deframer, Framing } from "../proto/framing/framing.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Ending } from "./peer.ts";
import type { PeerIdentity } from "./peer_identity.ts";

/** A byte stream between two programs. `Deno.Conn` is one; so is each end of a `memory:` pair. */
export interface Conn {
  /** Reads into `into`; the number of bytes read, or null at the end of the stream. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of `bytes`; the number of bytes taken. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends the writing direction; the other may go on. Roads that can tell the peer why take it from `ending`. */
  closeWrite(ending?: Ending): Promise<void>;
  /** Ends both directions at once; a read or write in flight fails. */
  close(): void;
  /** The peer's address. */
  readonly remoteAddr: Deno.Addr;
  /** Our address. */
  readonly localAddr: Deno.Addr;
  /** What the road proved about the peer; undefined where it proves nothing. */
  readonly identity?: PeerIdentity | undefined;
  /** How messages are framed on a road that carries messages by itself; it takes the place of the wire's framing. */
  readonly framed?: RoadFraming | undefined;
}

/** The framing of a road that carries messages by itself, such as WebSocket. */
export interface RoadFraming {
  /** The writing side. The same object for all connections that frame alike, as a broadcast is encoded once for each. */
  readonly framing: Framing;
  /** The reading side of this connection. */
  readonly deframer: Deframer;
}

/** What the messages of a program are, for roads that carry messages by themselves. */
export interface RoadMessages {
  /** UTF-8 text, or bytes. */
  readonly text: boolean;
  /** Bytes of the largest. */
  readonly maxBytes: number;
}

/** Takes connections at one endpoint. */
export interface Listener {
  /** Where it really listens: the port is filled in. */
  readonly endpoint: Endpoint;
  /** The next connection. Rejects with `Deno.errors.BadResource` once closed. */
  accept(): Promise<Conn>;
  /**
   * Makes an accepted connection ready for messages, by a handshake; absent where there is none. Many run at once.
   * Closes `conn` and throws the reason when `signal` is aborted; closes it and says why when the peer breaks the rules.
   */
  shake?(conn: Conn, signal: AbortSignal): Promise<Conn>;
  /** Stops listening; connections live on. */
  close(): void;
}

/** Options of {@linkcode Transport.listen}. */
export interface TransportListenOptions {
  /** Connections that the kernel holds until they are accepted; it has a limit of its own. @default {4096} */
  backlog?: number;
  /** Several processes or workers share the port (Linux; needs `--unstable-net`). @default {false} */
  reusePort?: boolean;
  /** Certificate chain in PEM, for `tls`. */
  cert?: string;
  /** Private key in PEM, for `tls`. */
  key?: string;
  /** What the messages are; undefined for a stream of bytes. Set by `serve`. */
  messages?: RoadMessages | undefined;
}

/** Options of {@linkcode Transport.connect}. */
export interface TransportConnectOptions {
  /** Gives up when aborted. */
  signal?: AbortSignal;
  /** Certificates to trust beside the system's, in PEM, for `tls`. */
  caCerts?: string[];
  /** Certificate chain of the client in PEM, for `tls`. */
  cert?: string;
  /** Private key of the client in PEM, for `tls`. */
  key?: string;
  /** What the messages are; undefined for a stream of bytes. Set by `connect`. */
  messages?: RoadMessages | undefined;
}

/** One kind of road: how to listen and to connect. Implement it to add another. */
export interface Transport {
  /** Opens a listener. Errors say which endpoint and why. */
  listen(
    endpoint: Endpoint,
    options: TransportListenOptions,
  ): Listener | Promise<Listener>;
  /** Opens a connection. Errors say which endpoint and why. */
  connect(
    endpoint: Endpoint,
    options: TransportConnectOptions,
  ): Promise<Conn>;
}
