import { assertEquals } from "@std/assert";
import { bytes } from "../../src/proto/codec/bytes.ts";
import { RemoteProtocolError } from "../../src/proto/errors.ts";
import { FrameReader } from "../../src/proto/frame_reader.ts";
import { encodeFrame } from "../../src/proto/frame_writer.ts";
import { delimited, lines } from "../../src/proto/framing/delimited.ts";
import type { Wire } from "../../src/proto/framing/framing.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { raw } from "../../src/proto/framing/raw.ts";
import { varintPrefixed } from "../../src/proto/framing/varint_prefixed.ts";
import { checkProperty, fc } from "../support/property.ts";

/** Pushes `stream` in chunks of the given sizes, over and over. */
function read(
  wire: Wire<Uint8Array>,
  stream: Uint8Array,
  sizes: readonly number[],
): Uint8Array[] {
  const reader = new FrameReader(wire);
  const messages: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    messages.push(...reader.push(stream.subarray(at, at + size)));
    at += size;
  }
  messages.push(...reader.finish());
  return messages;
}

function join(frames: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(frames.flatMap((frame) => [...frame]));
}

const chunkSizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 });
const payload = fc.uint8Array({ maxLength: 300 });

Deno.test("length and varint prefixes keep any payloads in any chunks", () => {
  const wires = [
    lengthPrefixed(bytes()),
    lengthPrefixed(bytes(), { lengthBytes: 2, byteOrder: "little" }),
    lengthPrefixed(bytes(), {
      lengthBytes: 3,
      lengthOffset: 2,
      lengthIncludesHeader: true,
    }),
    varintPrefixed(bytes()),
  ];
  checkProperty(
    fc.tuple(fc.constantFrom(...wires), fc.array(payload), chunkSizes),
    ([wire, payloads, sizes]) => {
      const frames = payloads.map((item) => encodeFrame(wire, item));
      assertEquals(read(wire, join(frames), sizes), payloads);
    },
  );
});

Deno.test("delimited() splits as String.split does", () => {
  // Few letters, so that delimiters and their beginnings are common.
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "c") });
  const delimiter = fc.string({
    unit: fc.constantFrom("a", "b"),
    minLength: 1,
    maxLength: 4,
  });
  checkProperty(
    fc.tuple(letters, delimiter, chunkSizes),
    ([stream, mark, sizes]) => {
      const wire = delimited(bytes(), {
        delimiter: mark,
        allowUnterminated: true,
      });
      const expected = stream.split(mark);
      if (expected.at(-1) === "") expected.pop();
      const messages = read(wire, new TextEncoder().encode(stream), sizes);
      const decoder = new TextDecoder();
      assertEquals(messages.map((item) => decoder.decode(item)), expected);
    },
    2000,
  );
});

Deno.test("delimited() writes exactly the payloads that it would read back", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 });
  const delimiter = fc.constantFrom("a", "aa", "ab", "aba", "aab");
  checkProperty(
    fc.tuple(letters, delimiter),
    ([text, mark]) => {
      const wire = delimited(bytes(), { delimiter: mark });
      const sent = new TextEncoder().encode(text);
      const survives = (text + mark).indexOf(mark) === text.length;
      let frame: Uint8Array | undefined;
      try {
        frame = encodeFrame(wire, sent);
      } catch {
        assertEquals(survives, false);
        return;
      }
      assertEquals(survives, true);
      assertEquals(read(wire, frame, [1]), [sent]);
    },
    2000,
  );
});

Deno.test("lines() splits as a regular expression does", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "\r", "\n", "é") });
  checkProperty(fc.tuple(text, chunkSizes), ([stream, sizes]) => {
    const expected = stream.split("\n").map((line) => line.replace(/\r$/, ""));
    if (stream === "" || stream.endsWith("\n")) expected.pop();
    const messages = read(
      lines(bytes()),
      new TextEncoder().encode(stream),
      sizes,
    );
    const decoder = new TextDecoder();
    assertEquals(messages.map((item) => decoder.decode(item)), expected);
  }, 2000);
});

Deno.test("raw() hands on every byte once", () => {
  checkProperty(fc.tuple(payload, chunkSizes), ([stream, sizes]) => {
    const wire = raw(bytes(), { maxFrameBytes: 7 });
    assertEquals(join(read(wire, stream, sizes)), stream);
  });
});

Deno.test("framings answer random bytes with frames and refusals alone", () => {
  const wires = [
    lengthPrefixed(bytes(), { maxFrameBytes: 64 }),
    lengthPrefixed(bytes(), { lengthBytes: 1, lengthAdjustment: -9 }),
    lengthPrefixed(bytes(), { lengthBytes: 8, maxFrameBytes: 64 }),
    lengthPrefixed(bytes(), { lengthBytes: 1, magic: Uint8Array.of(1) }),
    varintPrefixed(bytes(), { maxFrameBytes: 64 }),
    lines(bytes(), { maxFrameBytes: 64 }),
  ];
  const hostile = fc.array(
    fc.oneof(fc.constantFrom(0, 1, 10, 13, 127, 128, 255), fc.nat(255)),
    { maxLength: 400 },
  );
  checkProperty(
    fc.tuple(fc.constantFrom(...wires), hostile, chunkSizes),
    ([wire, input, sizes]) => {
      const stream = Uint8Array.from(input);
      const outcome = (sizes: number[]): unknown => {
        try {
          return read(wire, stream, sizes);
        } catch (error) {
          if (!(error instanceof RemoteProtocolError)) throw error;
          return error.code;
        }
      };
      assertEquals(outcome(sizes), outcome([stream.length + 1]));
    },
    1000,
  );
});
