import type { Clock } from "../../io/clock.ts";
import { EndpointError } from "../../io/endpoint_error.ts";
import { ToxicError } from "../../proto/link/toxics.ts";
import type { LinkEvent } from "./events.ts";
import { preciseClock } from "./precise_clock.ts";
import { ToxicProxy } from "./toxic_proxy.ts";
import {
  type Asked,
  readBody,
  readProxy,
  readText,
  type WantedProxy,
} from "./toxiproxy_request.ts";

/** The version of toxiproxy whose API this is; clients look at it. */
export const TOXIPROXY_VERSION = "2.12.0";

/** Proxies at a time. */
export const MAX_TOXIC_PROXIES = 1_000;

/** Options of {@linkcode serveToxiproxy}. */
export interface ToxiproxyOptions {
  /** The address to listen at. @default {"127.0.0.1"} */
  hostname?: string;
  /** The port to listen at; 0 lets the system choose. @default {8474} */
  port?: number;
  /** What chance is drawn from; a whole number. @default {1} */
  seed?: number;
  /** Is told what happens to connections. */
  observe?: (event: LinkEvent) => void;
  /** Where time comes from; the default is precise to a millisecond. */
  clock?: Clock;
}

/**
 * A running server of toxiproxy's HTTP API; made by {@linkcode serveToxiproxy}.
 *
 * @example Usage
 * ```ts
 * import { serveToxiproxy } from "./toxiproxy.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = serveToxiproxy({ port: 0 });
 * const response = await fetch(`${server.url}/version`);
 * assertEquals(await response.json(), { version: "2.12.0" });
 * ```
 */
export class Toxiproxy implements AsyncDisposable {
  readonly #options: ToxiproxyOptions;
  readonly #proxies = new Map<string, ToxicProxy>();
  readonly #http: Deno.HttpServer<Deno.NetAddr>;
  /** Changes are made one after another: two that start the same proxy must not meet. */
  #last: Promise<unknown> = Promise.resolve();
  #created = 0;

  /** Use {@linkcode serveToxiproxy}. */
  constructor(options: ToxiproxyOptions) {
    this.#options = options;
    const { hostname = "127.0.0.1", port = 8474 } = options;
    try {
      this.#http = Deno.serve(
        { hostname, port, onListen: () => {} },
        (request) => this.#answer(request),
      );
    } catch (error) {
      const endpoint = { scheme: "tcp", hostname, port } as const;
      throw new EndpointError("listen on", endpoint, error);
    }
  }

  /** Where its API is. */
  get url(): string {
    const { hostname, port } = this.#http.addr;
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    return `http://${host}:${port}`;
  }

  #inTurn(work: () => Promise<Response>): Promise<Response> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  async #answer(request: Request): Promise<Response> {
    try {
      // As toxiproxy does: no web page may change what a test relies on.
      if (request.headers.get("user-agent")?.startsWith("Mozilla/")) {
        throw new ToxicError(403, "User agent not allowed");
      }
      const path = new URL(request.url).pathname.split("/").slice(1)
        .map(decodeURIComponent);
      // Read first: whoever takes his time with it holds up nobody else.
      const asked = { method: request.method, text: await readText(request) };
      return await this.#inTurn(() => this.#route(asked, path));
    } catch (error) {
      const status = error instanceof ToxicError
        ? error.status
        : error instanceof URIError
        ? 400
        : 500;
      const reason = error instanceof Error ? error.message : String(error);
      return Response.json({ error: reason, status }, { status });
    }
  }

  async #route(
    asked: Asked,
    [first, name, toxics, toxic, ...rest]: string[],
  ): Promise<Response> {
    const { method } = asked;
    const isChange = method === "POST" || method === "PATCH";
    if (rest.length > 0) throw new ToxicError(404, "404 page not found");
    switch (first) {
      case "version":
        return Response.json({ version: TOXIPROXY_VERSION });
      case "reset":
        if (method !== "POST" || name !== undefined) break;
        return await this.#reset();
      case "populate":
        if (method !== "POST" || name !== undefined) break;
        return await this.#populate(readBody(asked));
      case "proxies":
        if (name === undefined) {
          if (method === "GET") return this.#list();
          if (method === "POST") {
            return await this.#create(readBody(asked));
          }
        } else if (toxics === undefined) {
          const proxy = this.#find(name);
          if (method === "GET") return Response.json(proxy.state);
          if (isChange) return await change(proxy, readBody(asked));
          if (method === "DELETE") return await this.#delete(proxy);
        } else if (toxics === "toxics") {
          return answerToxics(this.#find(name), toxic, asked);
        }
    }
    throw new ToxicError(
      method === "GET" ? 404 : 405,
      method === "GET" ? "404 page not found" : "Method not allowed",
    );
  }

  #find(name: string): ToxicProxy {
    const proxy = this.#proxies.get(name);
    if (proxy === undefined) throw new ToxicError(404, "Proxy not found");
    return proxy;
  }

  #list(): Response {
    const all = [...this.#proxies].map(([name, { state }]) => [name, state]);
    return Response.json(Object.fromEntries(all));
  }

  async #create(body: unknown): Promise<Response> {
    const wanted = readProxy(body);
    if (this.#proxies.has(wanted.name)) {
      throw new ToxicError(409, "Proxy already exists");
    }
    const proxy = await this.#add(wanted);
    return Response.json(proxy.state, { status: 201 });
  }

  async #add(wanted: WantedProxy): Promise<ToxicProxy> {
    if (this.#proxies.size >= MAX_TOXIC_PROXIES) {
      throw new ToxicError(
        400,
        `There are at most ${MAX_TOXIC_PROXIES} proxies`,
      );
    }
    const { seed = 1, clock = preciseClock, observe = () => {} } =
      this.#options;
    const proxy = new ToxicProxy({
      ...wanted,
      seed: seed + ++this.#created * 1_000_003,
      clock,
      observe,
    });
    if (wanted.enabled) await proxy.start();
    this.#proxies.set(wanted.name, proxy);
    return proxy;
  }

  /** All are read before the first is changed. */
  async #populate(body: unknown): Promise<Response> {
    if (!Array.isArray(body)) {
      throw new ToxicError(400, "Bad request body: a list is expected");
    }
    const proxies: ToxicProxy[] = [];
    for (const wanted of body.map(readProxy)) {
      const known = this.#proxies.get(wanted.name);
      const isSame = known !== undefined && known.listen === wanted.listen &&
        known.upstream === wanted.upstream;
      if (known !== undefined && !isSame) await this.#delete(known);
      const proxy = isSame ? known : await this.#add(wanted);
      await (wanted.enabled ? proxy.start() : proxy.stop());
      proxies.push(proxy);
    }
    return Response.json(
      { proxies: proxies.map(({ state }) => state) },
      { status: 201 },
    );
  }

  async #delete(proxy: ToxicProxy): Promise<Response> {
    this.#proxies.delete(proxy.name);
    await proxy.stop();
    return new Response(null, { status: 204 });
  }

  async #reset(): Promise<Response> {
    for (const proxy of this.#proxies.values()) {
      await proxy.start();
      proxy.clear();
    }
    return new Response(null, { status: 204 });
  }

  /** Ends the server, and every proxy. */
  async close(): Promise<void> {
    await this.#http.shutdown();
    for (const proxy of this.#proxies.values()) await proxy.stop();
    this.#proxies.clear();
  }

  /** Closes, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function answerToxics(
  proxy: ToxicProxy,
  name: string | undefined,
  asked: Asked,
): Response {
  const { method } = asked;
  if (name === undefined) {
    if (method === "GET") return Response.json(proxy.toxics);
    if (method === "POST") return Response.json(proxy.add(readBody(asked)));
  } else if (method === "GET") {
    return Response.json(proxy.get(name));
  } else if (method === "POST" || method === "PATCH") {
    return Response.json(proxy.change(name, readBody(asked)));
  } else if (method === "DELETE") {
    proxy.remove(name);
    return new Response(null, { status: 204 });
  }
  throw new ToxicError(405, "Method not allowed");
}

/** Where it listens or goes is changed by a restart, which drops its connections. */
async function change(proxy: ToxicProxy, body: unknown): Promise<Response> {
  const { name, listen, upstream, enabled } = proxy.state;
  const given = Object(body);
  const wanted = readProxy({
    listen: given.listen || listen,
    upstream: given.upstream || upstream,
    enabled: given.enabled ?? enabled,
    name,
  });
  const moves = wanted.listen !== listen || wanted.upstream !== upstream;
  if (moves || !wanted.enabled) await proxy.stop();
  proxy.listen = wanted.listen;
  proxy.upstream = wanted.upstream;
  if (wanted.enabled) await proxy.start();
  return Response.json(proxy.state);
}

/**
 * Serves toxiproxy's HTTP API, with links that misbehave as its toxics say: `latency`, `bandwidth`, `slow_close`,
 * `timeout`, `reset_peer`, `slicer`, `limit_data`, and `down` for a proxy that is not enabled. Clients of toxiproxy work
 * with it.
 *
 * @throws {EndpointError} If it cannot listen, as when the port is taken.
 *
 * @example Usage
 * ```ts
 * import { serveToxiproxy } from "./toxiproxy.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = serveToxiproxy({ port: 0 });
 * const response = await fetch(`${server.url}/proxies`, {
 *   method: "POST",
 *   body: JSON.stringify({
 *     name: "database",
 *     listen: "127.0.0.1:0",
 *     upstream: "127.0.0.1:5432",
 *   }),
 * });
 * assertEquals(response.status, 201);
 * assertEquals((await response.json()).enabled, true);
 * ```
 */
export function serveToxiproxy(options: ToxiproxyOptions = {}): Toxiproxy {
  return new Toxiproxy(options);
}
