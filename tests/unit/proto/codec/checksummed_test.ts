import { assertEquals, assertThrows } from "@std/assert";
import { ByteWriter } from "../../../../src/bytes/writer.ts";
import { bytes } from "../../../../src/proto/codec/bytes.ts";
import { checksummed } from "../../../../src/proto/codec/checksummed.ts";
import { json } from "../../../../src/proto/codec/json.ts";
import { text } from "../../../../src/proto/codec/text.ts";
import { RemoteProtocolError } from "../../../../src/proto/errors.ts";
import { FrameReader } from "../../../../src/proto/frame_reader.ts";
import { encodeFrame } from "../../../../src/proto/frame_writer.ts";
import { lengthPrefixed } from "../../../../src/proto/framing/length_prefixed.ts";
import { hex, readThreeWays, utf8 } from "../../../support/three_ways.ts";

function encoded<T>(codec: ReturnType<typeof checksummed<T, T>>, value: T) {
  const writer = new ByteWriter();
  codec.encode(value, writer);
  return writer.view();
}

Deno.test("checksummed() appends CRC-32C, most significant byte first", () => {
  assertEquals(
    encoded(checksummed(text()), "123456789"),
    new Uint8Array([...utf8("123456789"), ...hex("e3069283")]),
  );
  assertEquals(encoded(checksummed(text()), ""), hex("00000000"));
});

Deno.test("checksummed() sums its own frame when others were written before it", () => {
  const writer = new ByteWriter();
  const codec = checksummed(text());
  codec.encode("123456789", writer);
  const before = writer.length;
  codec.encode("123456789", writer);
  assertEquals(codec.decode(writer.view().subarray(before)), "123456789");
});

Deno.test("checksummed() refuses every single wrong bit, and the next frame is read", () => {
  const wire = lengthPrefixed(checksummed(json()));
  const frame = encodeFrame(wire, { say: "ahoy" });
  for (let bit = 32; bit < frame.length * 8; bit++) {
    const wrong = frame.slice();
    wrong[bit >> 3]! ^= 1 << (bit & 7);
    const reading = readThreeWays(wire, [...wrong, ...frame]);
    assertEquals(reading.errors, ["malformed"], `bit ${bit}`);
    assertEquals(reading.messages, [{ say: "ahoy" }]);
  }
});

Deno.test("checksummed() says which checksum was expected and is recoverable", () => {
  const codec = checksummed(bytes());
  const error = assertThrows(
    () => codec.decode(hex("00 00000000")),
    RemoteProtocolError,
    "checksum must be 0x527d5351: current value is 0x00000000",
  );
  assertEquals(error.code, "malformed");
  assertEquals(error.recoverable, true);
});

Deno.test("checksummed() refuses payloads that are too short for a checksum", () => {
  for (let length = 0; length < 4; length++) {
    assertThrows(
      () => checksummed(bytes()).decode(new Uint8Array(length)),
      RemoteProtocolError,
      `${length} bytes are too few`,
    );
  }
});

Deno.test("checksummed() does not parse what is wrong", () => {
  let parsed = 0;
  const codec = checksummed<string, string>({
    ...text(),
    decode: () => String(++parsed),
  });
  assertThrows(() => codec.decode(hex("61 00000000")));
  assertEquals(parsed, 0);
});

Deno.test("checksummed() is named after its codec and is not text", () => {
  const { name, text: isText } = checksummed(json());
  assertEquals([name, isText], ["json+crc32c", false]);
});

Deno.test("FrameReader goes on after a frame whose checksum is wrong", () => {
  const wire = lengthPrefixed(checksummed(text()));
  const frames = ["one", "two", "three"].map((it) => encodeFrame(wire, it));
  frames[1]![5]! ^= 0x20;
  const reader = new FrameReader(wire);
  for (const frame of frames) reader.push(frame);
  const read: string[] = [];
  for (let i = 0; i < 2; i++) {
    try {
      for (const message of reader) read.push(message);
    } catch (error) {
      read.push((error as RemoteProtocolError).code);
    }
  }
  assertEquals(read, ["one", "malformed", "three"]);
});
