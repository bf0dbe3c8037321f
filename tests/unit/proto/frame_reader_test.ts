import { assert, assertEquals, assertThrows } from "@std/assert";
import { json } from "../../../src/proto/codec/json.ts";
import { text } from "../../../src/proto/codec/text.ts";
import { RemoteProtocolError } from "../../../src/proto/errors.ts";
import { FrameReader } from "../../../src/proto/frame_reader.ts";
import { encodeFrame } from "../../../src/proto/frame_writer.ts";
import { lines } from "../../../src/proto/framing/delimited.ts";
import { lengthPrefixed } from "../../../src/proto/framing/length_prefixed.ts";
import { hex, utf8 } from "../../support/three_ways.ts";

Deno.test("FrameReader copies what is pushed", () => {
  const reader = new FrameReader(lines(text()));
  const chunk = utf8("ab");
  reader.push(chunk);
  chunk.fill(0);
  assertEquals([...reader.push(utf8("c\n"))], ["abc"]);
});

Deno.test("FrameReader goes on where an iteration was left", () => {
  const reader = new FrameReader(lines(text())).push(utf8("a\nb\nc"));
  for (const message of reader) {
    assertEquals(message, "a");
    break;
  }
  assertEquals(reader.bufferedBytes, 3);
  assertEquals([...reader.push(utf8("d\n"))], ["b", "cd"]);
});

Deno.test("FrameReader goes on after a malformed message", () => {
  const reader = new FrameReader(lines(json())).push(utf8("1\n{\n2\n"));
  const seen: unknown[] = [];
  const error = assertThrows(
    () => {
      for (const message of reader) seen.push(message);
    },
    RemoteProtocolError,
  );
  assert(error.recoverable);
  assertEquals(seen, [1]);
  assertEquals([...reader], [2]);
});

Deno.test("FrameReader throws a framing error again and again", () => {
  const reader = new FrameReader(lengthPrefixed(text()));
  reader.push(hex("00000001 61 ffffffff"));
  const seen: string[] = [];
  const read = (): void => {
    for (const message of reader) seen.push(message);
  };
  const error = assertThrows(read, RemoteProtocolError);
  assertEquals(assertThrows(read), error);
  reader.push(hex("00000001 62"));
  assertEquals(assertThrows(read), error);
  assertEquals(seen, ["a"]);
});

Deno.test("FrameReader ends once, after finish()", () => {
  const reader = new FrameReader(lines(text())).push(utf8("a\nb"));
  assertEquals([...reader], ["a"]);
  assertEquals([...reader.finish()], ["b"]);
  assertEquals([...reader], []);
});

Deno.test("FrameReader keeps no more than a frame, a header and a chunk", () => {
  const wire = lengthPrefixed(text(), { maxFrameBytes: 1000 });
  const reader = new FrameReader(wire);
  const frame = encodeFrame(wire, "x".repeat(1000));
  const stream = new Uint8Array(frame.length * 50);
  for (let i = 0; i < 50; i++) stream.set(frame, i * frame.length);
  let messages = 0;
  for (let at = 0; at < stream.length; at += 7) {
    for (const _ of reader.push(stream.subarray(at, at + 7))) messages++;
    assert(reader.bufferedBytes < frame.length);
  }
  assertEquals(messages, 50);
});

Deno.test("FrameReader takes a new maximum between messages", () => {
  const reader = new FrameReader(lines(text(), { maxFrameBytes: 2 }));
  assertEquals([...reader.push(utf8("ab\n"))], ["ab"]);
  reader.maxFrameBytes = 4;
  assertEquals(reader.maxFrameBytes, 4);
  assertEquals([...reader.push(utf8("abcd\n"))], ["abcd"]);
});
