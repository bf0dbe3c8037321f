/** Reads 16 bits, most significant byte first. */
export function read16(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 8 | bytes[at + 1]!;
}

/** Writes 16 bits, most significant byte first. */
export function write16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** Reads 32 bits as an unsigned number, most significant byte first. */
export function read32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 |
    bytes[at + 3]!) >>> 0;
}

/** Writes 32 bits, most significant byte first. */
export function write32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Folds the carries of a sum of 16-bit words back in: the addition of ones' complement. */
export function foldSum(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

/** Adds up the 16-bit words from `start` to `end`, the last one padded with a zero, in ones' complement. */
export function sumWords(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): number {
  let sum = 0;
  let at = start;
  for (; at + 1 < end; at += 2) sum += bytes[at]! << 8 | bytes[at + 1]!;
  if (at < end) sum += bytes[at]! << 8;
  return foldSum(sum);
}

/**
 * The checksum of RFC 1071 over the bytes from `start` to `end`; `initial` is the sum of what else it covers, such as
 * a pseudo header.
 *
 * @example Usage
 * ```ts
 * import { internetChecksum } from "./checksum.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = new Uint8Array([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
 * assertEquals(internetChecksum(bytes), 0x220d);
 * ```
 */
export function internetChecksum(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
  initial = 0,
): number {
  return 0xffff - foldSum(initial + sumWords(bytes, start, end));
}

/** The difference that replacing words makes to a sum, for {@linkcode adjustChecksum}; both are sums of 16-bit words. */
export function sumChange(removed: number, added: number): number {
  return foldSum(added + 0xffff - foldSum(removed));
}

/**
 * A checksum after some of what it covers was replaced, by equation 3 of RFC 1624. A checksum that was wrong stays
 * wrong, so that an error on the way is not covered up.
 *
 * @example Usage
 * ```ts
 * import { adjustChecksum, sumChange } from "./checksum.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(adjustChecksum(0xdd2f, sumChange(0x5555, 0x3285)), 0);
 * ```
 */
export function adjustChecksum(checksum: number, change: number): number {
  return 0xffff - foldSum(0xffff - checksum + change);
}

/** The sum of the two halves of a 32-bit word, such as an IPv4 address. */
export function sum32(value: number): number {
  return (value >>> 16) + (value & 0xffff);
}
