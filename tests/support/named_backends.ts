/**
 * Backends that say who they are, and hold their connections until the client ends them.
 *
 * @module
 */

/** Some of them, on ports of their own. */
export class NamedBackends implements Disposable {
  readonly #listeners: Deno.TcpListener[] = [];

  constructor(count: number) {
    for (let index = 0; index < count; index++) {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      this.#listeners.push(listener);
      void this.#run(listener, index);
    }
  }

  /** Their ports, in order. */
  get ports(): number[] {
    return this.#listeners.map(({ addr }) => addr.port);
  }

  /** Their endpoints, in order. */
  get urls(): string[] {
    return this.ports.map((port) => `tcp://127.0.0.1:${port}`);
  }

  async #run(listener: Deno.TcpListener, index: number): Promise<void> {
    for await (const conn of listener) void hold(conn, index);
  }

  [Symbol.dispose](): void {
    for (const listener of this.#listeners) listener.close();
  }
}

async function hold(conn: Deno.Conn, index: number): Promise<void> {
  try {
    await conn.write(Uint8Array.of(index));
    const buffer = new Uint8Array(64);
    while (await conn.read(buffer) !== null);
  } catch {
    // The client was cut off.
  } finally {
    conn.close();
  }
}

/** Connects, and returns the connection and who has answered. */
export async function whoAnswers(
  options: Deno.ConnectOptions | Deno.UnixConnectOptions,
): Promise<{ conn: Deno.Conn; index: number }> {
  const conn = "path" in options
    ? await Deno.connect(options)
    : await Deno.connect(options);
  const name = new Uint8Array(1);
  if (await conn.read(name) !== 1) {
    conn.close();
    throw new Error("Cannot see who answers: the connection has ended");
  }
  return { conn, index: name[0]! };
}
