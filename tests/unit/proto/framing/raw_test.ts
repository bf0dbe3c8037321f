import { assertEquals, assertThrows } from "@std/assert";
import { bytes } from "../../../../src/proto/codec/bytes.ts";
import { FrameReader } from "../../../../src/proto/frame_reader.ts";
import { encodeFrame } from "../../../../src/proto/frame_writer.ts";
import { raw } from "../../../../src/proto/framing/raw.ts";
import { utf8 } from "../../../support/three_ways.ts";

Deno.test("raw() hands on what is there, cut at the maximum", () => {
  const reader = new FrameReader(raw(bytes(), { maxFrameBytes: 4 }));
  assertEquals([...reader], []);
  assertEquals([...reader.push(utf8("abcdefghi"))], [
    utf8("abcd"),
    utf8("efgh"),
    utf8("i"),
  ]);
  assertEquals([...reader.finish()], []);
});

Deno.test("raw() takes a new maximum in mid-connection and never stalls", () => {
  const reader = new FrameReader(raw(bytes()));
  reader.maxFrameBytes = 0;
  assertEquals([...reader.push(utf8("ab"))], [utf8("a"), utf8("b")]);
});

Deno.test("raw() writes bytes as they are", () => {
  assertEquals(encodeFrame(raw(bytes()), utf8("abc")), utf8("abc"));
  const long = new Uint8Array(100);
  assertEquals(encodeFrame(raw(bytes(), { maxFrameBytes: 1 }), long), long);
});

Deno.test("raw() throws RangeError when the maximum is not positive", () => {
  assertThrows(() => raw(bytes(), { maxFrameBytes: 0 }), RangeError);
});
