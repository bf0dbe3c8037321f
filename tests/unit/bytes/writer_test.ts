import { assert, assertEquals } from "@std/assert";
import { ByteWriter } from "../../../src/bytes/writer.ts";

Deno.test("ByteWriter writes integers big-endian, from any capacity", () => {
  for (const start of [0, 1, 100, new Uint8Array(3)]) {
    const writer = new ByteWriter(start);
    writer.u8(1);
    writer.u16(0x0203);
    writer.u32(0xfffefdfc);
    writer.set(new Uint8Array([9]));
    assertEquals([...writer.view()], [1, 2, 3, 255, 254, 253, 252, 9]);
  }
});

Deno.test("ByteWriter.utf8() writes short and long texts alike", () => {
  for (const text of ["", "é", "😀", "x".repeat(70_000), "é".repeat(70_000)]) {
    const writer = new ByteWriter(0);
    writer.u8(7);
    writer.utf8(text);
    const encoded = new TextEncoder().encode(text);
    assertEquals(writer.length, 1 + encoded.length);
    assertEquals(writer.view().subarray(1), encoded);
  }
});

Deno.test("ByteWriter.utf8() writes lone surrogates as U+FFFD", () => {
  const writer = new ByteWriter();
  writer.utf8("\ud800");
  assertEquals(writer.view(), new Uint8Array([0xef, 0xbf, 0xbd]));
});

Deno.test("ByteWriter.truncate() keeps what is before, and the buffer", () => {
  const writer = new ByteWriter(64);
  const { bytes } = writer;
  writer.u32(0x01020304);
  writer.truncate(2);
  writer.u8(9);
  assertEquals([...writer.view()], [1, 2, 9]);
  assert(writer.bytes === bytes);
  writer.truncate();
  assertEquals(writer.length, 0);
});
