import {
  type AddressInfo,
  createServer,
  type Server,
  type Socket,
} from "node:net";
import { setListenerOptions } from "../apply_socket_options.ts";
import type { Endpoint } from "../endpoint.ts";
import type { SocketOptions } from "../socket_options.ts";
import type { Conn, Listener, TransportListenOptions } from "../transport.ts";
import { NodeTlsConn, systemError } from "./node_conn.ts";
import { type NodeTlsEngine, systemNodeTls } from "./node_engine.ts";
import { NodeTlsServer } from "./node_server.ts";
import type { ServerTlsOptions } from "./options.ts";
import { proveOptions } from "./prove.ts";

type NetEndpoint = Extract<Endpoint, { scheme: "tcp" | "tls" | "quic" }>;

/** What the kernel holds, and this process once it has them from the kernel, until they are asked for. */
const DEFAULT_BACKLOG = 4096;

/** A listener whose connections speak TLS by `node:tls`. */
class NodeTlsListener implements Listener {
  readonly endpoint: Endpoint;
  readonly #server: Server;
  readonly #engine: NodeTlsEngine;
  readonly #maxWaiting: number;
  readonly #socket: SocketOptions;
  #tls: NodeTlsServer;
  /** Accepted by the runtime, and not yet asked for. */
  readonly #waiting: Conn[] = [];
  #accepting: PromiseWithResolvers<Conn> | undefined;
  #closed = false;

  constructor(
    endpoint: NetEndpoint,
    server: Server,
    tls: NodeTlsServer,
    engine: NodeTlsEngine,
    options: TransportListenOptions,
  ) {
    this.#server = server;
    this.#tls = tls;
    this.#engine = engine;
    this.#maxWaiting = options.backlog ?? DEFAULT_BACKLOG;
    const { address, port } = server.address() as AddressInfo;
    this.endpoint = { ...endpoint, port };
    this.#socket = setListenerOptions(
      {
        addr: { transport: "tcp", hostname: address, port },
        close: () => server.close(),
      },
      options,
      this.endpoint,
    );
    server.on("connection", (raw) => this.#take(raw));
    server.on("error", (error) => {
      this.#accepting?.reject(systemError(error));
      this.#accepting = undefined;
    });
  }

  #take(raw: Socket): void {
    // Who has left meanwhile has no address any more.
    if (raw.remoteAddress === undefined || this.#closed) {
      return void raw.destroy();
    }
    const { keepAlive = false, noDelay = true } = this.#socket;
    raw.setNoDelay(noDelay);
    if (keepAlive) raw.setKeepAlive(true);
    const conn = new NodeTlsConn(
      raw,
      (conn, signal) => this.#handshake(conn, signal),
    );
    const accepting = this.#accepting;
    this.#accepting = undefined;
    if (accepting !== undefined) accepting.resolve(conn);
    else if (this.#waiting.length < this.#maxWaiting) this.#waiting.push(conn);
    else conn.close();
  }

  accept(): Promise<Conn> {
    const conn = this.#waiting.shift();
    if (conn !== undefined) return Promise.resolve(conn);
    if (this.#closed) {
      return Promise.reject(
        new Deno.errors.BadResource("The listener is closed"),
      );
    }
    this.#accepting = Promise.withResolvers();
    return this.#accepting.promise;
  }

  async #handshake(conn: NodeTlsConn, signal?: AbortSignal): Promise<void> {
    const { socket, identity } = await this.#tls.shake(conn.raw, signal);
    conn.secured(socket, identity);
  }

  async shake(conn: Conn, signal: AbortSignal): Promise<Conn> {
    await (conn as NodeTlsConn).shake(signal);
    return conn;
  }

  async renew(tls: ServerTlsOptions): Promise<void> {
    this.#tls = await prove(tls, this.#engine);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#server.close();
    for (const conn of this.#waiting.splice(0)) conn.close();
    this.#accepting?.reject(
      new Deno.errors.BadResource("The listener is closed"),
    );
    this.#accepting = undefined;
  }
}

async function prove(
  tls: ServerTlsOptions,
  engine: NodeTlsEngine,
): Promise<NodeTlsServer> {
  const server = new NodeTlsServer(tls, engine);
  await proveOptions(server, tls);
  return server;
}

/**
 * Listens by `node:tls`, once that has proved to heed the options.
 *
 * @throws {Deno.errors.NotSupported} If the runtime ignores one of them.
 */
export async function listenByNode(
  endpoint: NetEndpoint,
  options: TransportListenOptions & { tls: ServerTlsOptions },
  engine: NodeTlsEngine = systemNodeTls,
): Promise<Listener> {
  const proved = await prove(options.tls, engine);
  const { backlog = DEFAULT_BACKLOG, reusePort = false } = options;
  const { hostname, port } = endpoint;
  const server = createServer({
    allowHalfOpen: true,
    // Nothing is read before the handshake begins.
    pauseOnConnect: true,
  });
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  server.listen(
    { host: hostname, port, backlog, ...(reusePort ? { reusePort } : {}) },
    listening.resolve,
  );
  try {
    await listening.promise;
  } catch (error) {
    throw systemError(error);
  }
  server.off("error", listening.reject);
  return new NodeTlsListener(endpoint, server, proved, engine, options);
}
