import { foldSum, read16, sumWords, write16 } from "../ip_packet/checksum.ts";
import {
  IPV6_DESTINATION_AT,
  IPV6_HEADER_BYTES,
  IPV6_SOURCE_AT,
  parseIpv6Packet,
} from "../ip_packet/ipv6.ts";
import { PROTOCOLS } from "../ip_packet/transport.ts";
import { parseIp } from "../ip.ts";

/** ICMPv6 types below this are errors, which quote a packet (RFC 4443). */
const FIRST_QUERY = 128;

/** An IPv6 prefix. */
export interface Ipv6Prefix {
  /** Sixteen bytes, of which those behind the prefix are zero. */
  readonly bytes: Uint8Array;
  /** Bits of the prefix. */
  readonly bits: number;
}

/**
 * Reads an IPv6 prefix in CIDR notation.
 *
 * @throws {SyntaxError} If the text is none, or has bits set behind the prefix.
 *
 * @example Usage
 * ```ts
 * import { readIpv6Prefix } from "./nptv6.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(readIpv6Prefix("64:ff9b::/96").bits, 96);
 * assertThrows(() => readIpv6Prefix("64:ff9b::1/96"), SyntaxError);
 * ```
 */
export function readIpv6Prefix(text: string): Ipv6Prefix {
  const [, address = "", count = ""] = /^([^/%]*)\/(\d{1,3})$/.exec(text) ?? [];
  const bytes = parseIp(address);
  const bits = Number(count);
  const isZeroBehind = bytes?.every((byte, index) =>
    (byte & 0xff >> Math.min(Math.max(bits - index * 8, 0), 8)) === 0
  );
  if (bytes?.length !== 16 || bits > 128 || count === "" || !isZeroBehind) {
    throw new SyntaxError(
      `Cannot read prefix: PREFIX/BITS of IPv6 is expected: current value is "${text}"`,
    );
  }
  return { bytes, bits };
}

/**
 * Replaces one IPv6 prefix by another, without any state, so that no checksum changes (RFC 6296, NPTv6).
 *
 * @example Usage
 * ```ts
 * import { Nptv6 } from "./nptv6.ts";
 * import { formatIp, parseIp } from "../ip.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const nptv6 = new Nptv6("fd01:203:405::/48", "2001:db8:1::/48");
 * const address = parseIp("fd01:203:405:1::1234")!;
 * assertEquals(nptv6.outward(address), true);
 * assertEquals(formatIp(address), "2001:db8:1:d550::1234");
 * ```
 */
export class Nptv6 {
  readonly #inside: Ipv6Prefix;
  readonly #outside: Ipv6Prefix;
  readonly #bits: number;
  /** What is added, in ones' complement, to a word behind the prefix of what goes out. */
  readonly #adjustment: number;

  /**
   * Takes the two prefixes; the shorter one is taken to be as long as the longer one, by zeros.
   *
   * @throws {SyntaxError} If one of them is none.
   * @throws {RangeError} If one is longer than 64 bits.
   */
  constructor(inside: string, outside: string) {
    this.#inside = readIpv6Prefix(inside);
    this.#outside = readIpv6Prefix(outside);
    this.#bits = Math.max(this.#inside.bits, this.#outside.bits);
    if (this.#bits > 64) {
      throw new RangeError(
        `Cannot translate prefixes: at most 64 bits are allowed: current value is ${this.#bits}`,
      );
    }
    const sum = sumWords(this.#inside.bytes) + 0xffff -
      sumWords(this.#outside.bytes);
    this.#adjustment = foldSum(sum);
  }

  /** Translates an inside address in place; false if it is none, or cannot be translated. */
  outward(address: Uint8Array): boolean {
    return this.#replace(
      address,
      this.#inside,
      this.#outside,
      this.#adjustment,
    );
  }

  /** Translates an outside address in place; false if it is none, or cannot be translated. */
  inward(address: Uint8Array): boolean {
    const adjustment = 0xffff - this.#adjustment;
    return this.#replace(address, this.#outside, this.#inside, adjustment);
  }

  /** Translates a packet from the inside in place; false if it must be dropped. */
  fromInside(bytes: Uint8Array<ArrayBuffer>): boolean {
    return this.#packet(bytes, true);
  }

  /** Translates a packet from the outside in place; false if it must be dropped. */
  fromOutside(bytes: Uint8Array<ArrayBuffer>): boolean {
    return this.#packet(bytes, false);
  }

  #packet(bytes: Uint8Array<ArrayBuffer>, isOutward: boolean): boolean {
    const packet = parseIpv6Packet(bytes);
    if (packet === undefined) return false;
    const translate = (at: number): boolean => {
      const address = bytes.subarray(at, at + 16);
      return isOutward ? this.outward(address) : this.inward(address);
    };
    if (!translate(isOutward ? IPV6_SOURCE_AT : IPV6_DESTINATION_AT)) {
      return false;
    }
    const { payloadAt, protocol, fragment } = packet;
    const isError = protocol === PROTOCOLS.icmpv6 && fragment === undefined &&
      (bytes[payloadAt] ?? FIRST_QUERY) < FIRST_QUERY;
    const quotedAt = payloadAt + 8;
    if (isError && packet.bytes.length >= quotedAt + IPV6_HEADER_BYTES) {
      // What is quoted went the other way; its checksum, and with it the one around it, does not change either.
      translate(quotedAt + (isOutward ? IPV6_DESTINATION_AT : IPV6_SOURCE_AT));
    }
    return true;
  }

  #replace(
    address: Uint8Array,
    from: Ipv6Prefix,
    to: Ipv6Prefix,
    adjustment: number,
  ): boolean {
    const bits = this.#bits;
    for (let index = 0; index * 8 < bits; index++) {
      const mask = 0xff00 >> Math.min(bits - index * 8, 8) & 0xff;
      if ((address[index]! & mask) !== from.bytes[index]) return false;
    }
    const at = this.#adjustedWord(address);
    if (at === undefined) return false;
    for (let index = 0; index * 8 < bits; index++) {
      const mask = 0xff00 >> Math.min(bits - index * 8, 8) & 0xff;
      address[index] = address[index]! & ~mask | to.bytes[index]!;
    }
    const word = foldSum(read16(address, at) + adjustment);
    write16(address, at, word === 0xffff ? 0 : word);
    return true;
  }

  /** The word that takes up the difference: the subnet's, or behind a long prefix the first that is not all ones. */
  #adjustedWord(address: Uint8Array): number | undefined {
    if (this.#bits <= 48) return read16(address, 6) === 0xffff ? undefined : 6;
    return [8, 10, 12, 14].find((at) => read16(address, at) !== 0xffff);
  }
}
