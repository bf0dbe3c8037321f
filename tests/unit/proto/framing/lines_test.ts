import { assertEquals, assertThrows } from "@std/assert";
import { json } from "../../../../src/proto/codec/json.ts";
import { text } from "../../../../src/proto/codec/text.ts";
import { checkWire } from "../../../../src/proto/codec_kit.ts";
import { LocalProtocolError } from "../../../../src/proto/errors.ts";
import { encodeFrame } from "../../../../src/proto/frame_writer.ts";
import { lines } from "../../../../src/proto/framing/delimited.ts";
import { readThreeWays, utf8 } from "../../../support/three_ways.ts";

Deno.test("lines() passes the codec kit", () => {
  const samples = ["", "a", "one two", "\r.", "é".repeat(40)];
  checkWire(lines(text()), samples, { allowUnterminated: true });
  checkWire(lines(text(), { allowUnterminated: false }), samples);
  checkWire(lines(json()), [null, { a: "\n" }], { allowUnterminated: true });
});

Deno.test("lines() reads newlines with and without carriage return", () => {
  const { messages } = readThreeWays(
    lines(text()),
    utf8("a\nb\r\n\r\n\nc\r\r\n"),
  );
  assertEquals(messages, ["a", "b", "", "", "c\r"]);
});

Deno.test("lines() writes a newline", () => {
  assertEquals(encodeFrame(lines(text()), "hi"), utf8("hi\n"));
});

Deno.test("lines() delivers an unterminated last line, unless told otherwise", () => {
  const finish = { finish: true };
  assertEquals(readThreeWays(lines(text()), utf8("a\nb"), finish).messages, [
    "a",
    "b",
  ]);
  assertEquals(readThreeWays(lines(text()), utf8("a\nb\r"), finish).messages, [
    "a",
    "b",
  ]);
  assertEquals(readThreeWays(lines(text()), utf8("a\n"), finish).messages, [
    "a",
  ]);
  const strict = lines(text(), { allowUnterminated: false });
  assertEquals(readThreeWays(strict, utf8("a\nb"), finish).errors, [
    "truncated",
  ]);
});

Deno.test("lines() counts neither newline nor carriage return to the maximum", () => {
  const wire = lines(text(), { maxFrameBytes: 3 });
  assertEquals(readThreeWays(wire, utf8("abc\nabc\r\n")).messages, [
    "abc",
    "abc",
  ]);
  for (const input of ["abcd", "abcd\n", "abc\r\r\n", "abc\rd"]) {
    assertEquals(readThreeWays(wire, utf8(input)).errors, ["frame_too_large"]);
  }
  const last = readThreeWays(wire, utf8("abcd"), { finish: true });
  assertEquals(last.errors, ["frame_too_large"]);
});

Deno.test("lines() takes a new maximum in mid-line", () => {
  const deframer = lines(text()).framing.deframer();
  const line = utf8("0123456789\n");
  assertEquals(deframer.next(line, 0, 8), -1);
  deframer.maxFrameBytes = 4;
  assertThrows(() => deframer.next(line, 0, 9), Error, "maximum is 4");
});

Deno.test("lines() refuses what readers would take for another line", () => {
  for (const payload of ["a\nb", "\n", "a\r"]) {
    const error = assertThrows(
      () => encodeFrame(lines(text()), payload),
      LocalProtocolError,
    );
    assertEquals(error.code, "unencodable");
  }
});
