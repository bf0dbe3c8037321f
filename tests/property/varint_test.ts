import { assertEquals } from "@std/assert";
import {
  readVarint,
  varintBytes,
  writeVarint,
} from "../../src/bytes/varint.ts";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { checkProperty, fc } from "../support/property.ts";

const uint32 = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.tuple(fc.nat(31), fc.constantFrom(-1, 0, 1)).map(([bit, by]) =>
    2 ** bit + by
  ),
);

/** LEB128 as the specification words it, over bigints. */
function leb128(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return bytes;
}

Deno.test("writeVarint() is LEB128, and readVarint() its inverse", () => {
  checkProperty(uint32, (value) => {
    const writer = new ByteWriter(0);
    writeVarint(value, writer);
    assertEquals([...writer.view()], leb128(value));
    assertEquals(writer.length, varintBytes(value));
    assertEquals(readVarint(writer.view(), 0, writer.length), value);
  }, 2000);
});

Deno.test("readVarint() accepts no second spelling of a number", () => {
  checkProperty(fc.uint8Array({ minLength: 1, maxLength: 6 }), (bytes) => {
    const value = readVarint(bytes, 0, bytes.length);
    if (value < 0) return;
    const spelled = leb128(value);
    assertEquals([...bytes.subarray(0, spelled.length)], spelled);
  }, 5000);
});
