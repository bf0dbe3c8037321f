import { assertEquals, assertThrows } from "@std/assert";
import { text } from "../../../../src/proto/codec/text.ts";
import { RemoteProtocolError } from "../../../../src/proto/errors.ts";
import { encodeFrame } from "../../../../src/proto/frame_writer.ts";
import { raw } from "../../../../src/proto/framing/raw.ts";
import { hex, utf8 } from "../../../support/three_ways.ts";

Deno.test("text() decodes UTF-8, with a byte order mark and U+FFFD as they came", () => {
  for (const sent of ["", "a", "é✓😀", "\uFEFFa", "\uFFFD", "a\uFFFD\0"]) {
    // Short and long texts may be decoded in different ways.
    for (const padding of ["", "x".repeat(1000)]) {
      assertEquals(text().decode(utf8(sent + padding)), sent + padding);
    }
  }
});

Deno.test("text() refuses malformed UTF-8", () => {
  for (
    const malformed of [
      "80",
      "61ff",
      "c3",
      "c0af",
      "eda080",
      "f4908080",
      "e282",
      "efbfbd 80",
    ]
  ) {
    for (const padding of ["", "61".repeat(1000)]) {
      const error = assertThrows(
        () => text().decode(hex(padding + malformed)),
        RemoteProtocolError,
      );
      assertEquals(error.code, "malformed");
      assertEquals(error.recoverable, true);
    }
  }
});

Deno.test("text() sends lone surrogates as U+FFFD", () => {
  assertEquals(encodeFrame(raw(text()), "a\ud800"), utf8("a\uFFFD"));
});
