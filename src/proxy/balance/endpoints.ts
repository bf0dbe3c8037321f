import { formatEndpoint, parseEndpoint } from "../../io/endpoint.ts";
import {
  isDatagramEndpoint,
  parseDatagramEndpoint,
} from "../link/datagram_front.ts";
import { formatAddress } from "../../proto/address.ts";

/**
 * One spelling of an endpoint, which may be `udp://HOST:PORT` too.
 *
 * @throws {SyntaxError} If it is none.
 */
export function canonicalEndpoint(url: string): string {
  if (!isDatagramEndpoint(url)) return formatEndpoint(parseEndpoint(url));
  const { hostname, port } = parseDatagramEndpoint(url);
  return `udp://${formatAddress(hostname, port)}`;
}

/**
 * Refuses connections and datagrams side by side.
 *
 * @throws {RangeError} If some of the endpoints are for datagrams, and some are not.
 */
export function refuseMixture(urls: readonly string[]): void {
  const [first = ""] = urls;
  const other = urls.find((url) =>
    isDatagramEndpoint(url) !== isDatagramEndpoint(first)
  );
  if (other === undefined) return;
  throw new RangeError(
    `Cannot balance: endpoints are all udp:// or none: current value is ${other} beside ${first}`,
  );
}
