import {
  WebSocketFraming,
  type WebSocketFramingOptions,
} from "../proto/web_socket/framing.ts";
import type { Upgrade, UpgradeRules } from "../proto/web_socket/handshake.ts";
import { DEFAULT_MAX_FRAME_BYTES } from "../proto/framing/framing.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Endpoint } from "./endpoint.ts";
import { EndpointError } from "./endpoint_error.ts";
import type {
  Conn,
  Listener,
  RoadMessages,
  Transport,
  TransportConnectOptions,
  TransportListenOptions,
} from "./transport.ts";
import { WebSocketConn } from "./web_socket/conn.ts";
import { upgrade } from "./web_socket/dial.ts";
import {
  DEFAULT_CONTROL_FRAMES_PER_SECOND,
  DEFAULT_PING_MS,
  deflateOf,
  positive,
  type WebSocketOptions,
} from "./web_socket/options.ts";
import {
  type FillRandom,
  maskSource,
  systemMasks,
  systemRandom,
} from "./web_socket/random.ts";
import { shakeHands, type ShakeParts } from "./web_socket/shake.ts";
import { WebSocketStreamConn } from "./web_socket/stream_conn.ts";

type WebEndpoint = Extract<Endpoint, { scheme: "ws" | "wss" }>;

/** Where a WebSocket road takes its time and its chance from. */
export interface WebSocketRoadParts {
  /** For Pings. @default {systemClock} */
  clock?: Clock;
  /** For keys and masks. @default {systemRandom} */
  fillRandom?: FillRandom;
}

/** What the connections of one side have in common. */
interface Side {
  messages: RoadMessages | undefined;
  mask: (() => number) | undefined;
  pingMs: number;
  controlFramesPerSecond: number;
  clock: Clock;
}

function sideOf(
  messages: RoadMessages | undefined,
  mask: (() => number) | undefined,
  options: WebSocketOptions,
  clock: Clock,
): Side {
  const {
    pingMs = mask === undefined ? DEFAULT_PING_MS : Infinity,
    controlFramesPerSecond = DEFAULT_CONTROL_FRAMES_PER_SECOND,
  } = options;
  positive("pingMs", pingMs);
  positive("controlFramesPerSecond", controlFramesPerSecond);
  return { messages, mask, pingMs, controlFramesPerSecond, clock };
}

/** The framings of servers by what they are made for: what is broadcast is encoded once for all that share one. */
const serverFramings = new Map<string, WebSocketFraming>();

function framingOf(options: WebSocketFramingOptions): WebSocketFraming {
  if (options.mask !== undefined) return new WebSocketFraming(options);
  const key = JSON.stringify(options);
  let framing = serverFramings.get(key);
  if (framing === undefined) {
    framing = new WebSocketFraming(options);
    serverFramings.set(key, framing);
  }
  return framing;
}

function connOf(
  inner: Conn,
  { deflate, protocol, rest }: Upgrade & { rest: Uint8Array },
  { messages, ...side }: Side,
): Conn {
  const framing = framingOf({
    text: messages?.text ?? false,
    maxFrameBytes: messages?.maxBytes ?? DEFAULT_MAX_FRAME_BYTES,
    mask: side.mask,
    deflate,
  });
  const conn = new WebSocketConn({ inner, rest, protocol, framing, ...side });
  return messages === undefined ? new WebSocketStreamConn(conn) : conn;
}

class WebSocketListener implements Listener {
  readonly endpoint: Endpoint;
  readonly renew?: NonNullable<Listener["renew"]>;
  readonly #inner: Listener;
  readonly #shake: ShakeParts;
  readonly #side: Side;

  constructor(
    endpoint: Endpoint,
    inner: Listener,
    shake: ShakeParts,
    side: Side,
  ) {
    this.endpoint = endpoint;
    this.#inner = inner;
    this.#shake = shake;
    this.#side = side;
    if (inner.renew !== undefined) this.renew = (tls) => inner.renew!(tls);
  }

  accept(): Promise<Conn> {
    return this.#inner.accept();
  }

  tellsSource(conn: Conn): boolean {
    return this.#inner.tellsSource?.(conn) === true;
  }

  async shake(conn: Conn, signal: AbortSignal): Promise<Conn | undefined> {
    const inner = this.#inner.shake === undefined
      ? conn
      : await this.#inner.shake(conn, signal);
    if (inner === undefined) return undefined;
    const upgraded = await shakeHands(inner, signal, this.#shake);
    return upgraded && connOf(inner, upgraded, this.#side);
  }

  close(): void {
    this.#inner.close();
  }
}

/** The endpoint of the road below. */
function below({ scheme, hostname, port }: WebEndpoint): Endpoint {
  return { scheme: scheme === "ws" ? "tcp" : "tls", hostname, port };
}

/** What went wrong below is told of the endpoint that was asked for. */
function failure(action: string, endpoint: Endpoint, error: unknown): Error {
  const cause = error instanceof EndpointError ? error.cause : error;
  return new EndpointError(action, endpoint, cause);
}

function hostOf({ scheme, hostname, port }: WebEndpoint): string {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return port === (scheme === "ws" ? 80 : 443) ? host : `${host}:${port}`;
}

/** The `ws` and `wss` roads over `road`, which carries `tcp` or `tls` (RFC 6455). */
export function webSocketOver(
  road: Transport,
  parts: WebSocketRoadParts = {},
): Transport {
  const { clock = systemClock, fillRandom = systemRandom } = parts;
  const mask = fillRandom === systemRandom
    ? systemMasks
    : maskSource(fillRandom);

  return {
    async listen(endpoint, options: TransportListenOptions) {
      const web = endpoint as WebEndpoint;
      const { webSocket = {}, messages } = options;
      try {
        const deflate = messages === undefined
          ? undefined
          : deflateOf(webSocket);
        const { origins = [], protocols = [], http } = webSocket;
        const rules: UpgradeRules = {
          path: web.path,
          origins,
          protocols,
          deflate,
        };
        const side = sideOf(messages, undefined, webSocket, clock);
        const inner = await road.listen(below(web), options);
        const { port } = inner.endpoint as WebEndpoint;
        const secure = web.scheme === "wss";
        return new WebSocketListener(
          { ...web, port },
          inner,
          { rules, http, secure, clock },
          side,
        );
      } catch (error) {
        throw failure("listen on", endpoint, error);
      }
    },

    async connect(endpoint, options: TransportConnectOptions) {
      const web = endpoint as WebEndpoint;
      const { webSocket = {}, messages, signal } = options;
      try {
        const deflate = messages === undefined
          ? undefined
          : deflateOf(webSocket);
        const { protocols = [], headers = {} } = webSocket;
        const side = sideOf(messages, mask, webSocket, clock);
        const key = new Uint8Array(16);
        fillRandom(key);
        const inner = await road.connect(below(web), options);
        const dialled = await upgrade(inner, {
          host: hostOf(web),
          path: web.path,
          key: key.toBase64(),
          protocols,
          deflate,
          fields: Object.entries(headers),
        }, signal);
        return connOf(inner, dialled, side);
      } catch (error) {
        signal?.throwIfAborted();
        throw failure("connect to", endpoint, error);
      }
    },
  };
}
