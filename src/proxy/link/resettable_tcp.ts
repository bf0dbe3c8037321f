import {
  type AddressInfo,
  createConnection,
  createServer,
  type Server,
  type Socket,
} from "node:net";
import type { Endpoint } from "../../io/endpoint.ts";
import { EndpointError } from "../../io/endpoint_error.ts";
import { systemError } from "../../io/tls/node_conn.ts";
import type { Conn, Listener, Transport } from "../../io/transport.ts";

type TcpEndpoint = Extract<Endpoint, { scheme: "tcp" | "tls" | "quic" }>;

/** Connections that the kernel holds until they are accepted, and this process after that. */
const BACKLOG = 4096;

/** A connection that can be reset. */
interface Resettable extends Conn {
  /** Closes it by RST: what is unsent is dropped, and the peer reads an error. */
  reset(): void;
}

/** Ends a connection by RST, or closes it where its road has none. */
export function resetConn(conn: Conn): void {
  try {
    if ("reset" in conn) (conn as Resettable).reset();
    else conn.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** A connection of `node:net`, which can send RST where the runtime's own cannot. */
class NodeConn implements Resettable {
  readonly remoteAddr: Deno.NetAddr;
  readonly localAddr: Deno.NetAddr;
  readonly #socket: Socket;
  #rest: Uint8Array | undefined;
  #ended = false;
  #failure: unknown;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.remoteAddr = address(socket.remoteAddress, socket.remotePort);
    this.localAddr = address(socket.localAddress, socket.localPort);
    socket.setNoDelay(true);
    socket.on("readable", () => this.#wake());
    socket.on("end", () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on("error", (error) => {
      this.#failure ??= systemError(error);
      this.#wake();
    });
    socket.on("close", () => {
      this.#failure ??= new Deno.errors.BadResource("The connection is closed");
      this.#wake();
    });
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      const chunk = this.#rest ?? this.#socket.read() as Uint8Array | null;
      this.#rest = undefined;
      if (chunk !== null && chunk.length > 0) {
        const count = Math.min(chunk.length, into.length);
        into.set(chunk.subarray(0, count));
        if (count < chunk.length) this.#rest = chunk.subarray(count);
        return count;
      }
      if (this.#ended) return null;
      if (this.#failure !== undefined) throw this.#failure;
      this.#waiting = Promise.withResolvers();
      await this.#waiting.promise;
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error) reject(this.#failure ?? systemError(error));
        else resolve(bytes.length);
      });
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(this.#failure);
      this.#socket.end(() => resolve());
      this.#socket.once("close", () => resolve());
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }
}

function address(hostname = "", port = 0): Deno.NetAddr {
  return { transport: "tcp", hostname, port };
}

class NodeListener implements Listener {
  readonly endpoint: Endpoint;
  readonly #server: Server;
  readonly #accepted: Conn[] = [];
  #accepting: PromiseWithResolvers<Conn> | undefined;
  #closed = false;

  constructor(endpoint: TcpEndpoint, server: Server) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.endpoint = { ...endpoint, port };
    server.on("connection", (socket) => this.#take(socket));
    server.on("error", (error) => {
      this.#accepting?.reject(systemError(error));
      this.#accepting = undefined;
    });
  }

  #take(socket: Socket): void {
    // Who has left meanwhile has no address any more.
    const isGone = socket.remoteAddress === undefined;
    if (isGone || this.#closed || this.#accepted.length >= BACKLOG) {
      return void socket.destroy();
    }
    const conn = new NodeConn(socket);
    if (this.#accepting === undefined) return void this.#accepted.push(conn);
    this.#accepting.resolve(conn);
    this.#accepting = undefined;
  }

  accept(): Promise<Conn> {
    const conn = this.#accepted.shift();
    if (conn !== undefined) return Promise.resolve(conn);
    if (this.#closed) {
      return Promise.reject(
        new Deno.errors.BadResource("The listener is closed"),
      );
    }
    this.#accepting = Promise.withResolvers();
    return this.#accepting.promise;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#server.close();
    for (const conn of this.#accepted.splice(0)) resetConn(conn);
    this.#accepting?.reject(
      new Deno.errors.BadResource("The listener is closed"),
    );
    this.#accepting = undefined;
  }
}

/** The `tcp` road over `node:net`: its connections can be reset. */
export const resettableTcp: Transport = {
  async listen(endpoint) {
    const { hostname, port } = endpoint as TcpEndpoint;
    const server = createServer({ allowHalfOpen: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen({ host: hostname, port, backlog: BACKLOG }, resolve);
    try {
      await promise;
    } catch (error) {
      throw new EndpointError("listen on", endpoint, systemError(error));
    }
    server.off("error", reject);
    return new NodeListener(endpoint as TcpEndpoint, server);
  },

  async connect(endpoint, { signal }) {
    const { hostname, port } = endpoint as TcpEndpoint;
    signal?.throwIfAborted();
    const socket = createConnection({
      host: hostname,
      port,
      allowHalfOpen: true,
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    socket.once("connect", resolve);
    socket.once("error", reject);
    try {
      await promise;
    } catch (error) {
      socket.on("error", () => {});
      socket.destroy();
      signal?.throwIfAborted();
      throw new EndpointError("connect to", endpoint, systemError(error));
    } finally {
      signal?.removeEventListener("abort", abort);
      socket.off("error", reject);
    }
    return new NodeConn(socket);
  },
};
