import type { Ipv6Prefix } from "./nptv6.ts";

/** The prefix that everybody may use for IPv4 addresses in IPv6 (RFC 6052, section 2.1). */
export const WELL_KNOWN_PREFIX = "64:ff9b::/96";

/** Bits that a prefix for IPv4 addresses may have (RFC 6052, section 2.2). */
const LENGTHS: ReadonlySet<number> = new Set([32, 40, 48, 56, 64, 96]);

/** Where the four bytes of the IPv4 address go: behind the prefix, with bits 64 to 71 left out. */
function positions({ bits }: Ipv6Prefix): number[] {
  if (!LENGTHS.has(bits)) {
    throw new RangeError(
      `Cannot embed an IPv4 address: the prefix must have 32, 40, 48, 56, 64 or 96 bits: current value is ${bits}`,
    );
  }
  const first = bits / 8;
  return [0, 1, 2, 3].map((index) => {
    const at = first + index;
    return first <= 8 && at >= 8 ? at + 1 : at;
  });
}

/**
 * The IPv6 address that stands for an IPv4 address (RFC 6052).
 *
 * @throws {RangeError} If no prefix may have this length.
 *
 * @example Usage
 * ```ts
 * import { embedIpv4, extractIpv4 } from "./ipv4_embedded.ts";
 * import { readIpv6Prefix } from "./nptv6.ts";
 * import { formatIp } from "../ip.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const prefix = readIpv6Prefix("2001:db8:122:344::/96");
 * const address = embedIpv4(prefix, 0xc0000221);
 * assertEquals(formatIp(address), "2001:db8:122:344::c000:221");
 * assertEquals(extractIpv4(prefix, address), 0xc0000221);
 * ```
 */
export function embedIpv4(prefix: Ipv6Prefix, address: number): Uint8Array {
  const bytes = prefix.bytes.slice();
  for (const [index, at] of positions(prefix).entries()) {
    bytes[at] = address >>> 24 - index * 8;
  }
  return bytes;
}

/**
 * The IPv4 address that an IPv6 address stands for; undefined if it does not begin with the prefix.
 *
 * @throws {RangeError} If no prefix may have this length.
 *
 * @example Usage
 * ```ts
 * import { extractIpv4, WELL_KNOWN_PREFIX } from "./ipv4_embedded.ts";
 * import { readIpv6Prefix } from "./nptv6.ts";
 * import { parseIp } from "../ip.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const prefix = readIpv6Prefix(WELL_KNOWN_PREFIX);
 * assertEquals(extractIpv4(prefix, parseIp("64:ff9b::1.2.3.4")!), 0x01020304);
 * assertEquals(extractIpv4(prefix, parseIp("2001:db8::1")!), undefined);
 * ```
 */
export function extractIpv4(
  prefix: Ipv6Prefix,
  address: Uint8Array,
): number | undefined {
  for (let index = 0; index * 8 < prefix.bits; index++) {
    if (address[index] !== prefix.bytes[index]) return undefined;
  }
  return positions(prefix).reduce(
    (sum, at) => (sum << 8 | address[at]!) >>> 0,
    0,
  );
}
