/**
 * Reads an IP address in any spelling of RFC 4291, section 2.2, and of dotted IPv4; a zone (`%eth0`) is left out.
 *
 * @returns 4 or 16 bytes, or undefined if the text is no address.
 *
 * @example Usage
 * ```ts
 * import { parseIp } from "./ip.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseIp("192.0.2.7"), new Uint8Array([192, 0, 2, 7]));
 * assertEquals(parseIp("::ffff:192.0.2.7")?.length, 16);
 * assertEquals(parseIp("192.0.2.256"), undefined);
 * ```
 */
export function parseIp(text: string): Uint8Array | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Uint8Array | undefined {
  // A leading zero means octal to some programs, so it means nothing here.
  const match =
    /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/
      .exec(text);
  if (match === null) return undefined;
  const numbers = match.slice(1).map(Number);
  return numbers.every((number) => number < 256)
    ? Uint8Array.from(numbers)
    : undefined;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const [address = "", zone] = text.split("%");
  if (zone === "") return undefined;
  const halves = address.split("::");
  if (halves.length > 2) return undefined;
  const sides: number[][] = [];
  for (const [index, half] of halves.entries()) {
    const side = half === ""
      ? []
      : readGroups(half, index === halves.length - 1);
    if (side === undefined) return undefined;
    sides.push(side);
  }
  const [left = [], right = []] = sides;
  const missing = 16 - left.length - right.length;
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(left);
  bytes.set(right, 16 - right.length);
  return bytes;
}

/** Groups between colons as bytes; the very last may be a dotted IPv4 address. */
function readGroups(text: string, isLast: boolean): number[] | undefined {
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    if (isLast && index === groups.length - 1 && group.includes(".")) {
      const ipv4 = parseIpv4(group);
      if (ipv4 === undefined) return undefined;
      bytes.push(...ipv4);
    } else if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const number = parseInt(group, 16);
      bytes.push(number >> 8, number & 255);
    } else return undefined;
  }
  return bytes;
}

/**
 * Writes an IP address as RFC 5952 recommends: lower case, the longest run of zeros left out.
 *
 * @example Usage
 * ```ts
 * import { formatIp, parseIp } from "./ip.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatIp(parseIp("2001:DB8:0:0:1:0:0:1")!), "2001:db8::1:0:0:1");
 * ```
 */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from(
    { length: 8 },
    (_, index) => bytes[index * 2]! << 8 | bytes[index * 2 + 1]!,
  );
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 65535) {
    return `::ffff:${bytes.subarray(12).join(".")}`;
  }
  let start = 0;
  let longest = 1;
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (groups[to] === 0) to++;
    if (to - from > longest) [start, longest] = [from, to - from];
  }
  const hex = groups.map((group) => group.toString(16));
  if (longest < 2) return hex.join(":");
  const tail = hex.slice(start + longest).join(":");
  return `${hex.slice(0, start).join(":")}::${tail}`;
}

/**
 * A set of networks in CIDR notation (RFC 4632), for lists of who is trusted, allowed or denied.
 *
 * @example Usage
 * ```ts
 * import { Networks } from "./ip.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const inside = new Networks(["10.0.0.0/8", "::1", "2001:db8::/32"]);
 * assertEquals(inside.has("10.1.2.3"), true);
 * assertEquals(inside.has("::ffff:10.1.2.3"), true);
 * assertEquals(inside.has("2001:db9::1"), false);
 * ```
 */
export class Networks {
  readonly #networks: readonly { bytes: Uint8Array; bits: number }[];

  /**
   * Takes addresses and networks.
   *
   * @throws {SyntaxError} If one of them is neither.
   */
  constructor(networks: Iterable<string>) {
    this.#networks = Array.from(networks, parseNetwork);
  }

  /** Whether an address is in one of the networks; an IPv4-mapped IPv6 address counts as the IPv4 address. */
  has(address: string): boolean {
    const bytes = plainIp(address);
    return bytes !== undefined &&
      this.#networks.some((network) => isWithin(bytes, network));
  }
}

function parseNetwork(text: string): { bytes: Uint8Array; bits: number } {
  const [address = "", prefix] = text.split("/");
  const bytes = parseIp(address);
  const most = (bytes?.length ?? 0) * 8;
  const bits = prefix === undefined ? most : Number(prefix);
  if (
    bytes === undefined || prefix !== undefined && !/^\d{1,3}$/.test(prefix) ||
    bits > most
  ) {
    throw new SyntaxError(
      `Cannot parse network: ADDRESS or ADDRESS/BITS is expected: current value is "${text}"`,
    );
  }
  return { bytes, bits };
}

/** The bytes of an address, those of the IPv4 address inside a mapped one. */
function plainIp(address: string): Uint8Array | undefined {
  const bytes = parseIp(address);
  const isMapped = bytes?.length === 16 && bytes[10] === 255 &&
    bytes[11] === 255 && bytes.subarray(0, 10).every((byte) => byte === 0);
  return isMapped ? bytes.subarray(12) : bytes;
}

function isWithin(
  address: Uint8Array,
  { bytes, bits }: { bytes: Uint8Array; bits: number },
): boolean {
  if (address.length !== bytes.length) return false;
  const whole = bits >> 3;
  for (let index = 0; index < whole; index++) {
    if (address[index] !== bytes[index]) return false;
  }
  const rest = bits & 7;
  return rest === 0 || (address[whole]! ^ bytes[whole]!) >> (8 - rest) === 0;
}
