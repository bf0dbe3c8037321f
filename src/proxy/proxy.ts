import { formatAddress } from "../proto/address.ts";
import { writeProxyHeader } from "../proto/proxy_protocol/write.ts";
import { alarm, type Clock, systemClock } from "../io/clock.ts";
import { closeQuietly } from "../io/close_quietly.ts";
import { formatEndpoint, parseEndpoint } from "../io/endpoint.ts";
import { writeAll } from "../io/greet.ts";
import { completeLimits } from "../io/limits.ts";
import type { Conn, Listener } from "../io/transport.ts";
import { systemTransports, type Transports } from "../io/transports.ts";
import { Acceptor, Admission, sourceOf } from "../server/acceptor.ts";
import { DEFAULT_SERVER_LIMITS } from "../server/limits.ts";
import { Beginning, type Begun, TurnedAway } from "./beginning.ts";
import type { ProxyEvent, ProxyRequest } from "./events.ts";
import {
  DEFAULT_PROXY_LIMITS,
  type ProxyLimits,
  type ProxyOptions,
  type ProxyRoute,
  type ProxyTarget,
} from "./proxy_options.ts";
import { relay, type RelayReport } from "./relay.ts";

/**
 * A running proxy; made by {@linkcode proxy}.
 *
 * @example Usage
 * ```ts
 * import { connect, lines, proxy, serve, text } from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * await using service = await serve({
 *   listen: "memory:behind",
 *   wire,
 *   handler: { message: (peer, line) => peer.send(line) },
 * });
 * const front = await proxy({ listen: "memory:front", to: service.endpoint });
 * assertEquals(front.connections, 0);
 * await front.drain({ deadlineMs: 1000 });
 * ```
 */
export class Proxy implements AsyncDisposable {
  readonly #options: ProxyOptions;
  readonly #limits: Required<ProxyLimits>;
  readonly #route: ProxyRoute;
  readonly #beginning: Beginning;
  readonly #admission: Admission;
  readonly #clock: Clock;
  readonly #transports: Transports;
  readonly #acceptors: Acceptor[] = [];
  readonly #accepting: Promise<void>[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  #lastId = 0;

  /** Use {@linkcode proxy}. */
  constructor(options: ProxyOptions) {
    const { to } = options;
    this.#options = options;
    this.#limits = completeLimits(options.limits, DEFAULT_PROXY_LIMITS);
    this.#route = typeof to === "function"
      ? to
      : () => typeof to === "string" ? { to } : to;
    if (typeof to !== "function") {
      parseEndpoint(typeof to === "string" ? to : to.to);
    }
    this.#clock = options.clock ?? systemClock;
    this.#beginning = new Beginning(
      options,
      this.#clock,
      this.#limits.handshakeMs,
    );
    this.#transports = options.transports ?? systemTransports;
    const { maxConnections, maxConnectionsPerSource, acceptsPerSecond } =
      this.#limits;
    this.#admission = new Admission(
      {
        ...DEFAULT_SERVER_LIMITS,
        maxConnections,
        maxConnectionsPerSource,
        acceptsPerSecond,
      },
      false,
      this.#clock,
    );
  }

  /** Where it listens, as URLs; with the ports that the system chose. */
  get endpoints(): string[] {
    return this.#acceptors.map(({ endpoint }) => endpoint);
  }

  /** The first of `endpoints`. */
  get endpoint(): string {
    return this.endpoints[0]!;
  }

  /** Connections now. */
  get connections(): number {
    return this.#running.size;
  }

  /** Starts to listen. */
  async start(): Promise<void> {
    // The headers of proxies are read here, as what else they say is passed on.
    const { trustedProxies: _, ...options } = this.#options;
    try {
      for (const url of [this.#options.listen].flat()) {
        const endpoint = parseEndpoint(url);
        const listener = await this.#transports[endpoint.scheme].listen(
          endpoint,
          options,
        );
        this.#acceptors.push(
          new Acceptor(
            listener,
            this.#admission,
            (event) => this.#tell(event as ProxyEvent),
            (conn, endpoint, listener) => this.#take(conn, endpoint, listener),
          ),
        );
      }
    } catch (error) {
      await this.#stopListening();
      throw error;
    }
    for (const acceptor of this.#acceptors) {
      this.#accepting.push(acceptor.run());
      this.#tell({ type: "listening", endpoint: acceptor.endpoint });
    }
  }

  #tell(event: ProxyEvent): void {
    try {
      this.#options.observe?.(event);
    } catch (error) {
      reportError(error);
    }
  }

  #take(conn: Conn, endpoint: string, listener: Listener): void {
    const source = sourceOf(conn, endpoint);
    const limit = this.#admission.enter(source);
    if (limit !== undefined) {
      const address = addressOf(conn) ?? endpoint;
      this.#tell({ type: "refused", endpoint, address, limit });
      return closeQuietly(conn);
    }
    const running = this.#serve(conn, endpoint, listener).finally(() => {
      this.#running.delete(running);
      this.#admission.leave(source);
    });
    this.#running.add(running);
  }

  async #serve(
    conn: Conn,
    endpoint: string,
    listener: Listener,
  ): Promise<void> {
    const startMs = this.#clock.now();
    let client = conn;
    try {
      const begun = await this.#beginning.read(conn, endpoint, listener);
      if (begun === undefined) return;
      client = begun.client;
      const request = { ...begun.request, id: ++this.#lastId };
      const target = await this.#route(request);
      if (target === undefined) {
        throw new TurnedAway("Cannot pass on: there is no route");
      }
      await this.#pass(begun, request, target, startMs);
    } catch (error) {
      closeQuietly(client);
      const address = addressOf(conn) ?? endpoint;
      const reason = error instanceof Error ? error.message : String(error);
      this.#tell({ type: "turned away", endpoint, address, reason, error });
    }
  }

  async #pass(
    { client, first }: Pick<Begun, "client" | "first">,
    request: ProxyRequest,
    target: ProxyTarget,
    startMs: number,
  ): Promise<void> {
    const { to, watch } = target;
    const dialMs = this.#clock.now();
    let server: Conn;
    try {
      server = await this.#dial(target, request, first);
    } catch (error) {
      this.#tell({ type: "connect failed", request, to, error });
      const connectMs = this.#clock.now() - dialMs;
      const other = await watch?.failed?.(error, connectMs);
      if (other === undefined) return closeQuietly(client);
      return await this.#pass({ client, first }, request, other, startMs);
    }
    const connectMs = this.#clock.now() - dialMs;
    watch?.connected?.(connectMs);
    const { idleMs, maxMs } = this.#limits;
    const report: RelayReport = await relay(client, server, {
      clock: this.#clock,
      idleMs,
      maxMs,
      signal: this.#abort.signal,
      isAsked: first.length > 0,
      answered: watch?.answered?.bind(watch),
    });
    watch?.ended?.(report);
    const durationMs = this.#clock.now() - startMs;
    this.#tell({
      type: "relayed",
      access: {
        ...report,
        bytesIn: report.bytesIn + first.length,
        request,
        to,
        connectMs,
        durationMs,
      },
    });
  }

  /** Connects, and sends what has to come before everything else, in one write. */
  async #dial(
    { to, tls, proxyProtocol }: ProxyTarget,
    request: ProxyRequest,
    first: Uint8Array,
  ): Promise<Conn> {
    const endpoint = parseEndpoint(to);
    const { connectMs } = this.#limits;
    const timeout = new AbortController();
    const deadline = alarm(this.#clock, connectMs, () =>
      timeout.abort(
        new Deno.errors.TimedOut(
          `Cannot connect to ${
            formatEndpoint(endpoint)
          }: no answer within ${connectMs} ms`,
        ),
      ));
    try {
      const conn = await this.#transports[endpoint.scheme].connect(endpoint, {
        signal: timeout.signal,
        ...(tls === undefined ? {} : { tls }),
      });
      const header = proxyProtocol === undefined
        ? new Uint8Array()
        : writeProxyHeader(headerFor(request, proxyProtocol));
      const bytes = new Uint8Array(header.length + first.length);
      bytes.set(header);
      bytes.set(first, header.length);
      if (bytes.length > 0) {
        await writeAll(conn, bytes).catch((error) => {
          closeQuietly(conn);
          throw error;
        });
      }
      return conn;
    } finally {
      this.#clock.cancel(deadline);
    }
  }

  async #stopListening(): Promise<void> {
    for (const acceptor of this.#acceptors) acceptor.close();
    await Promise.all(this.#accepting.splice(0));
  }

  /** Takes no more connections, and waits for those that there are; cuts them off at the deadline. */
  async drain(options: { deadlineMs?: number } = {}): Promise<void> {
    const { deadlineMs = 10_000 } = options;
    await this.#stopListening();
    const deadline = alarm(this.#clock, deadlineMs, () => this.#abort.abort());
    await Promise.all(this.#running);
    this.#clock.cancel(deadline);
  }

  /** Cuts everything off. */
  async abort(): Promise<void> {
    this.#abort.abort();
    await this.drain({ deadlineMs: 0 });
  }

  /** Drains, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }
}

function addressOf(conn: Conn): string | undefined {
  const { remoteAddr } = conn;
  return "hostname" in remoteAddr
    ? formatAddress(remoteAddr.hostname, remoteAddr.port)
    : undefined;
}

/** What the next proxy or server is told. */
function headerFor(
  { source, destination, header, hello }: ProxyRequest,
  version: 1 | 2,
): Parameters<typeof writeProxyHeader>[0] {
  return {
    ...header,
    version,
    command: "proxy",
    transport: source === undefined ? "unknown" : "stream",
    source,
    destination,
    authority: hello?.serverName ?? header?.authority,
  };
}

/**
 * Passes connections on, byte by byte, with back-pressure, to one target or to whichever a route chooses. TLS is ended
 * here by listening at `tls://`, begun by a target with `tls://`, or passed through between two `tcp://` ones.
 *
 * @throws {EndpointError} If an endpoint cannot be listened on.
 *
 * @example Usage
 * ```ts
 * import { proxy } from "./proxy.ts";
 * import { connect, lines, serve, text } from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * await using service = await serve({
 *   listen: "memory:service behind a proxy",
 *   wire,
 *   handler: { message: (peer, line) => peer.send(line.toUpperCase()) },
 * });
 * await using front = await proxy({
 *   listen: "memory:proxy",
 *   to: service.endpoint,
 * });
 * await using client = await connect({ to: front.endpoint, wire });
 * client.send("ahoy");
 * assertEquals(await client.receive(), "AHOY");
 * ```
 */
export async function proxy(options: ProxyOptions): Promise<Proxy> {
  const running = new Proxy(options);
  await running.start();
  return running;
}
