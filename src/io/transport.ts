import type { Deframer, Framing } from "../proto/framing/framing.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Ending } from "./peer.ts";
import type { PeerIdentity } from "./peer_identity.ts";
import type { QuicListenOptions, QuicOptions } from "./quic/options.ts";
import type { SocketOptions } from "./socket_options.ts";
import type { ClientTlsOptions, ServerTlsOptions } from "./tls/options.ts";
import type {
  WebSocketConnectOptions,
  WebSocketListenOptions,
} from "./web_socket/options.ts";

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
  /** Resolves when the system has let go of it, where that takes longer than `close`; until then it counts as open. */
  readonly released?: Promise<void> | undefined;
  /** What the road knows of why the peer ended, once it has; undefined where that says nothing. */
  readonly peerReason?: string | undefined;
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
   * Undefined if the peer wanted no connection, and has got what it wanted: a web page, for example.
   */
  shake?(conn: Conn, signal: AbortSignal): Promise<Conn | undefined>;
  /** Whether `shake` learns from a trusted proxy where `conn` really comes from; absent where none is trusted. */
  tellsSource?(conn: Conn): boolean;
  /**
   * Takes new connections by other TLS options from now on; those that stand are left as they are. Absent where there
   * is no TLS.
   *
   * @throws {Error} If they cannot be used; then all goes on as before.
   */
  renew?(tls: ServerTlsOptions): Promise<void>;
  /** Stops listening; connections live on. */
  close(): void;
}

/** Options of {@linkcode Transport.listen}. */
export interface TransportListenOptions {
  /** Connections that the kernel holds until they are accepted; it has a limit of its own. @default {4096} */
  backlog?: number;
  /** Several processes or workers share the port (Linux; needs `--unstable-net`). @default {false} */
  reusePort?: boolean;
  /**
   * Proxies that tell by PROXY headers where connections come from, as addresses or networks such as `10.0.0.0/8`; for
   * `tcp` and `ws`. From them a header must come, and from nobody else is one taken for more than data. @default {[]}
   */
  trustedProxies?: readonly string[];
  /** Certificate, key and more; for `tls`, `wss` and `quic`, which need them. */
  tls?: ServerTlsOptions;
  /** Who may come in, compression and the like; for `ws` and `wss`. */
  webSocket?: WebSocketListenOptions;
  /** Options of the TCP sockets, which those that are accepted inherit. */
  socket?: SocketOptions | undefined;
  /** How QUIC connections are taken. */
  quic?: QuicListenOptions;
  /** Told of what makes an endpoint less safe than it looks. Set by `serve`, which tells its observer. */
  warn?: (endpoint: string, warning: string) => void;
  /** What the messages are; undefined for a stream of bytes. Set by `serve`. */
  messages?: RoadMessages | undefined;
}

/** Options of {@linkcode Transport.connect}. */
export interface TransportConnectOptions {
  /** Gives up when aborted. */
  signal?: AbortSignal;
  /** What to trust and to show; for `tls`, `wss` and `quic`. */
  tls?: ClientTlsOptions;
  /** Header fields, compression and the like; for `ws` and `wss`. */
  webSocket?: WebSocketConnectOptions;
  /** Options of the TCP socket. */
  socket?: SocketOptions | undefined;
  /** How a QUIC connection is kept. */
  quic?: QuicOptions;
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
