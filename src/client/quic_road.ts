import {
  type Endpoint,
  formatEndpoint,
  parseEndpoint,
} from "../io/endpoint.ts";
import { EndpointError } from "../io/endpoint_error.ts";
import { DEFAULT_ALPN, QuicConnection } from "../io/quic/connection.ts";
import { type DialledQuic, dialQuic } from "../io/quic/dial.ts";
import type { TransportConnectOptions } from "../io/transport.ts";
import { systemTransports } from "../io/transports.ts";
import { alarm, systemClock } from "../io/clock.ts";
import type { Client } from "./client.ts";
import { connect, type ConnectOptions } from "./connect.ts";

/** Options of {@linkcode openQuic}. */
export interface OpenQuicOptions
  extends Pick<TransportConnectOptions, "signal" | "tls" | "quic"> {
  /** The endpoint to connect to, as a URL: `quic://HOST:PORT`. */
  to: string;
  /** Milliseconds until the connection must stand. @default {10_000} */
  timeoutMs?: number;
  /**
   * An earlier road to the same server, to go on from the ticket that it got there: streams that are opened with `early`
   * then need no round trip.
   */
  resume?: QuicRoad;
}

/** Options of {@linkcode QuicRoad.connect}. */
export interface QuicStreamOptions<In, Out>
  extends Omit<ConnectOptions<In, Out>, "to" | "tls" | "quic" | "transports"> {
  /**
   * Opens the stream before the handshake is complete, if the road is resumed. What is sent until {@linkcode
   * QuicRoad.ready} can be recorded by others and sent again: send only what may be carried out twice. @default {false}
   */
  early?: boolean;
}

/**
 * One QUIC connection to a server, for several streams and for datagrams; made by {@linkcode openQuic}.
 *
 * @example Usage
 * ```ts
 * import { createCa, inOrder, lines, openQuic, serve, text } from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const ca = await createCa();
 * const { certPem: cert, keyPem: key } = await ca.issue({
 *   names: ["127.0.0.1"],
 *   purpose: "server",
 * });
 * const wire = lines(text());
 * await using server = await serve({
 *   listen: "quic://127.0.0.1:0",
 *   tls: { cert, key },
 *   wire,
 *   handler: { message: (peer, line) => peer.send(line.toUpperCase()) },
 * });
 * await using road = await openQuic({
 *   to: server.endpoint,
 *   tls: { caCerts: [ca.certPem] },
 * });
 * const chat = await road.connect({ wire, correlate: inOrder() });
 * const files = await road.connect({ wire, correlate: inOrder() });
 * assertEquals(await chat.request("ahoy"), "AHOY");
 * assertEquals(await files.request("chart"), "CHART");
 * ```
 */
export class QuicRoad extends QuicConnection implements AsyncDisposable {
  /** The endpoint that it leads to, as a URL. */
  readonly endpoint: string;
  /** Whether it was handed out before its handshake was complete. */
  readonly isEarly: boolean;

  /** Use {@linkcode openQuic}. */
  constructor(
    endpoint: string,
    { quic, isEarly }: DialledQuic,
    offered: string | undefined,
  ) {
    super(quic, false, offered);
    this.endpoint = endpoint;
    this.isEarly = isEarly;
  }

  /** Resolves when the handshake is over; from then on nothing that is sent can be a replay. */
  get ready(): Promise<void> {
    return this.quic.handshake;
  }

  /**
   * Opens a stream, which is to the server a connection like any other; waits while it allows no more of them.
   *
   * @throws {EndpointError} If that fails or takes too long.
   */
  async connect<In, Out = In>(
    options: QuicStreamOptions<In, Out>,
  ): Promise<Client<In, Out>> {
    const { early = false, ...rest } = options;
    const open = async (
      endpoint: Endpoint,
      { signal }: TransportConnectOptions,
    ) => {
      try {
        if (!early) await this.ready;
        return await this.openStream(signal);
      } catch (error) {
        signal?.throwIfAborted();
        throw new EndpointError("connect to", endpoint, error);
      }
    };
    return await connect<In, Out>({
      ...rest,
      to: this.endpoint,
      transports: {
        ...systemTransports,
        quic: { listen: systemTransports.quic.listen, connect: open },
      },
    });
  }

  /** Closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.closed;
  }
}

/**
 * Opens a QUIC connection for several streams and datagrams. A client that needs one stream alone is made by
 * {@linkcode connect}.
 *
 * @throws {EndpointError} If that fails or takes too long.
 *
 * @example Usage
 * ```ts
 * import { openQuic } from "./quic_road.ts";
 * import { EndpointError } from "../io/endpoint_error.ts";
 * import { assertRejects } from "@std/assert";
 *
 * // const road = await openQuic({ to: "quic://hub.example:9443" });
 * // const chat = await road.connect({ wire });
 * await assertRejects(
 *   () => openQuic({ to: "quic://127.0.0.1:9", tls: { pins: [] } }),
 *   EndpointError,
 *   "the runtime's QUIC has nothing for the option 'pins'",
 * );
 * ```
 */
export async function openQuic(options: OpenQuicOptions): Promise<QuicRoad> {
  const { to, timeoutMs = 10_000, resume, tls } = options;
  const endpoint = parseEndpoint(to);
  if (endpoint.scheme !== "quic") {
    throw new TypeError(
      `Cannot open a QUIC connection: 'to' must be quic://HOST:PORT: current value is "${to}"`,
    );
  }
  options.signal?.throwIfAborted();
  const timeout = new AbortController();
  const timer = alarm(systemClock, timeoutMs, () => {
    const reason = `no answer within ${timeoutMs} ms`;
    timeout.abort(new Deno.errors.TimedOut(reason));
  });
  try {
    const dialled = await dialQuic(endpoint, {
      ...options,
      from: resume?.quic.endpoint,
      early: resume !== undefined,
      signal: AbortSignal.any([timeout.signal, options.signal ?? []].flat()),
    });
    const [offered] = tls?.alpn ?? [DEFAULT_ALPN];
    return new QuicRoad(formatEndpoint(endpoint), dialled, offered);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new EndpointError("connect to", endpoint, error);
  } finally {
    systemClock.cancel(timer);
  }
}
