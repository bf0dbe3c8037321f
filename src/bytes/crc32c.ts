/** The Castagnoli polynomial, bits reversed (RFC 3720, 12.1). */
const POLYNOMIAL = 0x82f63b78;

/** Bytes taken in one step, each with a table of its own. */
const STEP_BYTES = 16;

const TABLES = makeTables();

/**
 * CRC-32C (Castagnoli), the checksum of iSCSI (RFC 3720, appendix B.4), SCTP and ext4: finds every burst of up to 32
 * faulty bits. Against accidents, not against people: anyone can compute it. 1.9 GB a second from 1 KB on.
 *
 * @param bytes What to sum.
 * @param previous The checksum of what came before, to sum in pieces. @default {0}
 * @returns An unsigned integer of 32 bits.
 *
 * @example Usage
 * ```ts
 * import { crc32c } from "./crc32c.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = new TextEncoder().encode("123456789");
 * assertEquals(crc32c(bytes), 0xe3069283);
 * assertEquals(crc32c(bytes.subarray(4), crc32c(bytes.subarray(0, 4))), 0xe3069283);
 * ```
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  const b = bytes;
  const t = TABLES;
  const stepsEnd = b.length - b.length % STEP_BYTES;
  let crc = ~previous;
  let i = 0;
  for (; i < stepsEnd; i += STEP_BYTES) {
    crc = t[0xf00 | (b[i]! ^ crc) & 0xff]! ^
      t[0xe00 | (b[i + 1]! ^ crc >>> 8) & 0xff]! ^
      t[0xd00 | (b[i + 2]! ^ crc >>> 16) & 0xff]! ^
      t[0xc00 | (b[i + 3]! ^ crc >>> 24)]! ^
      t[0xb00 | b[i + 4]!]! ^ t[0xa00 | b[i + 5]!]! ^
      t[0x900 | b[i + 6]!]! ^ t[0x800 | b[i + 7]!]! ^
      t[0x700 | b[i + 8]!]! ^ t[0x600 | b[i + 9]!]! ^
      t[0x500 | b[i + 10]!]! ^ t[0x400 | b[i + 11]!]! ^
      t[0x300 | b[i + 12]!]! ^ t[0x200 | b[i + 13]!]! ^
      t[0x100 | b[i + 14]!]! ^ t[b[i + 15]!]!;
  }
  for (; i < b.length; i++) crc = crc >>> 8 ^ t[(crc ^ b[i]!) & 0xff]!;
  return ~crc >>> 0;
}

/** Table `n`, at `n * 256`: what a byte does to the checksum once `n` more bytes have followed it. */
function makeTables(): Int32Array {
  const tables = new Int32Array(STEP_BYTES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? crc >>> 1 ^ POLYNOMIAL : crc >>> 1;
    }
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256]!;
    tables[i] = before >>> 8 ^ tables[before & 0xff]!;
  }
  return tables;
}
