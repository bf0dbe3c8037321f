import { assertEquals, assertThrows } from "@std/assert";
import { bytes } from "../../../../src/proto/codec/bytes.ts";
import { text } from "../../../../src/proto/codec/text.ts";
import { checkWire } from "../../../../src/proto/codec_kit.ts";
import { LocalProtocolError } from "../../../../src/proto/errors.ts";
import { encodeFrame } from "../../../../src/proto/frame_writer.ts";
import { varintPrefixed } from "../../../../src/proto/framing/varint_prefixed.ts";
import { hex, readThreeWays } from "../../../support/three_ways.ts";

Deno.test("varintPrefixed() passes the codec kit", () => {
  const samples = ["", "a", "x".repeat(127), "x".repeat(128), "é".repeat(9000)];
  checkWire(varintPrefixed(text()), samples, { mutations: 200, maxCuts: 300 });
});

Deno.test("varintPrefixed() writes the header of Protocol Buffers", () => {
  const frame = encodeFrame(varintPrefixed(text()), "x".repeat(300));
  assertEquals(frame.subarray(0, 3), hex("ac02 78"));
  assertEquals(frame.length, 302);
});

Deno.test("varintPrefixed() refuses a header that no sender writes", () => {
  const wire = varintPrefixed(bytes());
  for (const header of ["8000", "ffffffff10", "8080808080"]) {
    assertEquals(readThreeWays(wire, hex(header)).errors, ["invalid_frame"]);
  }
});

Deno.test("varintPrefixed() reads lengths of 0, maximum and maximum + 1", () => {
  const wire = varintPrefixed(bytes(), { maxFrameBytes: 200 });
  const body = new Uint8Array(200).fill(1);
  assertEquals(readThreeWays(wire, [0]).messages, [new Uint8Array()]);
  assertEquals(readThreeWays(wire, [0xc8, 1, ...body]).messages, [body]);
  assertEquals(readThreeWays(wire, [0xc9, 1]).errors, ["frame_too_large"]);
  const huge = readThreeWays(wire, hex("ffffffff0f"));
  assertEquals(huge.errors, ["frame_too_large"]);
});

Deno.test("varintPrefixed() takes a new maximum in mid-connection", () => {
  const wire = varintPrefixed(text());
  const frame = encodeFrame(wire, "abc");
  const small = readThreeWays(wire, frame, { maxFrameBytes: 2 });
  assertEquals(small.errors, ["frame_too_large"]);
});

Deno.test("varintPrefixed() refuses to write over the maximum", () => {
  const wire = varintPrefixed(text(), { maxFrameBytes: 3 });
  const error = assertThrows(
    () => encodeFrame(wire, "abcd"),
    LocalProtocolError,
  );
  assertEquals(error.code, "frame_too_large");
});

Deno.test("varintPrefixed() throws RangeError when the maximum exceeds 32 bits", () => {
  assertThrows(
    () => varintPrefixed(text(), { maxFrameBytes: 2 ** 32 }),
    RangeError,
  );
});
