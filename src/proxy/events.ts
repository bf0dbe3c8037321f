import type { ClientHello } from "../proto/tls/client_hello.ts";
import type {
  ProxyAddress,
  ProxyHeader,
} from "../proto/proxy_protocol/header.ts";
import type { ServerEvent } from "../observe/events.ts";
import type { RelayReport } from "./relay.ts";

/** A connection that wants to be passed on, and what is known of it. */
export interface ProxyRequest {
  /** Counts the connections of a proxy. */
  readonly id: number;
  /** The endpoint that it came in by. */
  readonly endpoint: string;
  /** Where it came from: what a trusted proxy tells in its header, else its own address; undefined for a Unix socket. */
  readonly source: ProxyAddress | undefined;
  /** What it connected to, told by whom `source` was. */
  readonly destination: ProxyAddress | undefined;
  /** What its TLS asks for, if that was looked at. */
  readonly hello?: ClientHello | undefined;
  /** The header of the proxy before us, if there was one. */
  readonly header?: ProxyHeader | undefined;
}

/** What was passed on, for an access log. */
export interface ProxyAccess extends RelayReport {
  /** The connection. */
  readonly request: ProxyRequest;
  /** Where it was passed on to. */
  readonly to: string;
  /** Milliseconds until that connection stood. */
  readonly connectMs: number;
  /** Milliseconds in all. */
  readonly durationMs: number;
}

/** Everything that a proxy tells its observer. */
export type ProxyEvent =
  /** A listener's: see {@linkcode ServerEvent}. */
  | Extract<
    ServerEvent,
    {
      type:
        | "listening"
        | "refused"
        | "waiting"
        | "accept failed"
        | "handshake failed";
    }
  >
  /** A connection was turned away before it was passed on: by a list, or because of what it began with. */
  | {
    type: "turned away";
    endpoint: string;
    address: string;
    reason: string;
    error?: unknown;
  }
  /** A target did not take a connection; another may be tried. */
  | {
    type: "connect failed";
    request: ProxyRequest;
    to: string;
    error: unknown;
  }
  /** A connection was passed on, and has ended. */
  | { type: "relayed"; access: ProxyAccess };
