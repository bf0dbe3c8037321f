import { parseIp } from "../../proto/ip.ts";
import { type Endpoint, parseEndpoint } from "../../io/endpoint.ts";

/**
 * Refuses a backend that is an endpoint which is listened on: every connection would come back until there are no more
 * descriptors.
 *
 * @throws {RangeError} If it is.
 */
export function refuseLoop(listen: readonly string[], to: string): void {
  const target = read(to);
  for (const url of listen) {
    if (!leadsTo(target, read(url))) continue;
    throw new RangeError(
      `Cannot balance: a backend is where it listens itself, which makes a loop: current value is ${to}`,
    );
  }
}

/** Datagrams come to their ports as connections to theirs. */
function read(url: string): Endpoint {
  return parseEndpoint(url.replace(/^udp:/, "tcp:"));
}

function leadsTo(target: Endpoint, listener: Endpoint): boolean {
  if (!("port" in target)) {
    return JSON.stringify(target) === JSON.stringify(listener);
  }
  if (!("port" in listener) || target.port !== listener.port) return false;
  if (listener.port === 0) return false;
  return canonical(target.hostname) === canonical(listener.hostname) ||
    isWildcard(listener.hostname) && isLoopback(target.hostname);
}

/** All spellings of the own machine are one. */
function canonical(hostname: string): string {
  return isLoopback(hostname) ? "localhost" : hostname.toLowerCase();
}

function isWildcard(hostname: string): boolean {
  return parseIp(hostname)?.every((byte) => byte === 0) ?? false;
}

function isLoopback(hostname: string): boolean {
  const bytes = parseIp(hostname);
  return bytes === undefined
    ? hostname.toLowerCase() === "localhost"
    : bytes.length === 4 && bytes[0] === 127 &&
        bytes.join(".") === "127.0.0.1" ||
      bytes.length === 16 && bytes.join("") === "0000000000000001";
}
