import { parseEndpoint } from "../../src/io/endpoint.ts";
import type { Conn, Listener } from "../../src/io/transport.ts";
import type { VirtualHost } from "../../src/sim/virtual_host.ts";
import type { VirtualNetwork } from "../../src/sim/virtual_network.ts";

/** Listens on a virtual host, below any server. */
export async function listenOn(
  host: VirtualHost,
  to: string,
  backlog = 128,
): Promise<Listener> {
  const endpoint = parseEndpoint(to);
  return await host.transports[endpoint.scheme].listen(endpoint, { backlog });
}

/** Dials from a virtual host, below any client. */
export function dialFrom(
  host: VirtualHost,
  to: string,
  signal?: AbortSignal,
): Promise<Conn> {
  const endpoint = parseEndpoint(to);
  const options = signal === undefined ? {} : { signal };
  return host.transports[endpoint.scheme].connect(endpoint, options);
}

/** Both ends of a connection from the host `client` to the host `server`; run it in virtual time. */
export async function virtualPair(
  network: VirtualNetwork,
): Promise<[client: Conn, server: Conn]> {
  const listener = await listenOn(network.host("server"), "tcp://0.0.0.0:0");
  const { port } = listener.endpoint as { port: number };
  const ends = await Promise.all([
    dialFrom(network.host("client"), `tcp://server:${port}`),
    listener.accept(),
  ]);
  listener.close();
  return ends;
}

/** Reads once; the bytes, or null at the end. */
export async function readSome(
  conn: Conn,
  most = 65536,
): Promise<number[] | null> {
  const into = new Uint8Array(most);
  const count = await conn.read(into);
  return count === null ? null : [...into.subarray(0, count)];
}

/** Writes all of `bytes`. */
export async function writeAll(conn: Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await conn.write(bytes.subarray(at));
  }
}

/** Runs a test's body in the virtual time of its network. */
export function inTime<T>(
  network: VirtualNetwork,
  body: () => Promise<T>,
): Promise<T> {
  return network.clock.runUntil(body());
}
