import { assert, assertEquals, assertThrows } from "@std/assert";
import { ByteWriter } from "../../../../src/bytes/writer.ts";
import { RemoteProtocolError } from "../../../../src/proto/errors.ts";
import { text } from "../../../../src/proto/codec/text.ts";
import { WebSocketError } from "../../../../src/proto/web_socket/close.ts";
import { completeDeflate } from "../../../../src/proto/web_socket/deflate.ts";
import {
  type DeframerOptions,
  WebSocketDeframer,
} from "../../../../src/proto/web_socket/deframer.ts";
import { WebSocketFraming } from "../../../../src/proto/web_socket/framing.ts";
import {
  BINARY,
  CLOSE,
  closePayload,
  PING,
  PONG,
  type RawFrame,
  rawFrame,
  TEXT,
} from "../../../support/raw_web_socket.ts";
import { readThreeWays, utf8 } from "../../../support/three_ways.ts";

const framing = new WebSocketFraming({ text: true, maxFrameBytes: 1000 });
const WIRE = { framing, codec: text() };

function bytesOf(...frames: RawFrame[]): Uint8Array {
  return Uint8Array.from(frames.flatMap((each) => [...rawFrame(each, true)]));
}

function deframer(options: Partial<DeframerOptions> = {}) {
  const log: unknown[] = [];
  const made = new WebSocketDeframer({
    maxFrameBytes: 1000,
    from: "client",
    inflates: false,
    sink: {
      ping: (payload) =>
        void log.push(["ping", new TextDecoder().decode(payload)]),
      pong: () => void log.push(["pong"]),
      closed: (...close) => void log.push(["closed", ...close]),
    },
    ...options,
  });
  return { made, log };
}

Deno.test("WebSocketDeframer finds messages, however they arrive", () => {
  const { messages, errors, left } = readThreeWays(
    WIRE,
    bytesOf(
      { opcode: TEXT, payload: "one" },
      { opcode: PING, payload: "?" },
      { opcode: TEXT, fin: false, payload: "t" },
      { opcode: PONG },
      { opcode: 0, fin: false, payload: "" },
      { opcode: 0, payload: "wo ⚓" },
      { opcode: BINARY, payload: "x".repeat(300) },
    ),
  );
  assertEquals(messages, ["one", "two ⚓", "x".repeat(300)]);
  assertEquals([errors, left], [[], 0]);
});

Deno.test("WebSocketDeframer tells of control frames in order, also between fragments", () => {
  const { made, log } = deframer();
  const bytes = bytesOf(
    { opcode: PING, payload: "a" },
    { opcode: TEXT, fin: false, payload: "12" },
    { opcode: PING, payload: "b" },
    { opcode: 0, payload: "34" },
    { opcode: CLOSE, payload: closePayload(4000, "bye") },
    { opcode: TEXT, payload: "too late" },
  );
  let at = made.next(bytes, 0, bytes.length);
  assertEquals([made.start, log], [-1, [["ping", "a"]]]);
  at = made.next(bytes, at, bytes.length);
  assertEquals(bytes.slice(made.start, made.end), utf8("1234"));
  at = made.next(bytes, at, bytes.length);
  assertEquals(made.start, -1);
  assertEquals(log.slice(1), [["ping", "b"], ["closed", 4000, "bye"]]);
  assert(made.isOver);
  assertEquals(made.next(bytes, at, bytes.length), bytes.length);
  assertEquals([made.start, made.finish(bytes, 0, 0)], [-1, -1]);
});

Deno.test("WebSocketDeframer asks for as many bytes as a frame needs", () => {
  const { made } = deframer();
  const bytes = bytesOf({ opcode: TEXT, payload: "x".repeat(500) });
  assertEquals([made.next(bytes, 0, 3), made.wanted], [-1, 0]);
  assertEquals([made.next(bytes, 0, 8), made.wanted], [-1, 508]);
});

Deno.test("WebSocketDeframer refuses a message beyond the limit by its header", () => {
  const whole = bytesOf({ opcode: BINARY, length: 1001, payload: "" });
  const { made } = deframer();
  const error = assertThrows(
    () => made.next(whole, 0, whole.length),
    WebSocketError,
    "message has 1001 bytes, maximum is 1000",
  );
  assertEquals([error.code, error.closeCode], ["frame_too_large", 1009]);
  assert(made.isOver);
  const parts = bytesOf(
    { opcode: BINARY, fin: false, payload: "x".repeat(600) },
    { opcode: 0, length: 401 },
  );
  const second = deframer().made;
  assertThrows(() => second.next(parts, 0, parts.length), WebSocketError);
});

Deno.test("WebSocketDeframer refuses a message in too many frames", () => {
  const { made } = deframer({ maxFragments: 3 });
  const bytes = bytesOf(
    { opcode: BINARY, fin: false },
    { opcode: 0, fin: false },
    { opcode: PING },
    { opcode: 0 },
  );
  assertThrows(
    () => made.next(bytes, 0, bytes.length),
    WebSocketError,
    "3 or more frames",
  );
});

Deno.test("WebSocketDeframer takes unmasked frames from a server alone", () => {
  const bytes = rawFrame({ opcode: TEXT, payload: "é" }, false);
  const { made } = deframer({ from: "server" });
  assertEquals(made.next(bytes, 0, bytes.length), 4);
  assertEquals([made.start, made.end], [2, 4]);
  const masked = bytesOf({ opcode: TEXT });
  assertThrows(() => made.next(masked, 0, 6), WebSocketError, "not be masked");
});

Deno.test("WebSocketDeframer inflates to no more than the limit", () => {
  const deflate = completeDeflate({ thresholdBytes: 0 });
  const writing = new WebSocketFraming({
    text: false,
    maxFrameBytes: 10_000,
    deflate,
    mask: () => 0x01020304,
  });
  const frame = (payload: string) => {
    const writer = new ByteWriter();
    const mark = writing.begin(writer);
    writer.utf8(payload);
    writing.end(writer, mark);
    return writer.view();
  };
  const { made } = deframer({ inflates: true });
  const good = frame("x".repeat(1000));
  assert(good.length < 50);
  assertEquals(made.next(good, 0, good.length), good.length);
  assertEquals(made.inflated?.length, 1000);
  const bomb = frame("x".repeat(1001));
  const error = assertThrows(
    () => made.next(bomb, 0, bomb.length),
    WebSocketError,
  );
  assertEquals(error.closeCode, 1009);
});

Deno.test("WebSocketDeframer.discard() passes over everything until the Close", () => {
  const bytes = bytesOf(
    { opcode: TEXT, payload: "x".repeat(5000) },
    { opcode: PING, payload: "unanswered" },
    { opcode: CLOSE, payload: closePayload(1000) },
    { opcode: TEXT, payload: "more" },
  );
  for (const step of [1, 7, 4096, bytes.length]) {
    const { made, log } = deframer();
    let from = 0;
    for (let to = 0; to < bytes.length;) {
      to = Math.min(to + step, bytes.length);
      from = made.discard(bytes, from, to);
      assert(to - from < 20, "held");
    }
    assertEquals([log, from], [[["closed", undefined, ""]], bytes.length]);
  }
});

Deno.test("WebSocketDeframer.discard() goes on inside a message", () => {
  const bytes = bytesOf(
    { opcode: TEXT, fin: false, payload: "abc" },
    { opcode: 0, payload: "def" },
    { opcode: CLOSE },
  );
  const { made, log } = deframer();
  assertEquals(made.next(bytes, 0, 12), -1);
  assertEquals(made.discard(bytes, 0, bytes.length), bytes.length);
  assertEquals(log, [["closed", undefined, ""]]);
});

Deno.test("WebSocketDeframer.finish() tells a cut-off frame", () => {
  const { made } = deframer();
  const error = assertThrows(
    () => made.finish(new Uint8Array(3), 0, 3),
    RemoteProtocolError,
  );
  assertEquals(error.code, "truncated");
  assertEquals(made.finish(new Uint8Array(3), 3, 3), -1);
});
