import { parseEndpoint } from "../../src/io/endpoint.ts";

/** Stands between a client and a gateway, and breaks connections. */
export class Breaker implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #conns = new Set<Deno.Conn>();
  readonly #port: number;
  /** Connections so far. */
  count = 0;

  constructor(to: string) {
    this.#port = (parseEndpoint(to) as { port: number }).port;
    void this.#run();
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}/`;
  }

  async #run(): Promise<void> {
    for await (const client of this.#listener) {
      this.count++;
      const server = await Deno.connect({
        hostname: "127.0.0.1",
        port: this.#port,
      });
      for (
        const [from, into] of [[client, server], [server, client]] as const
      ) {
        this.#conns.add(from);
        from.readable.pipeTo(into.writable).catch(() => {});
      }
    }
  }

  /** Breaks all connections. */
  cut(): void {
    for (const conn of this.#conns) {
      try {
        conn.close();
      } catch {
        // Closed already.
      }
    }
    this.#conns.clear();
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    this.cut();
  }
}
