/** A relay on a port of its own that counts what passes, both ways. */
export interface CountingRelay extends AsyncDisposable {
  /** Where it listens. */
  readonly endpoint: string;
  /** What has passed. */
  readonly bytes: number;
}

/** Passes connections on to `to`, a `tcp://` endpoint. */
export function countingRelay(to: string): CountingRelay {
  const target = new URL(to);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const conns = new Set<Deno.Conn>();
  let bytes = 0;
  const pass = async (from: Deno.Conn, into: Deno.Conn): Promise<void> => {
    const counted = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.length;
        controller.enqueue(chunk);
      },
    });
    await from.readable.pipeThrough(counted).pipeTo(into.writable)
      .catch(() => {});
  };
  const serve = async (): Promise<void> => {
    for await (const conn of listener) {
      const port = Number(target.port);
      const next = await Deno.connect({ hostname: target.hostname, port });
      conns.add(conn).add(next);
      void pass(conn, next);
      void pass(next, conn);
    }
  };
  const serving = serve();
  return {
    endpoint: `tcp://127.0.0.1:${listener.addr.port}`,
    get bytes() {
      return bytes;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
      for (const conn of conns) {
        try {
          conn.close();
        } catch {
          // Its streams have closed it.
        }
      }
    },
  };
}
