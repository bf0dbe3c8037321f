import { abortable } from "./abortable.ts";
import {
  setConnectionOptions,
  setListenerOptions,
} from "./apply_socket_options.ts";
import { closeQuietly } from "./close_quietly.ts";
import type { Endpoint } from "./endpoint.ts";
import { EndpointError } from "./endpoint_error.ts";
import type { SocketOptions } from "./socket_options.ts";
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
  readonly #listener: Deno.TcpListener | Deno.TlsListener;
  readonly #socket: SocketOptions;

  constructor(
    endpoint: TcpEndpoint,
    listener: Deno.TcpListener | Deno.TlsListener,
    options: TransportListenOptions,
  ) {
    this.#listener = listener;
    const { port } = listener.addr as Deno.NetAddr;
    this.endpoint = { ...endpoint, port };
    this.#socket = setListenerOptions(listener, options, this.endpoint);
  }

  async accept(): Promise<Conn> {
    const conn = await this.#listener.accept();
    // TLS connections of the runtime have no such method.
    if ("setNoDelay" in conn) {
      const { keepAlive = false, noDelay = true } = this.#socket;
      conn.setNoDelay(noDelay);
      if (keepAlive) conn.setKeepAlive(true);
    }
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
  listen(endpoint, options) {
    const { scheme, hostname, port } = endpoint as TcpEndpoint;
    try {
      const shared = {
        hostname,
        port,
        reusePort: reusePort(options),
        tcpBacklog: options.backlog ?? 4096,
      };
      if (scheme === "tcp") {
        const listener = Deno.listen(shared);
        return new NetListener(endpoint as TcpEndpoint, listener, options);
      }
      if (options.tls === undefined) {
        throw new TypeError("A certificate and a key are needed");
      }
      const { cert, key } = options.tls;
      const listener = Deno.listenTls({ ...shared, cert, key });
      return new NetListener(endpoint as TcpEndpoint, listener, options);
    } catch (error) {
      throw new EndpointError("listen on", endpoint, error);
    }
  },

  async connect(endpoint, options: TransportConnectOptions) {
    const { scheme, hostname, port } = endpoint as TcpEndpoint;
    const { signal, tls: { caCerts, cert, key } = {} } = options;
    try {
      const tcp = await Deno.connect({
        hostname,
        port,
        ...(signal === undefined ? {} : { signal }),
      });
      tcp.setNoDelay(true);
      const again = scheme === "tls" && cert !== undefined && key !== undefined;
      if (!again) setConnectionOptions(tcp, options, endpoint);
      if (scheme === "tcp") return tcp;
      const trusted = caCerts === undefined ? {} : { caCerts };
      if (!again) {
        return await startTls(tcp, { hostname, ...trusted }, signal);
      }
      // `startTls` ignores a client certificate, so this connection is made again by the call that sends it.
      tcp.close();
      const connecting = Deno.connectTls({
        hostname,
        port,
        cert,
        key,
        ...trusted,
      });
      try {
        const tls = await shakeHands(
          await abortable(connecting, signal),
          signal,
        );
        setConnectionOptions(tls, options, endpoint);
        return tls;
      } catch (error) {
        connecting.then(closeQuietly, () => {});
        throw error;
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw new EndpointError("connect to", endpoint, error);
    }
  },
};

async function startTls(
  tcp: Deno.TcpConn,
  options: Deno.StartTlsOptions,
  signal: AbortSignal | undefined,
): Promise<Conn> {
  let tls: Deno.TlsConn;
  try {
    tls = await Deno.startTls(tcp, options);
  } catch (error) {
    closeQuietly(tcp);
    throw error;
  }
  return await shakeHands(tls, signal);
}

async function shakeHands(
  tls: Deno.TlsConn,
  signal: AbortSignal | undefined,
): Promise<Conn> {
  const abort = () => closeQuietly(tls);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    signal?.throwIfAborted();
    await tls.handshake();
    return tls;
  } catch (error) {
    closeQuietly(tls);
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
