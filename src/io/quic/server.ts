import type { Timer } from "../../proto/timer_wheel.ts";
import { alarm, systemClock } from "../clock.ts";
import type { Endpoint } from "../endpoint.ts";
import { Refusal } from "../peer.ts";
import {
  acceptStream,
  limitStreamless,
  messageOf,
  QuicConnection,
} from "./connection.ts";
import { markEarly } from "./early_data.ts";
import { FailedConn, QuicListener } from "./listener.ts";
import { type QuicListenOptions, transportOptions } from "./options.ts";

/** Milliseconds that what was sent last has to arrive once there are no streams and nobody listens. */
const LAST_WORDS_MS = 2000;

/**
 * Milliseconds that a socket waits for another listener when nobody uses it. The runtime gives its port back only when it
 * collects garbage, so listening there again would fail.
 */
const REST_MS = 60_000;

/** Where a server listens. */
export type QuicEndpoint = Extract<
  Endpoint,
  { scheme: "tcp" | "tls" | "quic" }
>;

/** What a server proves itself by, and what it speaks. */
export interface QuicServerTls {
  /** Certificate chain in PEM. */
  cert: string;
  /** Private key in PEM. */
  key: string;
  /** What ALPN may agree on. */
  alpnProtocols: string[];
}

/** Sockets whose listener was closed, by where they are. */
const resting = new Map<string, QuicSocket>();

/** A UDP socket that takes QUIC connections; it outlives its listener as long as there are any. */
class QuicSocket {
  readonly #addr: Deno.NetAddr;
  readonly #key: string;
  readonly #endpoint: Deno.QuicEndpoint;
  readonly #connections = new Set<QuicConnection>();
  /**
   * Those of the runtime. None is stopped or left to be collected as garbage, which stops it: the runtime panics at
   * packets of a handshake that it has not told of yet (quinn-proto 0.11.16, `Endpoint::handle`).
   */
  readonly #natives: Deno.QuicListener[] = [];
  #listener: QuicListener | undefined;
  #isRunning = false;
  #isWaking = false;
  #rest: Timer | undefined;

  constructor({ hostname, port }: QuicEndpoint) {
    this.#endpoint = new Deno.QuicEndpoint({ hostname, port });
    this.#addr = { ...this.#endpoint.addr, transport: "udp" };
    this.#key = `${hostname}:${this.#addr.port}`;
  }

  listen(
    endpoint: QuicEndpoint,
    options: QuicListenOptions,
    tls: QuicServerTls,
  ): QuicListener {
    const { port } = this.#addr;
    const listener = new QuicListener(
      { ...endpoint, port },
      options,
      () => this.#listenerClosed(),
    );
    const { maxStreams, maxUnidirectionalStreams } = listener.options;
    const native = this.#endpoint.listen({
      ...tls,
      ...transportOptions(options),
      maxConcurrentBidirectionalStreams: maxStreams,
      maxConcurrentUnidirectionalStreams: maxUnidirectionalStreams,
    });
    this.#listener = listener;
    resting.delete(this.#key);
    if (this.#rest !== undefined) systemClock.cancel(this.#rest);
    this.#natives.push(native);
    if (!this.#isRunning) void this.#run(native);
    return listener;
  }

  #listenerClosed(): void {
    this.#listener = undefined;
    for (const connection of this.#connections) {
      limitStreamless(connection, LAST_WORDS_MS);
    }
    resting.set(this.#key, this);
    this.restIfUnused();
  }

  get #isUsed(): boolean {
    return this.#listener !== undefined || this.#connections.size > 0;
  }

  /** Comes to rest if nobody listens and nobody is connected. */
  restIfUnused(): void {
    if (this.#isUsed) return;
    resting.set(this.#key, this);
    if (this.#isRunning) void this.#wake();
    this.#rest = alarm(systemClock, REST_MS, () => this.#close());
  }

  #close(): void {
    resting.delete(this.#key);
    this.#endpoint.close();
    // Handshakes that nobody was told of are refused, so that none is left when garbage is collected.
    if (!this.#isRunning) void this.#run(this.#natives.at(-1)!, true);
  }

  /** Ends the wait for the next connection, which keeps the process alive, by being the next connection. */
  async #wake(): Promise<void> {
    const { hostname, port } = this.#addr;
    const loopback = { "0.0.0.0": "127.0.0.1", "::": "::1" }[hostname];
    this.#isWaking = true;
    try {
      const conn = await Deno.connectQuic<false>({
        hostname: loopback ?? hostname,
        port,
        alpnProtocols: ["nothing"],
      });
      conn.close();
    } catch (error) {
      // Refused, as was to be expected; or not permitted.
      if (error instanceof Deno.errors.NotCapable) this.#close();
    }
    this.#isWaking = false;
  }

  async #run(native: Deno.QuicListener, toTheEnd = false): Promise<void> {
    this.#isRunning = true;
    try {
      do this.#welcome(await native.incoming()); while (
        toTheEnd || this.#isUsed
      );
    } catch {
      // The socket was closed.
    }
    this.#isRunning = false;
  }

  #welcome(incoming: Deno.QuicIncoming): void {
    const listener = this.#listener;
    // Silence would make clients wait for the end of their patience.
    if (
      listener === undefined ||
      this.#connections.size >= listener.options.maxConnections
    ) return incoming.refuse();
    try {
      // This does not wait for the handshake, so that there can be a deadline for it.
      const quic = incoming.accept({ zeroRtt: true });
      void this.#serve(quic, listener.options);
    } catch (error) {
      if (this.#isWaking) return;
      void listener.tell(new FailedConn(this.#addr, undefined, error));
    }
  }

  async #serve(
    quic: Deno.QuicConn,
    options: QuicListener["options"],
  ): Promise<void> {
    const isSingle = options.connection === undefined;
    const connection = new QuicConnection(quic, isSingle);
    this.#connections.add(connection);
    const handshake = completeHandshake(connection, options);
    let streams = 0;
    try {
      if (options.earlyData === undefined) await handshake;
      else markEarly(connection.identity, handshake);
      limitStreamless(
        connection,
        this.#listener === undefined
          ? LAST_WORDS_MS
          : isSingle
          ? options.streamlessMs
          : Infinity,
      );
      for await (const stream of quic.incomingBidirectionalStreams) {
        streams++;
        const conn = acceptStream(connection, stream);
        // A listener that was opened later may have taken the first one's place.
        if (this.#listener === undefined) conn.close();
        else await this.#listener.offer(conn);
      }
    } catch (error) {
      if (streams === 0) {
        void this.#listener?.tell(
          new FailedConn(this.#addr, connection, error),
        );
      }
    }
    this.#connections.delete(connection);
    this.restIfUnused();
  }
}

/** Resolves when the handshake is complete; throws if it takes too long, and may do so if it fails. */
async function completeHandshake(
  connection: QuicConnection,
  { handshakeMs, earlyData, ...options }: QuicListener["options"],
): Promise<void> {
  const { quic } = connection;
  let reason: string | undefined;
  void connection.closed.then((close) => reason = close.reason);
  const deadline = alarm(systemClock, handshakeMs, () => {
    reason = `the handshake was not done within ${handshakeMs} ms`;
    connection.close(0, reason);
  });
  await quic.handshake;
  systemClock.cancel(deadline);
  // The runtime says that the handshake is over also when it failed, and why a moment later.
  if (earlyData !== undefined) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  if (reason !== undefined) throw new Refusal(reason);
  Promise.try(async () => await options.connection?.(connection)).catch(
    (error) => connection.close(1, messageOf(error)),
  );
}

/** Listens at `endpoint`, with the socket that is there already if its last listener was closed. */
export function listenQuic(
  endpoint: QuicEndpoint,
  options: QuicListenOptions,
  tls: QuicServerTls,
): QuicListener {
  const { hostname, port } = endpoint;
  const socket = resting.get(`${hostname}:${port}`) ?? new QuicSocket(endpoint);
  try {
    return socket.listen(endpoint, options, tls);
  } catch (error) {
    socket.restIfUnused();
    throw error;
  }
}
