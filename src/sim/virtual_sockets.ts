import type { Link } from "../proto/sim/link.ts";
import { abortable } from "../io/abortable.ts";
import { alarm } from "../io/clock.ts";
import { type Endpoint, formatEndpoint } from "../io/endpoint.ts";
import { EndpointError } from "../io/endpoint_error.ts";
import type {
  Conn,
  Listener,
  Transport,
  TransportConnectOptions,
  TransportListenOptions,
} from "../io/transport.ts";
import type { NetworkEvent } from "./network_event.ts";
import type { VirtualClock } from "./virtual_clock.ts";
import { type Place, VirtualConn } from "./virtual_conn.ts";
import { processOf, type VirtualHost } from "./virtual_host.ts";
import { VirtualListener } from "./virtual_listener.ts";
import type { VirtualNames } from "./virtual_names.ts";
import type { VirtualProcess } from "./virtual_process.ts";

/** How long the first attempt to connect waits for an answer; each further one waits twice as long (RFC 6298). */
const CONNECT_RETRY_MS = 1000;

/** Attempts to connect: given up after 127 seconds; Linux's tcp_syn_retries. */
const CONNECT_ATTEMPTS = 7;

/** Connections that wait to be accepted, unless told otherwise. */
const BACKLOG = 4096;

/** What joins the hosts. */
export interface Fabric {
  /** The time. */
  readonly clock: VirtualClock;
  /** The name service. */
  readonly names: VirtualNames;
  /** How packets travel. */
  link(from: VirtualHost, to: VirtualHost): Link;
  /** A port that is not in use. */
  freePort(): number;
  /** Tells the observer. */
  tell(
    type: NetworkEvent["type"],
    from: string,
    to: string,
    bytes?: number,
  ): void;
}

/** What a listener occupies on its host. */
function keyOf(endpoint: Endpoint): string {
  return "port" in endpoint ? `:${endpoint.port}` : formatEndpoint(endpoint);
}

function placeOf(
  owner: VirtualProcess,
  { name, address }: VirtualHost,
  endpoint: Endpoint,
): Place {
  const label = `${name}${keyOf(endpoint)}`;
  return {
    owner,
    host: name,
    label,
    address: "port" in endpoint
      ? { transport: "tcp", hostname: address, port: endpoint.port }
      : { transport: "unix", path: label },
  };
}

/** The sockets of one process, as a road for endpoints of every scheme; `tls` travels as it is, in the clear. */
export class VirtualSockets implements Transport {
  readonly #process: VirtualProcess;
  readonly #host: VirtualHost;
  readonly #fabric: Fabric;

  /** Opens sockets for `process` on `host`. */
  constructor(process: VirtualProcess, host: VirtualHost, fabric: Fabric) {
    this.#process = process;
    this.#host = host;
    this.#fabric = fabric;
  }

  listen(
    endpoint: Endpoint,
    options: TransportListenOptions,
  ): Listener | Promise<Listener> {
    const { listeners, alive } = this.#process;
    if (!alive) return this.#dead();
    try {
      const bound = this.#bind(endpoint);
      const key = keyOf(bound);
      if (listeners.has(key)) {
        throw new Deno.errors.AddrInUse("Somebody else listens there");
      }
      const { backlog = BACKLOG } = options;
      const closed = () => listeners.delete(key);
      const listener = new VirtualListener(bound, backlog, closed);
      listeners.set(key, listener);
      return listener;
    } catch (error) {
      throw new EndpointError("listen on", endpoint, error);
    }
  }

  #bind(endpoint: Endpoint): Endpoint {
    if (!("port" in endpoint)) return endpoint;
    const { names, freePort } = this.#fabric;
    if (names.lookUp(endpoint.hostname, this.#host) !== this.#host) {
      throw new Deno.errors.AddrNotAvailable("It is another host's address");
    }
    return { ...endpoint, port: endpoint.port || freePort() };
  }

  async connect(
    endpoint: Endpoint,
    { signal }: TransportConnectOptions,
  ): Promise<Conn> {
    const dialling = this.#dial(endpoint, signal);
    try {
      return await abortable(dialling, signal);
    } catch (error) {
      dialling.then((conn) => conn.close(), () => {});
      if (!this.#process.alive) return await this.#dead();
      signal?.throwIfAborted();
      throw new EndpointError("connect to", endpoint, error);
    }
  }

  /** Nothing happens to a dead program any more. */
  #dead(): Promise<never> {
    return new Promise(() => {});
  }

  async #dial(
    endpoint: Endpoint,
    signal: AbortSignal | undefined,
  ): Promise<VirtualConn> {
    const { names, clock, tell, freePort } = this.#fabric;
    const [to, from] = "port" in endpoint
      ? [
        names.lookUp(endpoint.hostname, this.#host),
        { ...endpoint, port: freePort() },
      ]
      : [this.#host, endpoint];
    const client = placeOf(this.#process, this.#host, from);
    for (let attempt = 0; attempt < CONNECT_ATTEMPTS; attempt++) {
      const conn = to && await this.#attempt(client, to, endpoint);
      if (!this.#process.alive) return await this.#dead();
      if (conn !== undefined) return conn;
      tell("unanswered", client.label, formatEndpoint(endpoint));
      await clock.sleep(CONNECT_RETRY_MS * 2 ** attempt, signal);
      signal?.throwIfAborted();
    }
    throw new Deno.errors.TimedOut("Nobody answers");
  }

  /** Shakes hands with whoever listens; undefined if no answer comes. */
  async #attempt(
    client: Place,
    host: VirtualHost,
    endpoint: Endpoint,
  ): Promise<VirtualConn | undefined> {
    const { clock, link, tell } = this.#fabric;
    const forth = link(this.#host, host);
    const back = link(host, this.#host);
    if (!await this.#travels(forth)) return undefined;
    const server = placeOf(processOf(host), host, endpoint);
    const listener = processOf(host).listeners.get(keyOf(endpoint));
    const heard = listener?.hears(host === this.#host);
    if (heard && listener!.isFull) return undefined;
    if (!await this.#travels(back)) return undefined;
    if (!heard) {
      tell("refused", server.label, client.label);
      throw new Deno.errors.ConnectionRefused("Nobody listens there");
    }
    tell("connected", client.label, server.label);
    const conn = VirtualConn.pair({
      clock,
      client: { place: client, link: forth },
      server: { place: server, link: back },
      opened: (conn) => listener!.offer(conn),
      observe: (type, { there, here }, bytes) =>
        tell(type, there.label, here.label, bytes),
    });
    alarm(clock, forth.lifetimeMs(), () => conn.cut());
    return conn;
  }

  async #travels(link: Link): Promise<boolean> {
    if (!link.up) return false;
    const { clock } = this.#fabric;
    const nowMs = clock.now();
    await clock.sleep(link.arrivalMs(0, nowMs) - nowMs);
    return link.up && this.#process.alive;
  }
}
