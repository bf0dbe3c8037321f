import type { RemoteProtocolError } from "../proto/errors.ts";
import type { ConnectionLimitName } from "../io/connection_host.ts";
import type { Ending } from "../io/peer.ts";
import type { SocketOptionState } from "../io/socket_options.ts";

/** Who an event is about. */
export interface PeerReference {
  /** Unique among the connections of this process. */
  readonly id: number;
  /** `192.0.2.7:4242`, or `unix#4`. */
  readonly address: string;
  /** The endpoint that the peer came in by. */
  readonly endpoint: string;
}

/** Everything that a server tells its observer. Told synchronously; an observer that throws is a bug of its own. */
export type ServerEvent =
  /** An endpoint takes connections; told at the start and after `resume`. */
  | { type: "listening"; endpoint: string }
  /** An option of sockets is not as it was asked for: the kernel made something else of it, or nothing sets it. */
  | { type: "socket option"; endpoint: string; state: SocketOptionState }
  /** Something makes an endpoint less safe than it looks: a key log, or a certificate that ends soon. */
  | { type: "security warning"; endpoint: string; warning: string }
  /** New connections are shown another certificate, and taken by other rules. */
  | { type: "certificate renewed"; endpoint: string }
  /** A connection was taken in. */
  | { type: "accepted"; peer: PeerReference }
  /** A connection was turned away by a limit. */
  | {
    type: "refused";
    endpoint: string;
    address: string;
    limit: "maxConnections" | "maxConnectionsPerSource";
  }
  /** A connection was closed because the handshake of its road failed: of TLS, WebSocket or QUIC. */
  | {
    type: "handshake failed";
    endpoint: string;
    address: string;
    error: unknown;
  }
  /** A connection was closed because its hello failed. */
  | { type: "hello failed"; endpoint: string; address: string; error: unknown }
  /** Accepting waits, because of a limit. */
  | {
    type: "waiting";
    endpoint: string;
    limit: "maxConnections" | "acceptsPerSecond";
  }
  /** Accepting failed and goes on after a pause; `descriptors` if the process has run out of them. */
  | {
    type: "accept failed";
    endpoint: string;
    descriptors: boolean;
    pauseMs: number;
    error: unknown;
  }
  /** A connection has ended. */
  | { type: "closed"; peer: PeerReference; ending: Ending }
  /** A limit of one connection bit. */
  | {
    type: "limit";
    peer: PeerReference;
    limit: ConnectionLimitName;
    detail: string;
  }
  /** A peer sent something that is no message. */
  | { type: "invalid"; peer: PeerReference; error: RemoteProtocolError }
  /** A peer takes less than it is sent, or has caught up. */
  | { type: "slow"; peer: PeerReference; slow: boolean; bufferedBytes: number }
  /** A group did not deliver messages to a slow member. */
  | { type: "gap"; peer: PeerReference; group: string; missed: number }
  /** A callback threw where no connection was left to end by it. */
  | { type: "callback failed"; peer: PeerReference; error: unknown }
  /** Listening was suspended; connections live on. */
  | { type: "suspended" }
  /** The server finishes what it has and stops. */
  | { type: "draining"; connections: number; deadlineMs: number }
  /** The server has stopped. */
  | { type: "stopped" };

/** Is told every {@linkcode ServerEvent}. */
export type ServerObserver = (event: ServerEvent) => void;
