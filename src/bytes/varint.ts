import type { ByteWriter } from "./writer.ts";

/** The most bytes that a varint of 32 bits takes. */
export const MAX_VARINT_BYTES = 5;

const UINT32_MAX = 0xffffffff;

/**
 * How many bytes {@linkcode writeVarint} takes for `value`, 1 to 5.
 *
 * @example Usage
 * ```ts
 * import { varintBytes } from "./varint.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(varintBytes(127), 1);
 * assertEquals(varintBytes(128), 2);
 * ```
 */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

/**
 * Appends an unsigned 32-bit integer as LEB128, seven bits a byte, least significant first, as Protocol Buffers do.
 *
 * @throws {RangeError} If `value` is not an integer from 0 to 2^32 - 1.
 *
 * @example Usage
 * ```ts
 * import { writeVarint } from "./varint.ts";
 * import { ByteWriter } from "./writer.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const writer = new ByteWriter();
 * writeVarint(300, writer);
 * assertEquals(writer.view(), new Uint8Array([0xac, 0x02]));
 * ```
 */
export function writeVarint(value: number, writer: ByteWriter): void {
  if (!Number.isInteger(value) || value < 0 || value > UINT32_MAX) {
    throw new RangeError(
      `Cannot write varint as the value must be an integer from 0 to ${UINT32_MAX}: current value is ${value}`,
    );
  }
  const bytes = writer.reserve(MAX_VARINT_BYTES);
  writer.length += putVarint(value, bytes, writer.length);
}

/** Writes the varint of an unsigned 32-bit `value` at `offset` of `bytes` and returns its length. */
export function putVarint(
  value: number,
  bytes: Uint8Array,
  offset: number,
): number {
  let at = offset;
  let rest = value;
  while (rest >= 0x80) {
    bytes[at++] = rest & 0x7f | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at - offset;
}

/**
 * Reads a varint at `from` of `bytes[from, to)`. Returns -1 if it does not end before `to`, and -2 if no sender writes
 * it: more than five bytes, more than 32 bits, or longer than its value needs. Use {@linkcode varintBytes} for the
 * length of what was read.
 *
 * @example Usage
 * ```ts
 * import { readVarint } from "./varint.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(readVarint(new Uint8Array([0xac, 0x02]), 0, 2), 300);
 * assertEquals(readVarint(new Uint8Array([0xac]), 0, 1), -1);
 * assertEquals(readVarint(new Uint8Array([0x80, 0x00]), 0, 2), -2);
 * ```
 */
export function readVarint(
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  let value = 0;
  for (let i = 0; i < MAX_VARINT_BYTES; i++) {
    if (from + i >= to) return -1;
    const byte = bytes[from + i]!;
    // The fifth byte has room for four bits and must be the last.
    if (i === MAX_VARINT_BYTES - 1 && byte > 0x0f) return -2;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return byte === 0 && i > 0 ? -2 : value >>> 0;
  }
  return -2;
}
