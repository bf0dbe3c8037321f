import { assert, assertEquals } from "@std/assert";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { RemoteProtocolError } from "../../src/proto/errors.ts";
import { completeDeflate } from "../../src/proto/web_socket/deflate.ts";
import { WebSocketDeframer } from "../../src/proto/web_socket/deframer.ts";
import { WebSocketFraming } from "../../src/proto/web_socket/framing.ts";
import { applyMask, isAscii } from "../../src/proto/web_socket/mask.ts";
import { Utf8Check } from "../../src/proto/web_socket/utf8_check.ts";
import { checkProperty, fc } from "../support/property.ts";
import { BINARY, PING, rawFrame } from "../support/raw_web_socket.ts";

const MAX_BYTES = 2000;

function deframer(inflates = false, pings: Uint8Array[] = []) {
  return new WebSocketDeframer({
    maxFrameBytes: MAX_BYTES,
    from: "client",
    inflates,
    sink: {
      ping: (payload) => void pings.push(payload.slice()),
      pong() {},
      closed() {},
    },
  });
}

/** Reads a stream as a connection does: in pieces, in a buffer that moves. */
function readAll(
  reader: WebSocketDeframer,
  stream: Uint8Array,
  sizes: readonly number[],
): Uint8Array[] {
  const messages: Uint8Array[] = [];
  let kept = new Uint8Array(0);
  let turn = 0;
  for (let at = 0; at < stream.length;) {
    const size = sizes[turn++ % sizes.length]!;
    const bytes = new Uint8Array([...kept, ...stream.subarray(at, at + size)]);
    at += size;
    let from = 0;
    for (;;) {
      const next = reader.next(bytes, from, bytes.length);
      if (next < 0) break;
      from = next;
      if (reader.start < 0) continue;
      const { inflated, start, end } = reader;
      messages.push((inflated ?? bytes.subarray(start, end)).slice());
    }
    kept = bytes.slice(from);
  }
  assertEquals(kept.length, 0);
  return messages;
}

const payload = fc.uint8Array({ maxLength: 400 });
const sizes = fc.array(fc.integer({ min: 1, max: 300 }), {
  minLength: 1,
  maxLength: 5,
});

Deno.test("WebSocketDeframer finds every message in any pieces, fragments and Pings", () => {
  checkProperty(
    fc.tuple(
      fc.array(
        fc.array(fc.record({ payload, ping: fc.boolean() }), {
          minLength: 1,
          maxLength: 4,
        }),
        { maxLength: 6 },
      ),
      sizes,
    ),
    ([messages, sizes]) => {
      const stream = messages.flatMap((fragments) =>
        fragments.flatMap(({ payload, ping }, at) => [
          ...(ping ? rawFrame({ opcode: PING, payload: "p" }, true) : []),
          ...rawFrame({
            opcode: at === 0 ? BINARY : 0,
            fin: at === fragments.length - 1,
            payload,
          }, true),
        ])
      );
      const pings: Uint8Array[] = [];
      const found = readAll(
        deframer(false, pings),
        Uint8Array.from(stream),
        sizes,
      );
      const expected = messages.map((fragments) =>
        Uint8Array.from(fragments.flatMap(({ payload }) => [...payload]))
      );
      assertEquals(found, expected);
      const count = messages.flat().filter(({ ping }) => ping).length;
      assertEquals(pings.length, count);
    },
  );
});

Deno.test("WebSocketFraming writes what WebSocketDeframer reads, compressed or not", () => {
  checkProperty(
    fc.tuple(
      fc.array(fc.uint8Array({ maxLength: MAX_BYTES, max: 3 }), {
        maxLength: 8,
      }),
      fc.option(fc.integer({ min: 9, max: 15 })),
      fc.nat(0xffffffff),
      sizes,
    ),
    ([messages, windowBits, key, sizes]) => {
      const deflate = windowBits === null
        ? undefined
        : completeDeflate({ windowBits, thresholdBytes: 10 });
      const framing = new WebSocketFraming({
        text: false,
        maxFrameBytes: MAX_BYTES,
        mask: () => key | 0,
        deflate,
      });
      const writer = new ByteWriter(0);
      for (const message of messages) {
        const mark = framing.begin(writer);
        writer.set(message);
        framing.end(writer, mark);
      }
      const reader = deframer(windowBits !== null);
      assertEquals(readAll(reader, writer.view(), sizes), messages);
    },
  );
});

Deno.test("WebSocketDeframer refuses anything else with an error of its own", () => {
  // Begins like a frame, so that more than the header is looked at.
  const input = fc.tuple(
    fc.constantFrom(0xc1, 0xc2, 0x81, 0x01, 0x88, 0x89),
    fc.uint8Array({ maxLength: 300 }),
    sizes,
  );
  checkProperty(input, ([first, noise, sizes]) => {
    const length = Math.min(noise.length, 100);
    const stream = Uint8Array.of(first, 0x80 | length, ...noise);
    const reader = deframer(true);
    let from = 0;
    for (let to = 1, turn = 0; from < stream.length; turn++) {
      try {
        const next = reader.next(stream, from, to);
        assert(next < 0 || next > from && next <= to);
        if (next > 0) from = next;
        else if (to === stream.length) return;
        else to = Math.min(to + sizes[turn % sizes.length]!, stream.length);
      } catch (error) {
        assert(error instanceof RemoteProtocolError, String(error));
        assert(reader.isOver);
      }
    }
  });
});

Deno.test("Utf8Check agrees with the runtime's decoder, in any pieces", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const isUtf8 = (bytes: Uint8Array) => {
    try {
      strict.decode(bytes);
      return true;
    } catch {
      return false;
    }
  };
  const near = fc.uint8Array({ maxLength: 6, min: 0x7e });
  const valid = fc.string({ unit: "binary", maxLength: 5 }).map((text) =>
    new TextEncoder().encode(text)
  );
  checkProperty(fc.array(fc.oneof(near, valid), { maxLength: 5 }), (pieces) => {
    const check = new Utf8Check();
    const good = pieces.every((piece) => check.push(piece, 0, piece.length));
    const whole = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
    assertEquals(good && check.isWhole, isUtf8(whole));
  }, 2000);
});

Deno.test("applyMask() does byte by byte what RFC 6455 says, and undoes itself", () => {
  checkProperty(
    fc.tuple(
      fc.uint8Array({ maxLength: 70 }),
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.nat(9),
    ),
    ([payload, key, offset]) => {
      const bytes = new Uint8Array([
        ...new Uint8Array(offset),
        ...key,
        ...payload,
      ]);
      const view = new DataView(bytes.buffer);
      const start = offset + 4;
      const mask = () => applyMask(view, bytes, start, bytes.length, offset);
      const ascii = mask();
      const masked = payload.map((byte, at) => byte ^ key[at & 3]!);
      assertEquals(bytes.slice(start), masked);
      assertEquals(ascii, masked.every((byte) => byte < 128));
      assertEquals(isAscii(view, bytes, start, bytes.length), ascii);
      mask();
      assertEquals(bytes.slice(start), payload);
    },
  );
});
