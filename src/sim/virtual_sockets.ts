import type { Link } from "../proto/sim/link.ts";
import { abortable } from "../io/abortable.ts";
import type { Endpoint } from "../io/endpoint.ts";
import { EndpointError } from "../io/endpoint_error.ts";
import type {
  Conn,
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

/** Where the ports begin that the system chooses (RFC 6335, section 6). */
const FIRST_DYNAMIC_PORT = 49152;

/** How long the first attempt to connect waits for an answer; each further one waits twice as long (RFC 6298). */
const CONNECT_RETRY_MS = 1000;

/** Attempts to connect: given up after 127 seconds; Linux's tcp_syn_retries. */
const CONNECT_ATTEMPTS = 7;

/** Connections that wait to be accepted, unless told otherwise. */
const BACKLOG = 4096;

const LOOPBACK = /^(localhost|127\.0\.0\.1|::1)$/;

/** What joins the hosts. */
export interface Fabric {
  /** The time. */
  readonly clock: VirtualClock;
  /** The name service. */
  readonly names: VirtualNames;
  /** How packets travel. */
  link(from: VirtualHost, to: VirtualHost): Link;
  /** Tells the observer. */
  tell(
    type: NetworkEvent["type"],
    from: string,
    to: string,
    bytes?: number,
  ): void;
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

  async listen(
    endpoint: Endpoint,
    options: TransportListenOptions,
  ): Promise<VirtualListener> {
    if (!this.#process.alive) return await new Promise(() => {});
    try {
      return this.#listen(endpoint, options.backlog ?? BACKLOG);
    } catch (error) {
      throw new EndpointError("listen on", endpoint, error);
    }
  }

  #listen(endpoint: Endpoint, backlog: number): VirtualListener {
    const { listeners } = this.#process;
    let bound = endpoint;
    if ("port" in endpoint) {
      const { hostname, port } = endpoint;
      if (this.#fabric.names.lookUp(hostname, this.#host) !== this.#host) {
        throw new Deno.errors.AddrNotAvailable("It is another host's address");
      }
      bound = { ...endpoint, port: port || this.#process.freePort() };
    }
    const key = keyOf(bound);
    if (listeners.has(key)) {
      throw new Deno.errors.AddrInUse("Somebody else listens there");
    }
    const closed = () => listeners.delete(key);
    const listener = new VirtualListener(bound, backlog, closed);
    listeners.set(key, listener);
    return listener;
  }

  async connect(
    endpoint: Endpoint,
    { signal }: TransportConnectOptions,
  ): Promise<Conn> {
    const dialling = this.#dial(endpoint, signal);
    try {
      const conn = await abortable(dialling, signal);
      if (this.#process.alive) return conn;
    } catch (error) {
      void dialling.then((conn) => conn.close(), () => {});
      if (this.#process.alive) {
        signal?.throwIfAborted();
        throw new EndpointError("connect to", endpoint, error);
      }
    }
    return await new Promise(() => {});
  }
}
