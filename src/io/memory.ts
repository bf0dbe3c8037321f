import type { Endpoint } from "./endpoint.ts";
import { EndpointError } from "./endpoint_error.ts";
import type { Conn, Listener, Transport } from "./transport.ts";

/** What a pipe holds before a writer has to wait, like the buffers of a socket. */
const PIPE_BYTES = 64 * 1024;

/** One direction of a pair: bounded, one reader and one writer. */
class Pipe {
  #chunks: Uint8Array[] = [];
  #held = 0;
  #ended = false;
  #broken = false;
  #wake: (() => void)[] = [];

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  /** Everything written can still be read. */
  end(): void {
    this.#ended = true;
    this.#changed();
  }

  /** The reader is gone: writes fail. */
  break(): void {
    this.#broken = true;
    this.#chunks = [];
    this.#changed();
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0) {
      if (this.#broken) {
        throw new Deno.errors.BadResource("Cannot read: the end is closed");
      }
      if (this.#ended) return null;
      await this.#change();
    }
    const chunk = this.#chunks[0]!;
    const count = Math.min(chunk.length, into.length);
    into.set(chunk.subarray(0, count));
    if (count === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(count);
    this.#held -= count;
    this.#changed();
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    for (;;) {
      if (this.#broken || this.#ended) {
        throw new Deno.errors.BrokenPipe("Cannot write: the stream is closed");
      }
      if (bytes.length === 0) return 0;
      const room = PIPE_BYTES - this.#held;
      // Room for a few bytes is no room, or a slow reader would cut everything into crumbs.
      if (room >= Math.min(bytes.length, PIPE_BYTES / 2)) {
        const chunk = bytes.slice(0, room);
        this.#chunks.push(chunk);
        this.#held += chunk.length;
        this.#changed();
        return chunk.length;
      }
      await this.#change();
    }
  }
}

class MemoryConn implements Conn {
  readonly localAddr: Deno.Addr;
  readonly remoteAddr: Deno.Addr;
  readonly #in: Pipe;
  readonly #out: Pipe;

  constructor(name: string, input: Pipe, output: Pipe) {
    this.localAddr = this.remoteAddr = { transport: "unix", path: name };
    this.#in = input;
    this.#out = output;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#in.read(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#out.write(bytes);
  }

  closeWrite(): Promise<void> {
    this.#out.end();
    return Promise.resolve();
  }

  close(): void {
    this.#out.end();
    this.#in.break();
  }
}

class MemoryListener implements Listener {
  readonly endpoint: Endpoint;
  readonly #name: string;
  readonly #waiting: Conn[] = [];
  #accepting: PromiseWithResolvers<Conn> | undefined;

  constructor(endpoint: Endpoint, name: string) {
    this.endpoint = endpoint;
    this.#name = name;
  }

  offer(conn: Conn): void {
    if (this.#accepting === undefined) this.#waiting.push(conn);
    else this.#accepting.resolve(conn);
    this.#accepting = undefined;
  }

  accept(): Promise<Conn> {
    const conn = this.#waiting.shift();
    if (conn !== undefined) return Promise.resolve(conn);
    this.#accepting = Promise.withResolvers();
    return this.#accepting.promise;
  }

  close(): void {
    listeners.delete(this.#name);
    for (const conn of this.#waiting) conn.close();
    this.#accepting?.reject(
      new Deno.errors.BadResource("Cannot accept: the listener is closed"),
    );
  }
}

const listeners = new Map<string, MemoryListener>();

/**
 * The two ends of a connection inside this process, with back-pressure and half-close like a socket's.
 *
 * @example Usage
 * ```ts
 * import { memoryPair } from "./memory.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const [here, there] = memoryPair("example");
 * await here.write(new Uint8Array([1, 2]));
 * const into = new Uint8Array(8);
 * assertEquals(await there.read(into), 2);
 * ```
 */
export function memoryPair(name: string): [Conn, Conn] {
  const forth = new Pipe();
  const back = new Pipe();
  return [
    new MemoryConn(name, back, forth),
    new MemoryConn(name, forth, back),
  ];
}

function nameOf(endpoint: Endpoint): string {
  return (endpoint as Extract<Endpoint, { scheme: "memory" }>).name;
}

/** The `memory` road: endpoints with names inside this process, without a permission. */
export const memoryTransport: Transport = {
  listen(endpoint) {
    const name = nameOf(endpoint);
    if (listeners.has(name)) {
      const error = new Deno.errors.AddrInUse("the name is taken");
      throw new EndpointError("listen on", endpoint, error);
    }
    const listener = new MemoryListener(endpoint, name);
    listeners.set(name, listener);
    return listener;
  },

  connect(endpoint) {
    const name = nameOf(endpoint);
    const listener = listeners.get(name);
    if (listener === undefined) {
      const error = new Deno.errors.ConnectionRefused("nobody listens");
      return Promise.reject(new EndpointError("connect to", endpoint, error));
    }
    const [client, server] = memoryPair(name);
    listener.offer(server);
    return Promise.resolve(client);
  },
};
