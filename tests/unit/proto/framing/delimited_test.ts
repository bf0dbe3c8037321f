import { assertEquals, assertThrows } from "@std/assert";
import { ByteWriter } from "../../../../src/bytes/writer.ts";
import { bytes } from "../../../../src/proto/codec/bytes.ts";
import { text } from "../../../../src/proto/codec/text.ts";
import { checkWire } from "../../../../src/proto/codec_kit.ts";
import { LocalProtocolError } from "../../../../src/proto/errors.ts";
import { encodeFrame, writeFrame } from "../../../../src/proto/frame_writer.ts";
import { delimited } from "../../../../src/proto/framing/delimited.ts";
import { hex, readThreeWays, utf8 } from "../../../support/three_ways.ts";

Deno.test("delimited() passes the codec kit with delimiters of any length", () => {
  for (const delimiter of ["\0", "\r\n", "\r\n.\r\n", "aab", hex("ff00ff")]) {
    const wire = delimited(text(), { delimiter });
    const samples = ["", "x", "\r\r", "\n\r", "hello".repeat(20)];
    checkWire(wire, samples, { mutations: 200 });
  }
});

Deno.test("delimited() splits at the first delimiter, even when it repeats itself", () => {
  const wire = delimited(text(), { delimiter: "aa" });
  const { messages, left } = readThreeWays(wire, utf8("xaayaaaaaz"));
  assertEquals(messages, ["x", "y", ""]);
  assertEquals(left, 2);
});

Deno.test("delimited() refuses a payload that contains the delimiter", () => {
  const wire = delimited(text(), { delimiter: "--" });
  const writer = new ByteWriter();
  for (const payload of ["a--b", "--", "a-", "---"]) {
    const error = assertThrows(
      () => writeFrame(wire, payload, writer),
      LocalProtocolError,
      "contains the delimiter",
    );
    assertEquals(error.code, "unencodable");
    assertEquals(error.recoverable, true);
    assertEquals(writer.length, 0);
  }
  assertEquals(encodeFrame(wire, "-a"), utf8("-a--"));
});

Deno.test("delimited() refuses a frame once more than the maximum has come", () => {
  const wire = delimited(text(), { delimiter: "\r\n", maxFrameBytes: 4 });
  assertEquals(readThreeWays(wire, utf8("abcd\r\n")).messages, ["abcd"]);
  assertEquals(readThreeWays(wire, utf8("abcd\r")).errors, []);
  assertEquals(readThreeWays(wire, utf8("abcde\r")).errors, [
    "frame_too_large",
  ]);
});

Deno.test("delimited() delivers an unterminated last frame only when told", () => {
  const strict = delimited(text(), { delimiter: ";" });
  assertEquals(readThreeWays(strict, utf8("a;b"), { finish: true }), {
    messages: ["a"],
    errors: ["truncated"],
    left: 0,
  });
  const lax = delimited(text(), { delimiter: ";", allowUnterminated: true });
  assertEquals(readThreeWays(lax, utf8("a;b"), { finish: true }), {
    messages: ["a", "b"],
    errors: [],
    left: 0,
  });
});

Deno.test("delimited() looks at each byte once, however the bytes come", () => {
  const deframer = delimited(bytes(), {
    delimiter: "\n",
    maxFrameBytes: 1 << 20,
  }).framing.deframer();
  let looked = 0;
  const buffer = new Uint8Array(1 << 20);
  const counting = new Proxy(buffer, {
    get: (target, name) =>
      name === "subarray"
        ? (from: number, to: number) => {
          looked += to - from;
          return target.subarray(from, to);
        }
        : Reflect.get(target, name),
  });
  for (let to = 1; to <= 20_000; to++) {
    assertEquals(deframer.next(counting, 0, to), -1);
  }
  assertEquals(looked, 20_000);
});

Deno.test("delimited() throws RangeError when the delimiter is empty", () => {
  assertThrows(() => delimited(text(), { delimiter: "" }), RangeError);
});
