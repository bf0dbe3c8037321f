import {
  setConnectionOptions,
  setListenerOptions,
} from "./apply_socket_options.ts";
import type { Endpoint } from "./endpoint.ts";
import { EndpointError } from "./endpoint_error.ts";
import { ProxiedListener } from "./proxied.ts";
import type { SocketOptions } from "./socket_options.ts";
import { connectTls, listenTls } from "./tls/road.ts";
import type {
  Conn,
  Listener,
  Transport,
  TransportConnectOptions,
  TransportListenOptions,
} from "./transport.ts";

type TcpEndpoint = Extract<Endpoint, { scheme: "tcp" | "tls" | "quic" }>;

class NetListener implements Listener {
  readonly endpoint: Endpoint;
  readonly #listener: Deno.TcpListener;
  readonly #socket: SocketOptions;

  constructor(
    endpoint: TcpEndpoint,
    listener: Deno.TcpListener,
    options: TransportListenOptions,
  ) {
    this.#listener = listener;
    const { port } = listener.addr;
    this.endpoint = { ...endpoint, port };
    this.#socket = setListenerOptions(listener, options, this.endpoint);
  }

  async accept(): Promise<Conn> {
    const conn = await this.#listener.accept();
    const { keepAlive = false, noDelay = true } = this.#socket;
    conn.setNoDelay(noDelay);
    if (keepAlive) conn.setKeepAlive(true);
    return conn;
  }

  close(): void {
    this.#listener.close();
  }
}

/** Refuses what the runtime would end the process for: `reusePort` without its flag. */
function reusePort(options: TransportListenOptions): boolean {
  if (options.reusePort !== true) return false;
  if (!("listenDatagram" in Deno)) {
    throw new Deno.errors.NotSupported(
      "reusePort needs the runtime's flag --unstable-net",
    );
  }
  return true;
}

/** The `tcp` and `tls` roads over the runtime's own sockets; messages are sent without delay (TCP_NODELAY). */
export const netTransport: Transport = {
  async listen(endpoint, options) {
    const { scheme, hostname, port } = endpoint as TcpEndpoint;
    try {
      const shared = {
        hostname,
        port,
        reusePort: reusePort(options),
        tcpBacklog: options.backlog ?? 4096,
      };
      const { trustedProxies = [] } = options;
      if (scheme !== "tcp") {
        if (trustedProxies.length > 0) {
          throw new Deno.errors.NotSupported(
            "PROXY headers, which come before TLS, are read at tcp:// and ws:// endpoints alone",
          );
        }
        return await listenTls(endpoint as TcpEndpoint, options);
      }
      const listener = new NetListener(
        endpoint as TcpEndpoint,
        Deno.listen(shared),
        options,
      );
      return trustedProxies.length === 0
        ? listener
        : new ProxiedListener(listener, trustedProxies);
    } catch (error) {
      throw new EndpointError("listen on", endpoint, error);
    }
  },

  async connect(endpoint, options: TransportConnectOptions) {
    const { scheme, hostname, port } = endpoint as TcpEndpoint;
    const { signal } = options;
    try {
      if (scheme !== "tcp") {
        return await connectTls(endpoint as TcpEndpoint, options);
      }
      const tcp = await Deno.connect({
        hostname,
        port,
        ...(signal === undefined ? {} : { signal }),
      });
      tcp.setNoDelay(true);
      setConnectionOptions(tcp, options, endpoint);
      return tcp;
    } catch (error) {
      signal?.throwIfAborted();
      throw new EndpointError("connect to", endpoint, error);
    }
  },
};
