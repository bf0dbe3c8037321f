import type { QuicConnection } from "./connection.ts";
import type { EarlyData } from "./early_data.ts";

/** What both ends of a QUIC connection can set. */
export interface QuicOptions {
  /** Milliseconds of silence after which the connection is lost; the lower one of both ends counts. @default {30_000} */
  idleTimeoutMs?: number;
  /** Milliseconds of silence after which a sign of life is sent, so that `idleTimeoutMs` does not strike. @default {Infinity} */
  keepAliveMs?: number;
}

/** What a server takes in. `Infinity` switches a limit off. */
export interface QuicLimits extends QuicOptions {
  /** QUIC connections in all; the streams on them count as the server's connections. @default {10_000} */
  maxConnections?: number;
  /** Streams that a peer may have open at a time; each can hold 1.25 MB that nobody has read yet. @default {100} */
  maxStreams?: number;
  /** Unidirectional streams likewise, for who reads them by {@linkcode QuicConnection.quic}. @default {0} */
  maxUnidirectionalStreams?: number;
  /** Milliseconds that a handshake may take. @default {10_000} */
  handshakeMs?: number;
  /** Milliseconds that a QUIC connection may be without a stream; no matter if `connection` is there. @default {30_000} */
  streamlessMs?: number;
}

/** How a server takes QUIC connections. */
export interface QuicListenOptions extends QuicLimits {
  /** Called with each QUIC connection once its handshake is complete, for its datagrams. */
  connection?: (connection: QuicConnection) => unknown;
  /** Hears what clients say before the handshake is complete (0-RTT); without it, that waits. */
  earlyData?: EarlyData;
}

/** The defaults of {@linkcode QuicLimits}. */
export const DEFAULT_QUIC_LIMITS: Required<QuicLimits> = {
  idleTimeoutMs: 30_000,
  keepAliveMs: Infinity,
  maxConnections: 10_000,
  maxStreams: 100,
  maxUnidirectionalStreams: 0,
  handshakeMs: 10_000,
  streamlessMs: 30_000,
};

/** The two settings as the runtime takes them. */
export function transportOptions(
  options: QuicOptions,
): Deno.QuicTransportOptions {
  const { idleTimeoutMs, keepAliveMs } = { ...DEFAULT_QUIC_LIMITS, ...options };
  return {
    maxIdleTimeout: idleTimeoutMs,
    ...(keepAliveMs === Infinity ? {} : { keepAliveInterval: keepAliveMs }),
  };
}
