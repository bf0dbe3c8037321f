const MAPPED_REGEXP = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * The IPv4 address inside an IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2), which a dual-stack socket reports for its
 * IPv4 peers; any other address as it is.
 *
 * @example Usage
 * ```ts
 * import { unmapAddress } from "./address.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(unmapAddress("::ffff:192.0.2.7"), "192.0.2.7");
 * ```
 */
export function unmapAddress(address: string): string {
  return MAPPED_REGEXP.exec(address)?.[1] ?? address;
}

/**
 * The network that limits count an address under: an IPv4 address itself, the first 64 bits of an IPv6 address, since
 * one IPv6 host commonly holds a whole /64 (RFC 4291, 2.5.4).
 *
 * @example Usage
 * ```ts
 * import { sourceNetwork } from "./address.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(sourceNetwork("2001:db8::1"), sourceNetwork("2001:db8::2"));
 * ```
 */
export function sourceNetwork(address: string): string {
  const plain = unmapAddress(address);
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = plain.split("%", 1)[0]!.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...new Array<string>(zeros).fill("0"), ...right];
  return groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16))
    .join(":") + "::/64";
}

/**
 * An address and a port as one text, IPv6 in brackets and without a mapping.
 *
 * @example Usage
 * ```ts
 * import { formatAddress } from "./address.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatAddress("::ffff:127.0.0.1", 4242), "127.0.0.1:4242");
 * assertEquals(formatAddress("::1", 4242), "[::1]:4242");
 * ```
 */
export function formatAddress(address: string, port: number): string {
  const plain = unmapAddress(address);
  return plain.includes(":") ? `[${plain}]:${port}` : `${plain}:${port}`;
}
