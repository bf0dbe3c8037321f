import { assertEquals, assertThrows } from "@std/assert";
import { bytes } from "../../../../src/proto/codec/bytes.ts";
import { text } from "../../../../src/proto/codec/text.ts";
import { checkWire } from "../../../../src/proto/codec_kit.ts";
import { LocalProtocolError } from "../../../../src/proto/errors.ts";
import { encodeFrame } from "../../../../src/proto/frame_writer.ts";
import { fixedSize } from "../../../../src/proto/framing/fixed_size.ts";
import { readThreeWays, utf8 } from "../../../support/three_ways.ts";

Deno.test("fixedSize() passes the codec kit", () => {
  for (const frameBytes of [1, 5, 188]) {
    const samples = [
      new Uint8Array(frameBytes),
      new Uint8Array(frameBytes).fill(0xff),
    ];
    checkWire(fixedSize(bytes(), { frameBytes }), samples, { mutations: 100 });
  }
});

Deno.test("fixedSize() cuts the stream into equal frames", () => {
  const wire = fixedSize(text(), { frameBytes: 2 });
  const reading = readThreeWays(wire, utf8("abcde"));
  assertEquals(reading, { messages: ["ab", "cd"], errors: [], left: 1 });
  const ended = readThreeWays(wire, utf8("abcde"), { finish: true });
  assertEquals(ended.errors, ["truncated"]);
});

Deno.test("fixedSize() refuses to write any other size", () => {
  for (const payload of ["", "a", "abc"]) {
    const error = assertThrows(
      () => encodeFrame(fixedSize(text(), { frameBytes: 2 }), payload),
      LocalProtocolError,
    );
    assertEquals(error.code, "unencodable");
  }
});

Deno.test("fixedSize() refuses every frame while the maximum is smaller", () => {
  const wire = fixedSize(text(), { frameBytes: 2 });
  const { errors } = readThreeWays(wire, utf8("a"), { maxFrameBytes: 1 });
  assertEquals(errors, ["frame_too_large"]);
});

Deno.test("fixedSize() throws RangeError when the size is no positive integer", () => {
  for (const frameBytes of [0, -1, 1.5, NaN]) {
    assertThrows(() => fixedSize(text(), { frameBytes }), RangeError);
  }
});
