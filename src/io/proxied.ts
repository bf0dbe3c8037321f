import { unmapAddress } from "../proto/address.ts";
import { Networks } from "../proto/ip.ts";
import type { ProxyAddress } from "../proto/proxy_protocol/header.ts";
import { readProxyHeader } from "../proto/proxy_protocol/read.ts";
import { closeQuietly } from "./close_quietly.ts";
import type { Endpoint } from "./endpoint.ts";
import { FirstBytes } from "./first_bytes.ts";
import { replay } from "./replay.ts";
import type { Conn, Listener } from "./transport.ts";

/** A listener behind proxies that tell by PROXY headers where connections come from. */
export class ProxiedListener implements Listener {
  readonly endpoint: Endpoint;
  readonly #inner: Listener;
  readonly #trusted: Networks;

  /**
   * Trusts the proxies at these addresses and networks.
   *
   * @throws {SyntaxError} If one of them is none.
   */
  constructor(inner: Listener, trusted: Iterable<string>) {
    this.endpoint = inner.endpoint;
    this.#inner = inner;
    this.#trusted = new Networks(trusted);
  }

  accept(): Promise<Conn> {
    return this.#inner.accept();
  }

  tellsSource({ remoteAddr }: Conn): boolean {
    return "hostname" in remoteAddr && this.#trusted.has(remoteAddr.hostname);
  }

  async shake(conn: Conn, signal: AbortSignal): Promise<Conn> {
    if (!this.tellsSource(conn)) return conn;
    const close = () => closeQuietly(conn);
    signal.addEventListener("abort", close, { once: true });
    try {
      signal.throwIfAborted();
      const first = new FirstBytes(conn);
      const { header, length } = await first.until(readProxyHeader);
      const { source, destination, command, transport } = header;
      const isTold = command === "proxy" && transport !== "unknown";
      return replay(
        conn,
        first.bytes.subarray(length),
        isTold
          ? { remoteAddr: addr(source), localAddr: addr(destination) }
          : {},
      );
    } catch (error) {
      close();
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", close);
    }
  }

  close(): void {
    this.#inner.close();
  }
}

function addr(address: ProxyAddress | undefined): Deno.Addr | undefined {
  if (address === undefined) return undefined;
  if ("path" in address) return { transport: "unix", path: address.path };
  const { hostname, port } = address;
  return { transport: "tcp", hostname: unmapAddress(hostname), port };
}
