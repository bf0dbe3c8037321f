import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  LARGEST_POOLED_BYTES,
  returnBuffer,
  returnWriter,
  smallerSize,
  takeBuffer,
  takeWriter,
} from "../../../src/io/buffers.ts";

Deno.test("takeBuffer() gives the smallest size that is enough", () => {
  for (
    const [wanted, given] of [
      [0, 64],
      [64, 64],
      [65, 512],
      [512, 512],
      [513, 4096],
      [4097, 65536],
      [1 << 20, LARGEST_POOLED_BYTES],
    ] as const
  ) {
    const buffer = takeBuffer(wanted);
    assertEquals(buffer.length, given);
    returnBuffer(buffer);
  }
});

Deno.test("takeBuffer() gives buffers that do not overlap", () => {
  const buffers = Array.from({ length: 3000 }, () => takeBuffer(64));
  for (const [index, buffer] of buffers.entries()) buffer.fill(index % 251);
  for (const [index, buffer] of buffers.entries()) {
    assert(buffer.every((byte) => byte === index % 251));
  }
  buffers.forEach(returnBuffer);
});

Deno.test("returnBuffer() makes a buffer be taken again", () => {
  for (const size of [64, 65536]) {
    const buffer = takeBuffer(size);
    returnBuffer(buffer);
    const again = takeBuffer(size);
    assertStrictEquals(again, buffer);
    returnBuffer(again);
  }
});

Deno.test("takeBuffer() makes do with a smaller size when the large ones are many", () => {
  const large: Uint8Array<ArrayBuffer>[] = [];
  let next = takeBuffer(65536);
  while (next.length === 65536) {
    large.push(next);
    next = takeBuffer(65536);
    assert(large.length <= 4096, "there is no bound");
  }
  assertEquals(next.length, 4096);
  returnBuffer(next);
  large.forEach(returnBuffer);
  next = takeBuffer(65536);
  assertEquals(next.length, 65536);
  returnBuffer(next);
});

Deno.test("smallerSize() is the next size down", () => {
  assertEquals([65536, 4096, 512, 64].map(smallerSize), [4096, 512, 64, 64]);
  assertEquals(smallerSize(100_000), 65536);
});

Deno.test("returnWriter() keeps an empty writer, and none that has grown large", () => {
  const writer = takeWriter();
  writer.u32(1);
  returnWriter(writer);
  const again = takeWriter();
  assertStrictEquals(again, writer);
  assertEquals(again.length, 0);
  again.reserve(8 * LARGEST_POOLED_BYTES);
  returnWriter(again);
  assert(takeWriter() !== again);
});
