import {
  type ConnectionLimits,
  DEFAULT_CONNECTION_LIMITS,
} from "../io/limits.ts";

/** What a server takes in, beside what each connection may cost. `Infinity` switches a limit off. */
export interface ServerLimits extends ConnectionLimits {
  /** Connections in all. @default {10_000} */
  maxConnections?: number;
  /** Connections per IPv4 address or IPv6 /64; Unix and memory endpoints count as one source. @default {Infinity} */
  maxConnectionsPerSource?: number;
  /** Milliseconds that the handshake of the road and the hello may take together. @default {10_000} */
  handshakeMs?: number;
  /** Connections accepted per second on average; beyond it, accepting waits. @default {Infinity} */
  acceptsPerSecond?: number;
}

/** The defaults of {@linkcode ServerLimits}. */
export const DEFAULT_SERVER_LIMITS: Required<ServerLimits> = {
  ...DEFAULT_CONNECTION_LIMITS,
  maxConnections: 10_000,
  maxConnectionsPerSource: Infinity,
  handshakeMs: 10_000,
  acceptsPerSecond: Infinity,
};
