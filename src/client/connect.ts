import type { RemoteProtocolError } from "../proto/errors.ts";
import type { Wire } from "../proto/framing/framing.ts";
import { Negotiated } from "../proto/hello.ts";
import { alarm, type Clock, systemClock } from "../io/clock.ts";
import { Connection } from "../io/connection.ts";
import { Counters } from "../io/counters.ts";
import {
  type Endpoint,
  formatEndpoint,
  parseEndpoint,
} from "../io/endpoint.ts";
import { EndpointError } from "../io/endpoint_error.ts";
import {
  greet,
  type Greeted,
  helloSecrets,
  sayLastWords,
} from "../io/greet.ts";
import {
  completeLimits,
  type ConnectionLimits,
  DEFAULT_CONNECTION_LIMITS,
} from "../io/limits.ts";
import { reportWithoutSocket } from "../io/apply_socket_options.ts";
import { roadMessages } from "../io/road_messages.ts";
import type { Conn, TransportConnectOptions } from "../io/transport.ts";
import { systemTransports, type Transports } from "../io/transports.ts";
import { Client } from "./client.ts";
import type { Correlation } from "./correlation.ts";
import { Requests } from "./requests.ts";

/** Options of {@linkcode connect}. */
export interface ConnectOptions<In, Out> extends TransportConnectOptions {
  /** The endpoint to connect to, as a URL. */
  to: string;
  /** Framing and codec, or a hello that agrees on them. */
  wire: Wire<In, Out> | Negotiated<In, Out>;
  /** Milliseconds until the connection must stand, its hello said. @default {10_000} */
  timeoutMs?: number;
  /** How answers are told from other messages; needed by `request`. */
  correlate?: Correlation<NoInfer<In>, NoInfer<Out>>;
  /** Called with each message that answers no request, instead of `receive`; the next one waits for its promise. */
  message?: (message: NoInfer<In>) => unknown;
  /** Called when the server sent something that is no message; without it, that ends the connection. */
  invalid?: (error: RemoteProtocolError) => unknown;
  /** What the connection may cost; a client waits for its server without an end, unless told. */
  limits?: ConnectionLimits;
  /** Where deadlines take their time from. @default {systemClock} */
  clock?: Clock;
  /** The roads that endpoints take, for simulations. @default {systemTransports} */
  transports?: Transports;
}

const CLIENT_LIMITS: Required<ConnectionLimits> = {
  ...DEFAULT_CONNECTION_LIMITS,
  idleMs: Infinity,
  firstMessageMs: Infinity,
};

/**
 * Connects to a server.
 *
 * @throws {EndpointError} If that fails or takes too long.
 * @throws {HelloError} If the wire is negotiated and the two cannot agree.
 * @throws {SyntaxError} If the endpoint is not a URL that is known.
 *
 * @example Usage
 * ```ts
 * import { connect } from "./connect.ts";
 * import { byKey } from "./correlation.ts";
 * import { serve } from "../server/serve.ts";
 * import { lengthPrefixed } from "../proto/framing/length_prefixed.ts";
 * import { json } from "../proto/codec/json.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lengthPrefixed(json<{ id: number; n: number }>());
 * await using server = await serve({
 *   listen: "memory:double",
 *   wire,
 *   handler: { message: (peer, { id, n }) => peer.send({ id, n: n * 2 }) },
 * });
 * await using client = await connect({
 *   to: server.endpoint,
 *   wire,
 *   correlate: byKey("id"),
 * });
 * assertEquals(await client.request({ id: 1, n: 21 }), { id: 1, n: 42 });
 * ```
 */
export async function connect<In, Out = In>(
  options: ConnectOptions<In, Out>,
): Promise<Client<In, Out>> {
  const { correlate, message, invalid } = options;
  const endpoint = parseEndpoint(options.to);
  const clock = options.clock ?? systemClock;
  const limits = completeLimits(options.limits, CLIENT_LIMITS);
  const { conn, wire, agreement } = await dial(endpoint, options);
  const requests = correlate && new Requests(correlate, clock);
  const connection: Connection<In, Out, undefined> = new Connection(
    {
      wire,
      agreement,
      clock,
      readsOn: true,
      limits,
      counters: new Counters(),
      handler: {
        message(_peer, received): unknown {
          if (requests?.answer(received)) return undefined;
          return message === undefined
            ? client.accept(received)
            : message(received);
        },
        ...(invalid === undefined
          ? {}
          : { invalid: (_peer, error) => invalid(error) }),
      },
      limited() {},
      invalid() {},
      slow() {},
      gap() {},
      callbackFailed() {},
      ended() {},
    },
    conn,
    formatEndpoint(endpoint),
  );
  const client: Client<In, Out> = new Client(connection, requests);
  void connection.run();
  return client;
}

async function dial<In, Out>(
  endpoint: Endpoint,
  options: ConnectOptions<In, Out>,
): Promise<Greeted<In, Out>> {
  const { timeoutMs = 10_000, signal } = options;
  const { clock = systemClock, transports = systemTransports } = options;
  signal?.throwIfAborted();
  const timeout = new AbortController();
  const timer = alarm(clock, timeoutMs, () => timeout.abort());
  const either = signal === undefined
    ? timeout.signal
    : AbortSignal.any([signal, timeout.signal]);
  try {
    reportWithoutSocket(endpoint, options.socket);
    const conn = await transports[endpoint.scheme].connect(endpoint, {
      ...options,
      messages: roadMessages(options.wire),
      signal: either,
    });
    const { wire } = options;
    if (wire instanceof Negotiated) {
      return await sayHello(conn, wire, either, clock);
    }
    const { framing = wire.framing } = conn.framed ?? {};
    return { conn, wire: { ...wire, framing }, agreement: undefined };
  } catch (error) {
    signal?.throwIfAborted();
    if (!timeout.signal.aborted) throw error;
    const cause = new Deno.errors.TimedOut(`no answer within ${timeoutMs} ms`);
    throw new EndpointError("connect to", endpoint, cause);
  } finally {
    clock.cancel(timer);
  }
}

async function sayHello<In, Out>(
  conn: Conn,
  wire: Negotiated<In, Out>,
  signal: AbortSignal,
  clock: Clock,
): Promise<Greeted<In, Out>> {
  const hello = wire.hello("client", helloSecrets());
  try {
    return await greet(conn, hello, signal);
  } catch (error) {
    void sayLastWords(conn, hello.takeOutput(), clock);
    throw error;
  }
}
