import { assertEquals, assertThrows } from "@std/assert";
import { ByteWriter } from "../../../../src/bytes/writer.ts";
import { LocalProtocolError } from "../../../../src/proto/errors.ts";
import {
  isCloseCode,
  writeClosePayload,
} from "../../../../src/proto/web_socket/close.ts";
import { completeDeflate } from "../../../../src/proto/web_socket/deflate.ts";
import {
  WebSocketFraming,
  writeClose,
  writeControl,
} from "../../../../src/proto/web_socket/framing.ts";
import { rawFrame, TEXT } from "../../../support/raw_web_socket.ts";
import { hex } from "../../../support/three_ways.ts";

function write(framing: WebSocketFraming, payload: Uint8Array): Uint8Array {
  const writer = new ByteWriter(0);
  writer.u8(0xaa);
  const mark = framing.begin(writer);
  writer.set(payload);
  framing.end(writer, mark);
  assertEquals(writer.bytes[0], 0xaa);
  return writer.view().slice(1);
}

Deno.test("WebSocketFraming writes each length in the fewest bytes", () => {
  const server = new WebSocketFraming({ text: true, maxFrameBytes: 1 << 20 });
  const client = new WebSocketFraming({
    text: true,
    maxFrameBytes: 1 << 20,
    mask: () => 0x37fa213d,
  });
  for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 70_001]) {
    const payload = new Uint8Array(size).map((_, at) => at * 7);
    const frame = { opcode: TEXT, payload };
    assertEquals(write(server, payload), rawFrame(frame, false), `${size}`);
    assertEquals(write(client, payload), rawFrame(frame, true), `${size}`);
  }
});

Deno.test("WebSocketFraming.end() refuses what is too large, and leaves nothing", () => {
  const framing = new WebSocketFraming({ text: true, maxFrameBytes: 10 });
  const writer = new ByteWriter();
  const mark = framing.begin(writer);
  writer.set(new Uint8Array(11));
  assertThrows(() => framing.end(writer, mark), LocalProtocolError);
  assertEquals(writer.length, 0);
});

Deno.test("WebSocketFraming compresses from the threshold on, if that is shorter", () => {
  const framing = new WebSocketFraming({
    text: false,
    maxFrameBytes: 1 << 20,
    deflate: completeDeflate({ thresholdBytes: 20 }),
  });
  assertEquals(write(framing, new Uint8Array(19))[0], 0x82);
  assertEquals(write(framing, new Uint8Array(20))[0], 0xc2);
  const noise = crypto.getRandomValues(new Uint8Array(100));
  assertEquals(write(framing, noise)[0], 0x82);
});

Deno.test("completeDeflate() refuses options out of range", () => {
  for (
    const options of [{ level: 0 }, { windowBits: 8 }, { thresholdBytes: -1 }]
  ) {
    assertThrows(() => completeDeflate(options), RangeError, "Cannot compress");
  }
});

Deno.test("writeControl() and writeClose() write what RFC 6455 shows", () => {
  const writer = new ByteWriter();
  const mask = () => 0x37fa213d;
  writeControl(writer, 9, hex("48656c6c6f"), undefined);
  writeControl(writer, 10, hex("48656c6c6f"), mask);
  writeClose(writer, undefined, "", undefined);
  writeClose(writer, 1000, "ok", undefined);
  assertEquals(
    writer.view(),
    hex("8905 48656c6c6f 8a85 37fa213d 7f9f4d5158 8800 8804 03e8 6f6b"),
  );
});

Deno.test("writeClosePayload() cuts a reason between characters", () => {
  for (
    const [reason, length] of [["x", 123], ["é", 122], ["⚓", 123]] as const
  ) {
    const writer = new ByteWriter();
    writeClosePayload(writer, 1000, reason.repeat(124));
    assertEquals(writer.length, 2 + length, reason);
  }
});

Deno.test("isCloseCode() takes the codes that a frame may carry", () => {
  const ranges = [[1000, 1003], [1007, 1014], [3000, 4999]];
  for (let code = 0; code < 65_536; code++) {
    const allowed = ranges.some(([from, to]) => code >= from! && code <= to!);
    assertEquals(isCloseCode(code), allowed, `${code}`);
  }
});
