import { formatAddress } from "../proto/address.ts";
import type { RemoteProtocolError } from "../proto/errors.ts";
import { encodeFrame } from "../proto/frame_writer.ts";
import type { Wire } from "../proto/framing/framing.ts";
import { Negotiated } from "../proto/hello.ts";
import type { Agreed } from "../proto/hello/agreement.ts";
import type { Timer } from "../proto/timer_wheel.ts";
import { alarm, type Clock } from "../io/clock.ts";
import { closeQuietly } from "../io/close_quietly.ts";
import { Connection } from "../io/connection.ts";
import type {
  ConnectionHost,
  ConnectionLimitName,
} from "../io/connection_host.ts";
import { Counters } from "../io/counters.ts";
import { type Endpoint, formatEndpoint } from "../io/endpoint.ts";
import { type Greeted, sayLastWords } from "../io/greet.ts";
import type { Handler } from "../io/handler.ts";
import type { Peer } from "../io/peer.ts";
import { expiryWarnings, firstExpiry } from "../io/tls/expiry.ts";
import type { ServerTlsOptions } from "../io/tls/options.ts";
import type {
  Conn,
  Listener,
  TransportListenOptions,
} from "../io/transport.ts";
import type { Transports } from "../io/transports.ts";
import type { ServerEvent, ServerObserver } from "../observe/events.ts";
import { HandshakeError, Preamble } from "./preamble.ts";
import { Acceptor, Admission, sourceOf } from "./acceptor.ts";
import type { ServerLimits } from "./limits.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** How many are told why at once; the others are closed without a word. */
const MAX_REFUSING = 128;

/** What a server is doing. */
export type ServerStatus = "listening" | "suspended" | "draining" | "stopped";

/** What {@linkcode Server.info} tells. */
export interface ServerInfo {
  /** What the server is doing. */
  status: ServerStatus;
  /** Where it listens, as URLs; with the ports that the system chose. */
  endpoints: string[];
  /** Connections now. */
  connections: number;
  /** When it started. */
  startedAt: Date;
  /** Milliseconds since then. */
  uptimeMs: number;
  /** Its limits, defaults filled in. */
  limits: Required<ServerLimits>;
  /** What it has done so far. */
  counters: Readonly<Counters>;
}

/** Options of {@linkcode Server.drain}. */
export interface DrainOptions {
  /** Milliseconds after which what is not done is cut short. @default {10_000} */
  deadlineMs?: number;
  /** Peers are told to come back after a random time up to this many milliseconds, so that they do not come at once. @default {0} */
  comeBackWithinMs?: number;
}

/**
 * What happens to a connection beyond `maxConnections`: it is turned away, or left to the kernel until there is room; a
 * function makes the message that tells it which limit turned it away.
 */
export type OverLimit<Out> =
  | "refuse"
  | "wait"
  | ((limit: "maxConnections" | "maxConnectionsPerSource") => Out);

/** What a server is made of, with defaults filled in. */
export interface ServerParts<In, Out, State> {
  /** Where to listen. */
  endpoints: Endpoint[];
  /** Framing and codec, or a hello that agrees on them. */
  wire: Wire<In, Out> | Negotiated<In, Out>;
  /** What happens on each connection. */
  handler: Handler<In, Out, State>;
  /** Its limits. */
  limits: Required<ServerLimits>;
  /** What happens to a connection beyond them. */
  overLimit: OverLimit<Out>;
  /** How to listen. */
  listenOptions: TransportListenOptions;
  /** Is told what happens. */
  observe: ServerObserver | undefined;
  /** Where its time comes from. */
  clock: Clock;
  /** The roads that endpoints take. */
  transports: Transports;
  /** Where chance comes from. */
  random: () => number;
}

/**
 * A running server; made by {@linkcode serve}.
 *
 * @example Usage
 * ```ts
 * import { lines, serve, text } from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const server = await serve({
 *   listen: ["memory:left", "memory:right"],
 *   wire: lines(text()),
 *   handler: { message: (peer, line) => peer.send(line) },
 * });
 * assertEquals(server.endpoints, ["memory:left", "memory:right"]);
 * await server.drain({ deadlineMs: 1000 });
 * assertEquals(server.status, "stopped");
 * ```
 */
export class Server<In, Out, State = undefined> implements AsyncDisposable {
  /** When it started. */
  readonly startedAt: Date = new Date();
  /** What it has done so far. */
  readonly counters: Counters = new Counters();
  readonly #parts: ServerParts<In, Out, State>;
  readonly #host: Omit<ConnectionHost<In, Out, State>, "wire">;
  /** What connections share that have agreed on the same: few, as a server agrees on few things. */
  readonly #hosts: ConnectionHost<In, Out, State>[] = [];
  readonly #admission: Admission;
  readonly #peers = new Set<Connection<In, Out, State>>();
  readonly #startedMs: number;
  readonly #closed = Promise.withResolvers<void>();
  readonly #acceptors: Acceptor[] = [];
  readonly #accepting: Promise<void>[] = [];
  /** The last `suspend` or `resume`. */
  #changed: Promise<void> = Promise.resolve();
  /** Connections that are being told why they are turned away. */
  readonly #refusing = new Set<Conn>();
  readonly #preamble: Preamble<In, Out>;
  /** The next look at when certificates end. */
  #watch: Timer | undefined;
  #status: ServerStatus = "suspended";
  #draining: Promise<void> | undefined;
  #aborted = false;
  #empty: PromiseWithResolvers<void> | undefined;

  /** Use {@linkcode serve}. */
  constructor(parts: ServerParts<In, Out, State>) {
    this.#parts = parts;
    const { wire, handler, limits, clock, overLimit } = parts;
    this.#startedMs = clock.now();
    this.#admission = new Admission(limits, overLimit === "wait", clock);
    this.#preamble = new Preamble(
      wire,
      clock,
      Math.min(limits.handshakeMs, limits.firstMessageMs),
    );
    this.#host = {
      handler,
      limits,
      readsOn: false,
      clock,
      counters: this.counters,
      limited: (peer, limit, detail) => this.#limited(peer, limit, detail),
      invalid: (peer, error) => this.#invalid(peer, error),
      slow: (peer, slow) => {
        const { bufferedBytes } = peer;
        this.#tell({ type: "slow", peer, slow, bufferedBytes });
      },
      gap: (peer, group, missed) =>
        this.#tell({ type: "gap", peer, group, missed }),
      callbackFailed: (peer, error) =>
        this.#tell({ type: "callback failed", peer, error }),
      ended: (peer) => this.#ended(peer),
    };
  }

  /** Tells the observer. What it throws is its own: the server goes on as if it had not. */
  #tell(event: ServerEvent): void {
    try {
      this.#parts.observe?.(event);
    } catch (error) {
      reportError(error);
    }
  }

  #limited(
    peer: Connection<In, Out, State>,
    limit: ConnectionLimitName,
    detail: string,
  ): void {
    this.counters.limited++;
    this.#tell({ type: "limit", peer, limit, detail });
  }

  #invalid(
    peer: Connection<In, Out, State>,
    error: RemoteProtocolError,
  ): void {
    this.#tell({ type: "invalid", peer, error });
  }

  /** Where it listens, as URLs; with the ports that the system chose. */
  get endpoints(): string[] {
    return this.#parts.endpoints.map(formatEndpoint);
  }

  /** The first of `endpoints`. */
  get endpoint(): string {
    return this.endpoints[0]!;
  }

  /** What the server is doing. */
  get status(): ServerStatus {
    return this.#status;
  }

  /** Those who are connected. */
  get peers(): ReadonlySet<Peer<In, Out, State>> {
    return this.#peers;
  }

  /** When the certificate ends that ends first of those that it shows; undefined without one. */
  get certificateEndsAt(): Date | undefined {
    const { tls } = this.#parts.listenOptions;
    return tls && firstExpiry(tls);
  }

  /** Resolves when the server has stopped. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** What it is and does, at a glance. */
  info(): ServerInfo {
    return {
      status: this.#status,
      endpoints: this.endpoints,
      connections: this.#peers.size,
      startedAt: this.startedAt,
      uptimeMs: this.#parts.clock.now() - this.#startedMs,
      limits: this.#parts.limits,
      counters: this.counters,
    };
  }

  /** Stops listening; those who are connected stay. */
  suspend(): Promise<void> {
    return this.#inTurn(() => this.#suspend());
  }

  async #suspend(): Promise<void> {
    if (this.#status !== "listening") return;
    this.#status = "suspended";
    await this.#stopListening();
    this.#tell({ type: "suspended" });
  }

  /**
   * Listens again after `suspend`, at the same endpoints.
   *
   * @throws {EndpointError} If one of them cannot be listened on; then none is.
   */
  resume(): Promise<void> {
    return this.#inTurn(() => this.#resume());
  }

  /**
   * Takes new connections by other TLS options from now on, such as a certificate that was renewed; those that stand
   * are left as they are, and none is lost. The native engine needs the runtime's flag `--unstable-net` for it.
   *
   * @throws {Error} If they cannot be used; endpoints that have not taken them go on as before.
   */
  renewTls(tls: ServerTlsOptions): Promise<void> {
    return this.#inTurn(() => this.#renewTls(tls));
  }

  async #renewTls(tls: ServerTlsOptions): Promise<void> {
    for (const acceptor of this.#acceptors) {
      if (!await acceptor.renew(tls)) continue;
      this.#tell({ type: "certificate renewed", endpoint: acceptor.endpoint });
    }
    this.#parts.listenOptions = { ...this.#parts.listenOptions, tls };
    if (this.#status === "listening") this.#watchCertificates();
  }

  /** Suspending, resuming and renewing wait for each other. */
  #inTurn(change: () => Promise<void>): Promise<void> {
    const changed = this.#changed.then(change);
    this.#changed = changed.catch(() => {});
    return changed;
  }

  async #resume(): Promise<void> {
    if (this.#status !== "suspended") return;
    this.#status = "listening";
    const { endpoints, listenOptions, transports } = this.#parts;
    try {
      for (const [index, endpoint] of endpoints.entries()) {
        const listener = await transports[endpoint.scheme].listen(
          endpoint,
          listenOptions,
        );
        endpoints[index] = listener.endpoint;
        this.#acceptors.push(
          new Acceptor(
            listener,
            this.#admission,
            (event) => this.#tell(event),
            (conn, ...from) => this.#take(conn, ...from),
          ),
        );
      }
    } catch (error) {
      await this.#stopListening();
      if (this.#status === "listening") this.#status = "suspended";
      throw error;
    }
    // It may have been told to stop while the listeners were opened.
    if (this.#status !== "listening") return await this.#stopListening();
    for (const acceptor of this.#acceptors) {
      this.#accepting.push(acceptor.run());
      this.#tell({ type: "listening", endpoint: acceptor.endpoint });
    }
    this.#watchCertificates();
  }

  /** Warns of certificates that end soon, now and once a day. */
  #watchCertificates(): void {
    const { clock, listenOptions } = this.#parts;
    this.#stopWatching();
    const { tls, warn } = listenOptions;
    if (tls === undefined) return;
    // Certificates follow the calendar, whatever the clock of the deadlines says.
    for (const warning of expiryWarnings(tls, Date.now())) {
      warn?.(this.endpoint, warning);
    }
    this.#watch = alarm(clock, DAY_MS, () => this.#watchCertificates());
  }

  #stopWatching(): void {
    if (this.#watch !== undefined) this.#parts.clock.cancel(this.#watch);
    this.#watch = undefined;
  }

  async #stopListening(): Promise<void> {
    this.#stopWatching();
    for (const acceptor of this.#acceptors.splice(0)) acceptor.close();
    await Promise.all(this.#accepting.splice(0));
  }

  #take(conn: Conn, endpoint: string, listener: Listener): void {
    // Accepted just before the listener was closed.
    if (this.#aborted) return closeQuietly(conn);
    const limit = this.#admission.enter(
      enteringSource(conn, endpoint, listener),
    );
    if (limit !== undefined) {
      return void this.#refuse(conn, endpoint, listener, limit);
    }
    const { wire } = this.#parts;
    if (!this.#preamble.isNeeded(listener) && !(wire instanceof Negotiated)) {
      return this.#begin(conn, endpoint, { wire, agreement: undefined });
    }
    void this.#prepare(conn, endpoint, listener);
  }

  /** Gets a connection through its preamble, and begins to serve it if that comes to something. */
  async #prepare(
    conn: Conn,
    endpoint: string,
    listener: Listener,
  ): Promise<void> {
    let greeted: Greeted<In, Out> | undefined;
    try {
      greeted = await this.#preamble.run(conn, listener);
    } catch (failure) {
      const address = addressOf(conn, endpoint);
      const [type, error] = failure instanceof HandshakeError
        ? ["handshake failed", failure.cause] as const
        : ["hello failed", failure] as const;
      this.#tell({ type, endpoint, address, error });
      await conn.released;
      this.#admission.leave(enteringSource(conn, endpoint, listener));
      return;
    }
    if (
      greeted !== undefined && this.#draining === undefined &&
      this.#countTold(greeted.conn, endpoint, listener.tellsSource?.(conn))
    ) return this.#begin(greeted.conn, endpoint, greeted);
    if (greeted !== undefined) closeQuietly(greeted.conn);
    this.#admission.leave(enteringSource(conn, endpoint, listener));
  }

  /** Counts a connection under the source that a proxy has told; false if there are too many from there. */
  #countTold(conn: Conn, endpoint: string, isTold = false): boolean {
    if (!isTold) return true;
    const limit = this.#admission.countSource(sourceOf(conn, endpoint));
    if (limit === undefined) return true;
    this.counters.refused++;
    const address = addressOf(conn, endpoint);
    this.#tell({ type: "refused", endpoint, address, limit });
    return false;
  }

  /** Serves a connection. */
  #begin(
    conn: Conn,
    endpoint: string,
    { wire, agreement }: Agreed<In, Out>,
  ): void {
    const framing = conn.framed?.framing ?? wire.framing;
    let host = this.#hosts.find((host) =>
      host.agreement === agreement && host.wire.framing === framing
    );
    if (host === undefined) {
      const roadWire = framing === wire.framing ? wire : { ...wire, framing };
      host = { ...this.#host, wire: roadWire, agreement };
      this.#hosts.push(host);
    }
    this.counters.accepted++;
    const peer = new Connection(host, conn, endpoint);
    this.#peers.add(peer);
    this.#tell({ type: "accepted", peer });
    void peer.run();
  }

  #ended(peer: Connection<In, Out, State>): void {
    this.#peers.delete(peer);
    this.#admission.leave(sourceOf(peer, peer.endpoint));
    this.counters.closed++;
    this.#tell({ type: "closed", peer, ending: peer.ending! });
    if (this.#peers.size === 0) this.#empty?.resolve();
  }

  async #refuse(
    conn: Conn,
    endpoint: string,
    listener: Listener,
    limit: "maxConnections" | "maxConnectionsPerSource",
  ): Promise<void> {
    this.counters.refused++;
    const address = addressOf(conn, endpoint);
    this.#tell({ type: "refused", endpoint, address, limit });
    const { wire, overLimit, clock } = this.#parts;
    const isTold = wire instanceof Negotiated || typeof overLimit !== "string";
    if (!isTold || this.#refusing.size >= MAX_REFUSING) return conn.close();
    this.#refusing.add(conn);
    const ready = await this.#preamble.shakeOnly(conn, listener);
    const words = ready && this.#refusal(limit, ready);
    if (words !== undefined) await sayLastWords(ready!, words, clock);
    this.#refusing.delete(conn);
  }

  /** What a connection beyond `limit` is told, if anything. */
  #refusal(
    limit: "maxConnections" | "maxConnectionsPerSource",
    { framed }: Conn,
  ): Uint8Array | undefined {
    const { wire, overLimit } = this.#parts;
    if (wire instanceof Negotiated) {
      return wire.refusal(limit, "the server has no room");
    }
    if (typeof overLimit === "string") return undefined;
    const { framing = wire.framing } = framed ?? {};
    return encodeFrame({ ...wire, framing }, overLimit(limit));
  }

  /**
   * Stops without losing what was accepted: no new connections, messages received so far are handled and their answers
   * sent, `handler.drain` may say a last word, then every connection is closed. What is not done at the deadline is cut
   * short. Called again, waits for the first call.
   */
  drain(options: DrainOptions = {}): Promise<void> {
    return this.#draining ??= this.#drain(options);
  }

  async #drain(options: DrainOptions): Promise<void> {
    const { deadlineMs = 10_000, comeBackWithinMs = 0 } = options;
    this.#status = "draining";
    await this.#stopListening();
    this.#preamble.stop();
    const connections = this.#peers.size;
    this.#tell({ type: "draining", connections, deadlineMs });
    const { clock, random } = this.#parts;
    if (connections > 0) {
      this.#empty = Promise.withResolvers();
      const deadline = alarm(clock, deadlineMs, () => {
        for (const peer of this.#peers) peer.cutShort();
      });
      for (const peer of this.#peers) {
        peer.drain({ comeBackInMs: Math.round(random() * comeBackWithinMs) });
      }
      await this.#empty.promise;
      clock.cancel(deadline);
    }
    this.#refusing.forEach(closeQuietly);
    this.#status = "stopped";
    this.#tell({ type: "stopped" });
    this.#closed.resolve();
  }

  /** Drains with the default deadline. */
  async close(): Promise<void> {
    await this.drain();
  }

  /** Stops at once and drops what is queued. */
  async abort(): Promise<void> {
    this.#aborted = true;
    const drained = this.drain();
    for (const peer of this.#peers) peer.cutShort();
    await drained;
  }

  /** Drains, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }
}

/** What a connection is counted under while it enters; nothing if only its proxy is known. */
function enteringSource(
  conn: Conn,
  endpoint: string,
  listener: Listener,
): string | undefined {
  return listener.tellsSource?.(conn) === true
    ? undefined
    : sourceOf(conn, endpoint);
}

function addressOf({ remoteAddr }: Conn, endpoint: string): string {
  return "hostname" in remoteAddr
    ? formatAddress(remoteAddr.hostname, remoteAddr.port)
    : endpoint;
}
