import { assertEquals, assertThrows } from "@std/assert";
import {
  readVarint,
  varintBytes,
  writeVarint,
} from "../../../src/bytes/varint.ts";
import { ByteWriter } from "../../../src/bytes/writer.ts";

const EDGES: [number, number[]][] = [
  [0, [0x00]],
  [1, [0x01]],
  [127, [0x7f]],
  [128, [0x80, 0x01]],
  [300, [0xac, 0x02]],
  [16_383, [0xff, 0x7f]],
  [16_384, [0x80, 0x80, 0x01]],
  [2 ** 21 - 1, [0xff, 0xff, 0x7f]],
  [2 ** 21, [0x80, 0x80, 0x80, 0x01]],
  [2 ** 28 - 1, [0xff, 0xff, 0xff, 0x7f]],
  [2 ** 28, [0x80, 0x80, 0x80, 0x80, 0x01]],
  [2 ** 31, [0x80, 0x80, 0x80, 0x80, 0x08]],
  [2 ** 32 - 1, [0xff, 0xff, 0xff, 0xff, 0x0f]],
];

Deno.test("writeVarint() writes what Protocol Buffers write", () => {
  for (const [value, bytes] of EDGES) {
    const writer = new ByteWriter(0);
    writeVarint(value, writer);
    assertEquals([...writer.view()], bytes);
    assertEquals(varintBytes(value), bytes.length);
  }
});

Deno.test("readVarint() reads at any offset and leaves what follows", () => {
  for (const [value, bytes] of EDGES) {
    const padded = Uint8Array.from([0xff, ...bytes, 0xff]);
    assertEquals(readVarint(padded, 1, padded.length), value);
  }
});

Deno.test("readVarint() asks for more when the varint is cut off", () => {
  for (const [, bytes] of EDGES) {
    for (let cut = 0; cut < bytes.length; cut++) {
      assertEquals(readVarint(Uint8Array.from(bytes), 0, cut), -1);
    }
  }
});

Deno.test("readVarint() refuses over-long and over-large varints", () => {
  for (
    const bytes of [
      [0x80, 0x00],
      [0xff, 0x80, 0x00],
      [0x80, 0x80, 0x80, 0x80, 0x00],
      [0xff, 0xff, 0xff, 0xff, 0x10],
      [0xff, 0xff, 0xff, 0xff, 0x8f],
      [0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
    ]
  ) assertEquals(readVarint(Uint8Array.from(bytes), 0, bytes.length), -2);
});

Deno.test("writeVarint() throws when the value is not of 32 bits", () => {
  for (const value of [-1, 1.5, NaN, 2 ** 32]) {
    assertThrows(() => writeVarint(value, new ByteWriter()), RangeError);
  }
});
