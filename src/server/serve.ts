import type { Wire } from "../proto/framing/framing.ts";
import type { Negotiated } from "../proto/hello.ts";
import { type Clock, systemClock } from "../io/clock.ts";
import { type Endpoint, parseEndpoint } from "../io/endpoint.ts";
import type { Handler } from "../io/handler.ts";
import { completeLimits } from "../io/limits.ts";
import { reportWithoutSocket } from "../io/apply_socket_options.ts";
import { roadMessages } from "../io/road_messages.ts";
import { isUnmet, type SocketOptions } from "../io/socket_options.ts";
import type { TransportListenOptions } from "../io/transport.ts";
import { systemTransports, type Transports } from "../io/transports.ts";
import type { ServerObserver } from "../observe/events.ts";
import { DEFAULT_SERVER_LIMITS, type ServerLimits } from "./limits.ts";
import { type OverLimit, Server } from "./server.ts";

/** Options of {@linkcode serve}. */
export interface ServeOptions<In, Out, State> extends TransportListenOptions {
  /** Where to listen: one endpoint URL or several. Port 0 lets the system choose. */
  listen: string | string[];
  /** Framing and codec, or a hello that agrees on them with each client. */
  wire: Wire<In, Out> | Negotiated<In, Out>;
  /** What happens on each connection. */
  handler: Handler<In, Out, State>;
  /** What may be taken in, and what a connection may cost. */
  limits?: ServerLimits;
  /** What happens to a connection beyond `maxConnections`. @default {"refuse"} */
  overLimit?: OverLimit<Out>;
  /** Is told what happens; see {@linkcode ServerEvent}. */
  observe?: ServerObserver;
  /** Drains the server when aborted. */
  signal?: AbortSignal;
  /** Where deadlines take their time from. @default {systemClock} */
  clock?: Clock;
  /** The roads that endpoints take, for simulations. @default {systemTransports} */
  transports?: Transports;
  /** Where chance comes from: numbers from 0 to below 1. @default {Math.random} */
  random?: () => number;
}

/**
 * Listens at one endpoint or several and calls the handler for each connection; resolves once all of them listen.
 *
 * @throws {EndpointError} If an endpoint cannot be listened on; none is then.
 * @throws {SyntaxError} If an endpoint is not a URL that is known.
 * @throws {RangeError} If a limit is not a number above 0.
 *
 * @example Usage
 * ```ts
 * import { serve } from "./serve.ts";
 * import { connect } from "../client/connect.ts";
 * import { lines } from "../proto/framing/delimited.ts";
 * import { text } from "../proto/codec/text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * await using server = await serve({
 *   listen: "memory:shout",
 *   wire,
 *   handler: {
 *     message: (peer, line) => peer.send(line.toUpperCase()),
 *   },
 * });
 * await using client = await connect({ to: server.endpoint, wire });
 * client.send("hello");
 * assertEquals(await client.receive(), "HELLO");
 * ```
 */
export async function serve<In, Out, State = undefined>(
  options: ServeOptions<In, Out, State>,
): Promise<Server<In, Out, State>> {
  const { listen, wire, handler, observe, signal } = options;
  signal?.throwIfAborted();
  const endpoints: Endpoint[] = [listen].flat().map(parseEndpoint);
  if (endpoints.length === 0) {
    throw new TypeError(
      "Cannot serve: 'listen' must name an endpoint: current value is []",
    );
  }
  const socket = options.socket && observed(options.socket, observe);
  const server = new Server<In, Out, State>({
    endpoints,
    wire,
    handler,
    limits: completeLimits<ServerLimits>(options.limits, DEFAULT_SERVER_LIMITS),
    overLimit: options.overLimit ?? "refuse",
    listenOptions: {
      ...options,
      socket,
      messages: roadMessages(wire),
      warn: (endpoint, warning) => {
        options.warn?.(endpoint, warning);
        observe?.({ type: "security warning", endpoint, warning });
      },
    },
    observe,
    clock: options.clock ?? systemClock,
    transports: options.transports ?? systemTransports,
    random: options.random ?? Math.random,
  });
  for (const endpoint of endpoints) reportWithoutSocket(endpoint, socket);
  await server.resume();
  if (signal !== undefined) {
    const drain = () => void server.drain();
    if (signal.aborted) drain();
    signal.addEventListener("abort", drain, { once: true });
    void server.closed.then(() => signal.removeEventListener("abort", drain));
  }
  return server;
}

/** Options of sockets whose report is told to the observer too. */
function observed(
  options: SocketOptions,
  observe: ServerObserver | undefined,
): SocketOptions {
  return {
    ...options,
    report(report) {
      options.report?.(report);
      const { endpoint } = report;
      for (const state of report.options.filter(isUnmet)) {
        observe?.({ type: "socket option", endpoint, state });
      }
    },
  };
}
