/**
 * A real NATS server, and a road to it that can be cut.
 *
 * @module
 */

import { waitUntil, within } from "./wait.ts";

/** A `nats-server` process on a port of its own, which it keeps over restarts. */
export class NatsServer implements AsyncDisposable {
  port = 0;
  #child: Deno.ChildProcess | undefined;

  /** Starts a server. */
  static async start(): Promise<NatsServer> {
    const server = new NatsServer();
    await server.start();
    return server;
  }

  /** The backplane's URL at a port, this server's unless another is given. */
  url(cluster: string, port = this.port): string {
    return `nats://127.0.0.1:${port}/${cluster}`;
  }

  /** Starts it again after {@linkcode NatsServer.kill}. */
  async start(): Promise<void> {
    this.#child = new Deno.Command("nats-server", {
      args: ["-a", "127.0.0.1", "-p", String(this.port || -1)],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const ready = Promise.withResolvers<number>();
    let log = "";
    void (async (stderr) => {
      for await (const text of stderr.pipeThrough(new TextDecoderStream())) {
        log += text;
        const port = /client connections on 127\.0\.0\.1:(\d+)/.exec(log)?.[1];
        if (port !== undefined && log.includes("Server is ready")) {
          ready.resolve(Number(port));
        }
      }
      ready.reject(new Error(`Cannot start nats-server: ${log}`));
    })(this.#child.stderr);
    this.port = await within("nats-server", ready.promise);
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.status;
    this.#child = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** A road to a port of this machine on which, once it is cut, nothing moves and nothing ends. */
export class Road implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #conns = new Set<Deno.Conn>();
  readonly #to: number;
  readonly #done: Promise<void>;
  #open = Promise.withResolvers<void>();

  constructor(to: number) {
    this.#to = to;
    this.#open.resolve();
    this.#done = this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Stops all traffic. */
  cut(): void {
    this.#open = Promise.withResolvers();
  }

  /** Lets it through again, with what has waited. */
  mend(): void {
    this.#open.resolve();
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) {
      this.#conns.add(near);
      void this.#connect(near);
    }
  }

  async #connect(near: Deno.Conn): Promise<void> {
    try {
      await this.#open.promise;
      const far = await Deno.connect({ port: this.#to });
      this.#conns.add(far);
      await Promise.all([this.#copy(near, far), this.#copy(far, near)]);
    } catch {
      this.#close(near);
    }
  }

  async #copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(65536);
    try {
      for (;;) {
        const count = await from.read(buffer);
        await this.#open.promise;
        if (count === null) break;
        for (let at = 0; at < count;) {
          at += await to.write(buffer.subarray(at, count));
        }
      }
    } catch {
      // One side is gone.
    }
    this.#close(from);
    this.#close(to);
  }

  #close(conn: Deno.Conn): void {
    if (!this.#conns.delete(conn)) return;
    try {
      conn.close();
    } catch {
      // Closed already.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.mend();
    this.#listener.close();
    for (const conn of this.#conns) this.#close(conn);
    await this.#done;
    await waitUntil("the end of the road", () => this.#conns.size === 0);
  }
}
