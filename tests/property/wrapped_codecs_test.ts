import { assertEquals } from "@std/assert";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { bytes } from "../../src/proto/codec/bytes.ts";
import { checksummed } from "../../src/proto/codec/checksummed.ts";
import type { Codec } from "../../src/proto/codec/codec.ts";
import { compressed } from "../../src/proto/codec/compressed.ts";
import { json } from "../../src/proto/codec/json.ts";
import { msgpack } from "../../src/proto/codec/msgpack.ts";
import { checkWire } from "../../src/proto/codec_kit.ts";
import { RemoteProtocolError } from "../../src/proto/errors.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { varintPrefixed } from "../../src/proto/framing/varint_prefixed.ts";
import { checkProperty, fc } from "../support/property.ts";

const ALGORITHMS = ["gzip", "deflate", "brotli", "zstd"] as const;

/** Each way to wrap a codec. */
function wrappings<In, Out>(codec: Codec<In, Out>): Codec<In, Out>[] {
  // Even the smallest payload that gets smaller is compressed.
  const compressions = ALGORITHMS.map((algorithm) =>
    compressed(codec, { algorithm, thresholdBytes: 1 })
  );
  return [
    checksummed(codec),
    ...compressions,
    ...compressions.map(checksummed),
  ];
}

const SAMPLES = [
  null,
  "",
  "é",
  { say: "ahoy" },
  "ahoy ".repeat(100),
  Array.from({ length: 60 }, (_, i) => ({ i, say: "all is well" })),
];

Deno.test("checksummed() and compressed() pass the kit around json() and msgpack()", () => {
  for (const codec of [...wrappings(json()), ...wrappings(msgpack())]) {
    for (const framing of [lengthPrefixed, varintPrefixed]) {
      const report = checkWire(framing(codec), SAMPLES, {
        mutations: 300,
        maxCuts: 400,
      });
      assertEquals(report.samples, SAMPLES.length);
    }
  }
});

Deno.test("checksummed() and compressed() bring any bytes back", () => {
  const codecs = wrappings(bytes());
  // Few letters, so that much of it can be compressed.
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }),
    fc.array(fc.constantFrom(0, 1, 255), { maxLength: 5000 })
      .map((items) => Uint8Array.from(items)),
  );
  checkProperty(
    fc.tuple(fc.constantFrom(...codecs), payload),
    ([codec, sent]) => {
      const writer = new ByteWriter();
      writer.u8(7);
      codec.encode(sent, writer);
      assertEquals(codec.decode(writer.view().subarray(1)), sent);
    },
  );
});

Deno.test("checksummed() refuses every burst of up to 32 wrong bits", () => {
  const codec = checksummed(bytes());
  const cases = fc.tuple(
    fc.uint8Array({ minLength: 1, maxLength: 100 }),
    fc.nat(),
    fc.integer({ min: 1, max: 0xffffffff }),
  );
  checkProperty(cases, ([sent, place, burst]) => {
    const writer = new ByteWriter();
    codec.encode(sent, writer);
    const frame = writer.view();
    const first = place % (frame.length * 8 - 31);
    for (let i = 0; i < 32; i++) {
      const bit = first + i;
      if (burst >>> i & 1) frame[bit >> 3]! ^= 1 << (bit & 7);
    }
    let code = "";
    try {
      codec.decode(frame);
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      code = error.code;
    }
    assertEquals(code, "malformed");
  });
});
