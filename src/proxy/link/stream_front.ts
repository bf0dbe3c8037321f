import { formatAddress } from "../../proto/address.ts";
import { abortable } from "../../io/abortable.ts";
import { alarm, type Clock } from "../../io/clock.ts";
import { closeQuietly } from "../../io/close_quietly.ts";
import { parseEndpoint } from "../../io/endpoint.ts";
import type { Conn } from "../../io/transport.ts";
import { systemTransports, type Transports } from "../../io/transports.ts";
import { Acceptor, Admission, sourceOf } from "../../server/acceptor.ts";
import { DEFAULT_SERVER_LIMITS } from "../../server/limits.ts";
import type { LinkEvent } from "./events.ts";
import type { LinkPair } from "./link_pair.ts";
import { resetConn, resettableTcp } from "./resettable_tcp.ts";
import { StreamConnection } from "./stream_connection.ts";

/** The roads of a link: TCP is one that can be reset. */
export const LINK_TRANSPORTS: Transports = {
  ...systemTransports,
  tcp: resettableTcp,
};

/** Sets the connections of one seed apart. */
const STRIDE = 0x85ebca6b;

/** Options of {@linkcode StreamFront}. */
export interface StreamFrontOptions {
  /** Where to listen. */
  listen: string;
  /** Where connections go. */
  to: string;
  /** Connections at a time. */
  maxConnections: number;
  /** Milliseconds until the connection to the target must stand. */
  connectMs: number;
  /** What chance is drawn from. */
  seed: number;
  /** Where time comes from. */
  clock: Clock;
  /** The roads that endpoints take. */
  transports: Transports;
  /** The link of the connection that is the `id`-th. */
  pairFor(id: number): LinkPair;
  /** Is told that a connection has ended. */
  ended(id: number): void;
  /** Is told what happens. */
  observe(event: LinkEvent): void;
}

/** Takes connections, connects each to the target, and lets them pass a link. */
export class StreamFront {
  readonly #options: StreamFrontOptions;
  readonly #acceptor: Acceptor;
  readonly #accepting: Promise<void>;
  readonly #running = new Map<number, StreamConnection>();
  readonly #serving = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  readonly #admission: Admission;
  #lastId = 0;

  private constructor(
    options: StreamFrontOptions,
    admission: Admission,
    createAcceptor: (take: (conn: Conn) => void) => Acceptor,
  ) {
    this.#options = options;
    this.#admission = admission;
    this.#acceptor = createAcceptor((conn) => this.#take(conn));
    this.#accepting = this.#acceptor.run();
    options.observe({ type: "listening", endpoint: this.endpoint });
  }

  /**
   * Listens.
   *
   * @throws {EndpointError} If that cannot be.
   */
  static async listen(options: StreamFrontOptions): Promise<StreamFront> {
    const { transports, clock, maxConnections, observe } = options;
    const endpoint = parseEndpoint(options.listen);
    parseEndpoint(options.to);
    const listener = await transports[endpoint.scheme].listen(endpoint, {});
    const limits = { ...DEFAULT_SERVER_LIMITS, maxConnections };
    const admission = new Admission(limits, false, clock);
    return new StreamFront(
      options,
      admission,
      (take) =>
        new Acceptor(
          listener,
          admission,
          (event) => observe(event as LinkEvent),
          take,
        ),
    );
  }

  /** Where it listens, with the port that the system chose. */
  get endpoint(): string {
    return this.#acceptor.endpoint;
  }

  /** The connections, by the number of each. */
  get connections(): ReadonlyMap<number, StreamConnection> {
    return this.#running;
  }

  #take(conn: Conn): void {
    const { endpoint } = this;
    const source = sourceOf(conn, endpoint);
    const limit = this.#admission.enter(source);
    const address = addressOf(conn) ?? endpoint;
    if (limit !== undefined) {
      this.#options.observe({ type: "refused", endpoint, address, limit });
      return resetConn(conn);
    }
    const serving = this.#serve(conn, address).finally(() => {
      this.#serving.delete(serving);
      this.#admission.leave(source);
    });
    this.#serving.add(serving);
  }

  async #serve(client: Conn, address: string): Promise<void> {
    const { to, clock, seed, pairFor, ended, observe } = this.#options;
    const startMs = clock.now();
    let server: Conn;
    try {
      server = await this.#dial();
    } catch (error) {
      resetConn(client);
      return observe({ type: "connect failed", address, to, error });
    }
    const id = ++this.#lastId;
    const connection = new StreamConnection({
      client,
      server,
      pair: pairFor(id),
      seed: Math.imul(id, STRIDE) ^ seed,
      clock,
    });
    this.#running.set(id, connection);
    const ending = await connection.run();
    this.#running.delete(id);
    ended(id);
    const { bytesUp, bytesDown } = connection;
    const durationMs = clock.now() - startMs;
    observe({
      type: "ended",
      access: { id, address, bytesUp, bytesDown, durationMs, ending },
    });
  }

  async #dial(): Promise<Conn> {
    const { to, transports, clock, connectMs } = this.#options;
    const endpoint = parseEndpoint(to);
    const late = new AbortController();
    const deadline = alarm(clock, connectMs, () =>
      late.abort(
        new Deno.errors.TimedOut(
          `Cannot connect to ${to}: no answer within ${connectMs} ms`,
        ),
      ));
    const signal = AbortSignal.any([late.signal, this.#abort.signal]);
    const dialling = transports[endpoint.scheme].connect(endpoint, { signal });
    try {
      return await abortable(dialling, signal);
    } catch (error) {
      dialling.then(closeQuietly, () => {});
      throw error;
    } finally {
      clock.cancel(deadline);
    }
  }

  /** Stops to listen, and cuts every connection off. */
  async close(): Promise<void> {
    this.#acceptor.close();
    this.#abort.abort(new Deno.errors.Interrupted("The link was closed"));
    for (const connection of this.#running.values()) connection.cut("closed");
    await Promise.all([this.#accepting, ...this.#serving]);
  }
}

function addressOf({ remoteAddr }: Conn): string | undefined {
  return "hostname" in remoteAddr
    ? formatAddress(remoteAddr.hostname, remoteAddr.port)
    : undefined;
}
