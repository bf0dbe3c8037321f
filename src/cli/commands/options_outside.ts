/**
 * What other programs see of a socket: `ss` of its options, the peer of its close.
 *
 * @module
 */

import type { SocketAddresses } from "../../io/ffi/descriptor.ts";
import type { SocketOptionName } from "../../io/socket_option_table.ts";
import type { Conn } from "../../io/transport.ts";

/** What was seen from outside, by option. */
export type OutsideView = Partial<Record<SocketOptionName, string>>;

/** Why `ss` cannot be asked; undefined if it can. */
export async function whyWithoutSs(): Promise<string | undefined> {
  const permission = { name: "run", command: "ss" } as const;
  if (Deno.permissions.querySync(permission).state !== "granted") {
    return "needs --allow-run=ss";
  }
  try {
    await ss("-V");
    return undefined;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "needs the program ss (Debian package iproute2)";
  }
}

/** What `ss` shows of one end of a connection. */
export async function lookAtConnection(
  { localAddr, remoteAddr }: SocketAddresses,
): Promise<OutsideView> {
  if (!("port" in localAddr && "port" in remoteAddr)) return {};
  const from = `sport = :${localAddr.port}`;
  const to = `dport = :${remoteAddr.port}`;
  return readConnection(await ss("-tinomH", `( ${from} and ${to} )`));
}

/** What `ss` shows of the listener at a port. */
export async function lookAtListener(port: number): Promise<OutsideView> {
  return readListener(await ss("-ltnH", `( sport = :${port} )`));
}

async function ss(...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command("ss", { args }).output();
  return new TextDecoder().decode(stdout);
}

/**
 * Reads what `ss -tinomH` prints of one connection.
 *
 * @example
 * ```ts
 * import { readConnection } from "./options_outside.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const seen = readConnection(
 *   "ESTAB 0 0 127.0.0.1:9 127.0.0.1:8 timer:(keepalive,29sec,0)\n" +
 *     "\t skmem:(r0,rb131072,t0,tb87040,f0) ts sack reno wscale:10,10",
 * );
 * assertEquals(seen, {
 *   keepAlive: "true",
 *   keepAliveIdleMs: "timer at 29000",
 *   receiveBufferBytes: "65536",
 *   sendBufferBytes: "43520",
 *   congestionControl: "reno",
 * });
 * ```
 */
export function readConnection(text: string): OutsideView {
  if (text.trim() === "") return {};
  const timer = /timer:\(keepalive,([^,]+),/.exec(text)?.[1];
  const [, receive, send] = /skmem:\(r\d+,rb(\d+),t\d+,tb(\d+)/.exec(text) ??
    [];
  const congestion = /(\S+) wscale:/.exec(text)?.[1];
  const half = (bytes: string): string => String(Number(bytes) / 2);
  return {
    // Another timer hides this one: that is no proof that there is none.
    ...(timer === undefined && /timer:/.test(text)
      ? {}
      : { keepAlive: String(timer !== undefined) }),
    ...(timer === undefined
      ? {}
      : { keepAliveIdleMs: `timer at ${timerMs(timer)}` }),
    ...(receive === undefined ? {} : { receiveBufferBytes: half(receive) }),
    ...(send === undefined ? {} : { sendBufferBytes: half(send) }),
    ...(congestion === undefined ? {} : { congestionControl: congestion }),
  };
}

/**
 * Reads what `ss -ltnH` prints of one listener: the third column is the longest queue.
 *
 * @example
 * ```ts
 * import { readListener } from "./options_outside.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const seen = readListener("LISTEN 0 128 127.0.0.1:9999 0.0.0.0:*");
 * assertEquals(seen, { backlog: "128" });
 * ```
 */
export function readListener(text: string): OutsideView {
  const backlog = /^LISTEN\s+\d+\s+(\d+)/m.exec(text)?.[1];
  return backlog === undefined ? {} : { backlog };
}

/** Milliseconds of a timer as `ss` writes it: `119min`, `1min59sec`, `29sec`, `6.988ms` (seconds and the rest), `988ms`. */
function timerMs(text: string): number {
  const [, minutes = 0, seconds = 0, ms = 0] =
    /^(?:(\d+)min)?(?:(\d+)(?:sec|\.))?(?:(\d+)ms)?$/.exec(text) ?? [];
  return Number(minutes) * 60_000 + Number(seconds) * 1000 + Number(ms);
}

/** Whether another listener may take the port too: what `reusePort` promises. */
export function isPortShared(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port, reusePort: true }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}

/** What a peer sees when the other end closes: its end, a reset, or both. */
export async function seeClose(peer: Conn, close: () => void): Promise<string> {
  const read = peer.read(new Uint8Array(1)).then(
    () => "peer saw an end",
    () => "peer saw a reset",
  );
  close();
  const seen = await read;
  if (seen !== "peer saw an end") return seen;
  try {
    await peer.write(new Uint8Array(1));
    return seen;
  } catch {
    return `${seen}, then a reset`;
  }
}
