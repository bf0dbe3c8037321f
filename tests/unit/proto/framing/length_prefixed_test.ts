import { assert, assertEquals, assertThrows } from "@std/assert";
import { ByteWriter } from "../../../../src/bytes/writer.ts";
import { bytes } from "../../../../src/proto/codec/bytes.ts";
import { text } from "../../../../src/proto/codec/text.ts";
import { checkWire } from "../../../../src/proto/codec_kit.ts";
import {
  LocalProtocolError,
  RemoteProtocolError,
} from "../../../../src/proto/errors.ts";
import { encodeFrame, writeFrame } from "../../../../src/proto/frame_writer.ts";
import {
  lengthPrefixed,
  type LengthPrefixedOptions,
} from "../../../../src/proto/framing/length_prefixed.ts";
import { hex, readThreeWays, utf8 } from "../../../support/three_ways.ts";

const LAYOUTS: LengthPrefixedOptions[] = [
  {},
  { maxFrameBytes: 0xffffffff },
  { lengthIncludesHeader: true },
  { lengthBytes: 2, magic: hex("cafe") },
  { lengthBytes: 3, byteOrder: "little", lengthOffset: 1 },
  { lengthBytes: 2, lengthAdjustment: -3, lengthOffset: 3 },
  { lengthBytes: 1, lengthAdjustment: 10 },
  ...[1, 2, 3, 4, 5, 6, 7, 8].flatMap((lengthBytes) => [
    { lengthBytes },
    { lengthBytes, byteOrder: "little" as const },
  ]),
];

Deno.test("lengthPrefixed() passes the codec kit in every layout", () => {
  for (const options of LAYOUTS) {
    const samples = ["0123456789", "é".repeat(60), "x".repeat(100)];
    if (options.lengthAdjustment !== 10) samples.push("", "a");
    checkWire(lengthPrefixed(text(), options), samples, { mutations: 100 });
  }
});

Deno.test("lengthPrefixed() writes 4 bytes big-endian by default", () => {
  const wire = lengthPrefixed(text());
  assertEquals(wire.framing.name, "u32be");
  assertEquals(encodeFrame(wire, "hi"), hex("00000002 6869"));
});

Deno.test("lengthPrefixed() lays out headers as Netty and tokio-util do", () => {
  const cases: [LengthPrefixedOptions, string][] = [
    [{ lengthBytes: 2 }, "0002 6869"],
    [{ lengthBytes: 2, byteOrder: "little" }, "0200 6869"],
    [{ lengthBytes: 8 }, "0000000000000002 6869"],
    [{ lengthBytes: 3, byteOrder: "little" }, "020000 6869"],
    [{ lengthBytes: 2, lengthIncludesHeader: true }, "0004 6869"],
    [{ lengthBytes: 2, lengthAdjustment: -2 }, "0004 6869"],
    [{ lengthBytes: 1, lengthOffset: 2 }, "0000 02 6869"],
    [{ lengthBytes: 1, magic: hex("cafe") }, "cafe 02 6869"],
    [
      { lengthBytes: 1, magic: hex("cafe"), lengthIncludesHeader: true },
      "cafe 05 6869",
    ],
  ];
  for (const [options, frame] of cases) {
    const wire = lengthPrefixed(text(), options);
    assertEquals(encodeFrame(wire, "hi"), hex(frame));
    assertEquals(readThreeWays(wire, hex(frame)).messages, ["hi"]);
  }
});

Deno.test("lengthPrefixed() skips a foreign header without looking at it", () => {
  const wire = lengthPrefixed(text(), { lengthBytes: 1, lengthOffset: 2 });
  const { messages } = readThreeWays(wire, hex("ffff 02 6869 0102 01 21"));
  assertEquals(messages, ["hi", "!"]);
});

Deno.test("lengthPrefixed() refuses wrong magic at its first wrong byte", () => {
  const wire = lengthPrefixed(text(), { lengthBytes: 1, magic: hex("cafe") });
  assertEquals(readThreeWays(wire, hex("cb")).errors, ["invalid_frame"]);
  assertEquals(readThreeWays(wire, hex("caff")).errors, ["invalid_frame"]);
  const second = readThreeWays(wire, hex("cafe 01 21 00"));
  assertEquals(second, { messages: ["!"], errors: ["invalid_frame"], left: 0 });
});

Deno.test("lengthPrefixed() hands the header to the codec with keepHeader", () => {
  // The shape of a PostgreSQL message: a type, and a length that counts itself.
  const wire = lengthPrefixed(bytes(), {
    lengthOffset: 1,
    lengthAdjustment: -4,
    keepHeader: true,
  });
  const frame = hex("51 00000006 4142");
  assertEquals(encodeFrame(wire, hex("51 ffffffff 4142")), frame);
  assertEquals(readThreeWays(wire, frame).messages, [frame]);
  checkWire(wire, [frame, hex("5800000004")], { mutations: 100 });
  const error = assertThrows(
    () => encodeFrame(wire, hex("5100")),
    LocalProtocolError,
  );
  assertEquals(error.code, "unencodable");
});

Deno.test("lengthPrefixed() reads lengths of 0, maximum and maximum + 1", () => {
  const max = 300;
  for (const options of [{}, { lengthBytes: 2 }, { lengthBytes: 8 }]) {
    const wire = lengthPrefixed(bytes(), { ...options, maxFrameBytes: max });
    const header = (length: number): number[] => {
      const width = options.lengthBytes ?? 4;
      return Array.from(
        { length: width },
        (_, i) => Math.floor(length / 256 ** (width - 1 - i)) % 256,
      );
    };
    const body = new Uint8Array(max).fill(7);
    assertEquals(readThreeWays(wire, header(0)).messages, [new Uint8Array()]);
    const exact = readThreeWays(wire, [...header(max), ...body]);
    assertEquals(exact.messages, [body]);
    const over = readThreeWays(wire, header(max + 1));
    assertEquals(over.errors, ["frame_too_large"]);
  }
});

Deno.test("lengthPrefixed() refuses 4 GiB - 1 on the header, naming both sizes", () => {
  const wire = lengthPrefixed(bytes());
  const deframer = wire.framing.deframer();
  const error = assertThrows(
    () => deframer.next(hex("ffffffff"), 0, 4),
    RemoteProtocolError,
    "4294967295",
  );
  assert(error.message.includes("1048576"));
  assertEquals(error.code, "frame_too_large");
  assertEquals(error.recoverable, false);
  assertThrows(
    () => deframer.next(hex("80000000"), 0, 4),
    RemoteProtocolError,
    "2147483648",
  );
});

Deno.test("lengthPrefixed() refuses 8-byte lengths beyond 2^53", () => {
  for (const byteOrder of ["big", "little"] as const) {
    const wire = lengthPrefixed(bytes(), { lengthBytes: 8, byteOrder });
    const { errors } = readThreeWays(wire, new Uint8Array(8).fill(0xff));
    assertEquals(errors, ["frame_too_large"]);
  }
});

Deno.test("lengthPrefixed() refuses lengths smaller than the header they count", () => {
  const wire = lengthPrefixed(text(), { lengthIncludesHeader: true });
  assertEquals(readThreeWays(wire, hex("00000004")).messages, [""]);
  assertEquals(readThreeWays(wire, hex("00000003")).errors, ["invalid_frame"]);
});

Deno.test("lengthPrefixed() tells how many bytes the frame needs in all", () => {
  for (const options of [{}, { byteOrder: "little" as const }]) {
    const deframer = lengthPrefixed(text(), options).framing.deframer();
    const frame = encodeFrame(lengthPrefixed(text(), options), "x".repeat(99));
    assertEquals(deframer.next(frame, 0, 3), -1);
    assertEquals(deframer.wanted, 0);
    assertEquals(deframer.next(frame, 0, 4), -1);
    assertEquals(deframer.wanted, 103);
    assertEquals(deframer.next(frame, 0, 103), 103);
  }
});

Deno.test("lengthPrefixed() takes a new maximum in mid-connection", () => {
  for (const options of [{}, { lengthBytes: 3 }]) {
    const wire = lengthPrefixed(text(), options);
    const frame = encodeFrame(wire, "x".repeat(50));
    const deframer = wire.framing.deframer();
    deframer.maxFrameBytes = 49;
    assertThrows(() => deframer.next(frame, 0, frame.length));
    deframer.maxFrameBytes = 50;
    assertEquals(deframer.next(frame, 0, frame.length), frame.length);
  }
});

Deno.test("lengthPrefixed() refuses to write over the maximum, and undoes it", () => {
  for (const options of [{}, { lengthBytes: 2 }]) {
    const wire = lengthPrefixed(text(), { ...options, maxFrameBytes: 3 });
    const writer = new ByteWriter();
    writeFrame(wire, "abc", writer);
    const before = writer.length;
    const error = assertThrows(
      () => writeFrame(wire, "abcd", writer),
      LocalProtocolError,
      "payload has 4 bytes, maximum is 3",
    );
    assertEquals(error.code, "frame_too_large");
    assertEquals(writer.length, before);
  }
});

Deno.test("lengthPrefixed() reports a stream that ends inside a frame", () => {
  const wire = lengthPrefixed(text());
  for (const input of ["00", "00000001", "00000002 68"]) {
    const { errors } = readThreeWays(wire, hex(input), { finish: true });
    assertEquals(errors, ["truncated"]);
  }
  const whole = readThreeWays(wire, hex("00000001 68"), { finish: true });
  assertEquals(whole, { messages: ["h"], errors: [], left: 0 });
});

Deno.test("lengthPrefixed() throws RangeError when the layout is impossible", () => {
  const impossible: LengthPrefixedOptions[] = [
    { lengthBytes: 0 },
    { lengthBytes: 9 },
    { lengthBytes: 1.5 },
    { lengthOffset: -1 },
    { lengthAdjustment: 0.5 },
    { lengthOffset: 1, magic: utf8("ab") },
    { maxFrameBytes: 0 },
    { maxFrameBytes: NaN },
    { maxFrameBytes: 2 ** 32 },
    { lengthBytes: 1, maxFrameBytes: 256 },
    { lengthBytes: 1, maxFrameBytes: 255, lengthIncludesHeader: true },
    { lengthBytes: 1, lengthAdjustment: -255 },
  ];
  for (const options of impossible) {
    assertThrows(() => lengthPrefixed(text(), options), RangeError);
  }
});

Deno.test("lengthPrefixed() lowers the default maximum to what the field carries", () => {
  const max = (options: LengthPrefixedOptions): number =>
    lengthPrefixed(text(), options).framing.maxFrameBytes;
  assertEquals(max({ lengthBytes: 1 }), 255);
  assertEquals(max({ lengthBytes: 2 }), 65_535);
  assertEquals(max({ lengthBytes: 1, lengthIncludesHeader: true }), 254);
  assertEquals(max({ lengthBytes: 4 }), 1_048_576);
});
