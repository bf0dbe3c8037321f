import { assertEquals } from "@std/assert";
import { crc32c } from "../../../src/bytes/crc32c.ts";
import { seededRandom } from "../../../src/bytes/random.ts";
import { hex } from "../../support/three_ways.ts";

/** RFC 3720 prints the four bytes in the order in which they are sent, least significant first. */
const RFC_3720_B_4: [string, Uint8Array, number][] = [
  ["32 zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["32 incrementing", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  [
    "32 decrementing",
    Uint8Array.from({ length: 32 }, (_, i) => 31 - i),
    0x113fdb5c,
  ],
  [
    "an iSCSI SCSI Read (10) command PDU",
    hex(
      `01c00000 00000000 00000000 00000000 14000000 00000400
       00000014 00000018 28000000 00000000 02000000 00000000`,
    ),
    0xd9963a56,
  ],
];

Deno.test("crc32c() returns the checksums of RFC 3720, B.4", () => {
  for (const [name, bytes, expected] of RFC_3720_B_4) {
    assertEquals(crc32c(bytes), expected, name);
  }
});

Deno.test("crc32c() returns the check value of the CRC catalogue", () => {
  assertEquals(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assertEquals(crc32c(new Uint8Array(0)), 0);
});

/** Bit by bit, as the definition has it. */
function slowly(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? crc >>> 1 ^ 0x82f63b78 : crc >>> 1;
    }
  }
  return ~crc >>> 0;
}

Deno.test("crc32c() agrees with the definition for every length, offset and cut", () => {
  const random = seededRandom(1);
  const bytes = Uint8Array.from({ length: 200 }, () => random() * 256);
  for (let length = 0; length <= 100; length++) {
    const part = bytes.subarray(length % 7, length % 7 + length);
    const expected = slowly(part);
    assertEquals(crc32c(part), expected, `length ${length}`);
    const cut = Math.floor(random() * (length + 1));
    const head = crc32c(part.subarray(0, cut));
    assertEquals(crc32c(part.subarray(cut), head), expected, `cut ${cut}`);
  }
});
