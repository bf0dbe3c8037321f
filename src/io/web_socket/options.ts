import {
  completeDeflate,
  type DeflateOptions,
} from "../../proto/web_socket/deflate.ts";

export type { DeflateOptions };

/** Milliseconds between the Pings of a server: proxies close a road that is silent for a minute. */
export const DEFAULT_PING_MS = 30_000;

/** Control frames per second that a peer may send; no program needs one a second. */
export const DEFAULT_CONTROL_FRAMES_PER_SECOND = 100;

/** What both ends of a WebSocket may choose. */
export interface WebSocketOptions {
  /** Subprotocols, the best first. @default {[]} */
  protocols?: readonly string[];
  /**
   * Whether to agree on permessage-deflate (RFC 7692), and how to compress. Each message is compressed by itself, so that
   * a connection costs no memory between messages. @default {false}
   */
  compress?: boolean | DeflateOptions;
  /**
   * Milliseconds between Pings. A peer that does not answer until the next is cut off; `Infinity` sends none.
   * @default {30_000} for servers, `Infinity` for clients
   */
  pingMs?: number;
  /** Pings and Pongs per second on average that the peer may send before it is cut off. @default {100} */
  controlFramesPerSecond?: number;
}

/** Options of `ws` and `wss` endpoints that are listened on. */
export interface WebSocketListenOptions extends WebSocketOptions {
  /**
   * Origins of web pages that may connect, such as `https://example.com`, beside those of the host that is connected to;
   * `*` is any. Programs that are no browsers send no origin, and always may. @default {[]}
   */
  origins?: readonly string[];
  /** Answers plain GET and HEAD requests on the same port; without it they are told to upgrade. */
  http?: (request: Request) => Response | Promise<Response>;
}

/** Options of `ws` and `wss` endpoints that are connected to. */
export interface WebSocketConnectOptions extends WebSocketOptions {
  /** More header fields of the upgrade, such as `authorization` or `origin`. */
  headers?: Readonly<Record<string, string>>;
}

/** What `compress` comes to. @throws {RangeError} If an option is out of range. */
export function deflateOf(
  { compress = false }: WebSocketOptions,
): Required<DeflateOptions> | undefined {
  if (compress === false) return undefined;
  return completeDeflate(compress === true ? {} : compress);
}

/** `ms` or the number of `name`, checked. @throws {RangeError} If it is not above 0. */
export function positive(name: string, value: number): number {
  if (value > 0) return value;
  throw new RangeError(
    `Cannot use WebSocket options: '${name}' must be a number above 0: current value is ${value}`,
  );
}
