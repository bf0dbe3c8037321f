import type { Clock } from "../io/clock.ts";
import type { ClientTlsOptions } from "../io/tls/options.ts";
import type { TransportListenOptions } from "../io/transport.ts";
import type { Transports } from "../io/transports.ts";
import type { ProxyEvent, ProxyRequest } from "./events.ts";
import type { RelayReport } from "./relay.ts";

/** Where a connection is passed on to. */
export interface ProxyTarget {
  /** The endpoint, as a URL. */
  readonly to: string;
  /** What to trust and to show there, for `tls`. */
  readonly tls?: ClientTlsOptions;
  /** Tells where the connection came from, by a PROXY header of this version. */
  readonly proxyProtocol?: 1 | 2;
  /** Is told how this connection goes there. */
  readonly watch?: ProxyWatcher;
}

/** Is told how a connection to a target goes; of `failed` and `ended` exactly one is called. */
export interface ProxyWatcher {
  /** The connection could not be made in the time given. Returns where else to try; undefined gives up. */
  failed?(
    error: unknown,
    connectMs: number,
  ): ProxyTarget | undefined | Promise<ProxyTarget | undefined>;
  /** The connection stands, after so many milliseconds. */
  connected?(connectMs: number): void;
  /** The target has sent its first byte, so many milliseconds after the client's first, or after connecting if it speaks first. */
  answered?(latencyMs: number): void;
  /** The connection has ended. */
  ended?(report: RelayReport): void;
}

/** What a proxy takes in, and what a connection may cost. `Infinity` switches a limit off. */
export interface ProxyLimits {
  /** Connections in all; each takes two descriptors. @default {9_000} */
  maxConnections?: number;
  /** Connections per IPv4 address or IPv6 /64. @default {Infinity} */
  maxConnectionsPerSource?: number;
  /** Connections accepted per second on average; beyond it, accepting waits. @default {Infinity} */
  acceptsPerSecond?: number;
  /** Milliseconds that handshake, PROXY header and ClientHello may take together. @default {10_000} */
  handshakeMs?: number;
  /** Milliseconds until the connection to the target must stand. @default {5_000} */
  connectMs?: number;
  /** Milliseconds without a byte in either direction. @default {600_000} */
  idleMs?: number;
  /** Milliseconds in all. @default {Infinity} */
  maxMs?: number;
}

/** The defaults of {@linkcode ProxyLimits}. */
export const DEFAULT_PROXY_LIMITS: Required<ProxyLimits> = {
  maxConnections: 9_000,
  maxConnectionsPerSource: Infinity,
  acceptsPerSecond: Infinity,
  handshakeMs: 10_000,
  connectMs: 5_000,
  idleMs: 600_000,
  maxMs: Infinity,
};

/** Chooses where a connection goes, looking at what is known of it; undefined turns it away. */
export type ProxyRoute = (
  request: ProxyRequest,
) => ProxyTarget | undefined | Promise<ProxyTarget | undefined>;

/** Options of {@linkcode proxy}. */
export interface ProxyOptions
  extends Omit<TransportListenOptions, "messages" | "trustedProxies"> {
  /** Where to listen: one endpoint URL or several. */
  listen: string | string[];
  /** Where connections go. */
  to: string | ProxyTarget | ProxyRoute;
  /** Whether to read what the client's TLS asks for before the route is chosen; a connection without TLS is turned away. @default {false} */
  readHello?: boolean;
  /**
   * Proxies before us that tell where a connection came from, as addresses or networks in CIDR notation: from them a PROXY
   * header must come, and from nobody else is one taken for more than data. @default {[]}
   */
  trustedProxies?: Iterable<string>;
  /** Who may connect; without it, all. */
  allow?: Iterable<string>;
  /** Who may not; it counts more than `allow`. */
  deny?: Iterable<string>;
  /** What it takes in. */
  limits?: ProxyLimits;
  /** Is told what happens. */
  observe?: (event: ProxyEvent) => void;
  /** Where deadlines take their time from. @default {systemClock} */
  clock?: Clock;
  /** The roads that endpoints take, for simulations. @default {systemTransports} */
  transports?: Transports;
}
