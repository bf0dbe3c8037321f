import { assertEquals, assertThrows } from "@std/assert";
import { ByteWriter } from "../../../src/bytes/writer.ts";
import type { Codec } from "../../../src/proto/codec/codec.ts";
import { text } from "../../../src/proto/codec/text.ts";
import { encodeFrame, writeFrame } from "../../../src/proto/frame_writer.ts";
import { lengthPrefixed } from "../../../src/proto/framing/length_prefixed.ts";
import { varintPrefixed } from "../../../src/proto/framing/varint_prefixed.ts";
import { hex } from "../../support/three_ways.ts";

Deno.test("writeFrame() appends frames to what is there", () => {
  for (const capacity of [0, 1, 1000]) {
    const writer = new ByteWriter(capacity);
    writeFrame(lengthPrefixed(text()), "a", writer);
    writeFrame(varintPrefixed(text()), "bc", writer);
    assertEquals(writer.view(), hex("00000001 61 02 6263"));
  }
});

Deno.test("writeFrame() takes back what a failing codec has written", () => {
  const broken: Codec<string> = {
    ...text(),
    encode(value, writer) {
      writer.utf8(value);
      throw new TypeError("No more");
    },
  };
  const writer = new ByteWriter();
  writer.u8(7);
  assertThrows(
    () => writeFrame(lengthPrefixed(broken), "abc", writer),
    TypeError,
    "No more",
  );
  assertEquals(writer.view(), hex("07"));
});

Deno.test("encodeFrame() returns bytes of its own", () => {
  const first = encodeFrame(varintPrefixed(text()), "a");
  encodeFrame(varintPrefixed(text()), "b");
  assertEquals(first, hex("01 61"));
  assertEquals(first.buffer.byteLength, 2);
});
