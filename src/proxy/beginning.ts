import { unmapAddress } from "../proto/address.ts";
import { Networks } from "../proto/ip.ts";
import { readProxyHeader } from "../proto/proxy_protocol/read.ts";
import type { ProxyAddress } from "../proto/proxy_protocol/header.ts";
import { readClientHello } from "../proto/tls/client_hello.ts";
import { alarm, type Clock } from "../io/clock.ts";
import { closeQuietly } from "../io/close_quietly.ts";
import type { Conn, Listener } from "../io/transport.ts";
import type { ProxyRequest } from "./events.ts";
import { FirstBytes } from "../io/first_bytes.ts";
import type { ProxyOptions } from "./proxy_options.ts";

/** Turned away before it was passed on. */
export class TurnedAway extends Error {
  override readonly name = "TurnedAway";
}

/** A connection whose beginning was looked at. */
export interface Begun {
  /** The connection, after the handshake of its road. */
  readonly client: Conn;
  /** What it has sent for the target. */
  readonly first: Uint8Array;
  /** What is known of it. */
  readonly request: Omit<ProxyRequest, "id">;
}

/** Looks at the beginning of connections: the handshake, a PROXY header, what TLS asks for; whichever there are. */
export class Beginning {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #readHello: boolean;
  readonly #trusted: Networks;
  readonly #allow: Networks | undefined;
  readonly #deny: Networks;

  constructor(options: ProxyOptions, clock: Clock, timeoutMs: number) {
    const { trustedProxies = [], allow, deny = [], readHello } = options;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#readHello = readHello === true;
    this.#trusted = new Networks(trustedProxies);
    this.#allow = allow && new Networks(allow);
    this.#deny = new Networks(deny);
  }

  /**
   * Gets through it in time; undefined if the road itself has answered all that the peer wanted. Closes `conn` and throws
   * if it comes to nothing.
   */
  async read(
    conn: Conn,
    endpoint: string,
    listener: Listener,
  ): Promise<Begun | undefined> {
    const timeout = new AbortController();
    const deadline = alarm(this.#clock, this.#timeoutMs, () => {
      timeout.abort(
        new TurnedAway(`Cannot wait: nothing whole in ${this.#timeoutMs} ms`),
      );
      closeQuietly(conn);
    });
    try {
      const client = listener.shake === undefined
        ? conn
        : await listener.shake(conn, timeout.signal);
      return client && await this.#look(client, endpoint);
    } catch (error) {
      closeQuietly(conn);
      timeout.signal.throwIfAborted();
      throw error;
    } finally {
      this.#clock.cancel(deadline);
    }
  }

  async #look(client: Conn, endpoint: string): Promise<Begun> {
    const first = new FirstBytes(client);
    const ours = {
      source: netAddress(client.remoteAddr),
      destination: netAddress(client.localAddr),
    };
    const { source } = ours;
    const isTrusted = source !== undefined &&
      this.#trusted.has(source.hostname);
    const header = isTrusted ? await this.#header(first) : undefined;
    const isTold = header?.command === "proxy" &&
      header.transport !== "unknown";
    const told = isTold
      ? { source: header.source, destination: header.destination }
      : ours;
    this.#check(told.source);
    const hello = this.#readHello
      ? await first.until(readClientHello)
      : undefined;
    return {
      client,
      first: first.bytes,
      request: { endpoint, ...told, hello, header },
    };
  }

  async #header(first: FirstBytes): Promise<ProxyRequest["header"]> {
    const { header, length } = await first.until(readProxyHeader);
    first.drop(length);
    return header;
  }

  #check(source: ProxyAddress | undefined): void {
    if (source === undefined || "path" in source) return;
    const { hostname } = source;
    if (this.#deny.has(hostname) || this.#allow?.has(hostname) === false) {
      throw new TurnedAway(`Cannot pass on ${hostname}: it is denied`);
    }
  }
}

function netAddress(
  address: Deno.Addr,
): { hostname: string; port: number } | undefined {
  if (!("hostname" in address)) return undefined;
  return { hostname: unmapAddress(address.hostname), port: address.port };
}
