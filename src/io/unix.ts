import type { Endpoint } from "./endpoint.ts";
import { EndpointError } from "./endpoint_error.ts";
import type { Listener, Transport } from "./transport.ts";

type UnixEndpoint = Extract<Endpoint, { scheme: "unix" }>;

class UnixListener implements Listener {
  readonly endpoint: Endpoint;
  readonly #listener: Deno.UnixListener;

  constructor(endpoint: Endpoint, listener: Deno.UnixListener) {
    this.endpoint = endpoint;
    this.#listener = listener;
  }

  accept(): Promise<Deno.UnixConn> {
    return this.#listener.accept();
  }

  close(): void {
    this.#listener.close();
  }
}

/** Removes a socket file that no server answers at: what a crash leaves behind. */
async function removeStale(path: string): Promise<void> {
  const found = await Deno.lstat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket) {
    throw new Deno.errors.AlreadyExists(
      "a file that is no socket has this name",
    );
  }
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    await Deno.remove(path);
    return;
  }
  throw new Deno.errors.AddrInUse("a live server holds it");
}

/** The `unix` road. A socket file left by a crash is replaced, one that a live server holds is not. */
export const unixTransport: Transport = {
  async listen(endpoint) {
    const { path } = endpoint as UnixEndpoint;
    try {
      await removeStale(path);
      return new UnixListener(
        endpoint,
        Deno.listen({ transport: "unix", path }),
      );
    } catch (error) {
      throw new EndpointError("listen on", endpoint, error);
    }
  },

  async connect(endpoint, { signal }) {
    const { path } = endpoint as UnixEndpoint;
    try {
      signal?.throwIfAborted();
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      signal?.throwIfAborted();
      throw new EndpointError("connect to", endpoint, error);
    }
  },
};
