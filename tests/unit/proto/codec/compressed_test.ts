import { assert, assertEquals, assertThrows } from "@std/assert";
import process from "node:process";
import {
  brotliCompressSync,
  constants,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { seededRandom } from "../../../../src/bytes/random.ts";
import { writeVarint } from "../../../../src/bytes/varint.ts";
import { ByteWriter } from "../../../../src/bytes/writer.ts";
import { bytes } from "../../../../src/proto/codec/bytes.ts";
import type { Codec } from "../../../../src/proto/codec/codec.ts";
import {
  compressed,
  type CompressedOptions,
} from "../../../../src/proto/codec/compressed.ts";
import type { Compression } from "../../../../src/proto/codec/compression.ts";
import { json } from "../../../../src/proto/codec/json.ts";
import { text } from "../../../../src/proto/codec/text.ts";
import { RemoteProtocolError } from "../../../../src/proto/errors.ts";
import { encodeFrame } from "../../../../src/proto/frame_writer.ts";
import { lengthPrefixed } from "../../../../src/proto/framing/length_prefixed.ts";
import { hex, readThreeWays, utf8 } from "../../../support/three_ways.ts";

const ALGORITHMS: Record<
  Compression,
  { marker: number; compress: (bytes: Uint8Array) => Uint8Array }
> = {
  gzip: { marker: 1, compress: (it) => gzipSync(it) },
  deflate: { marker: 2, compress: (it) => deflateSync(it) },
  brotli: {
    marker: 3,
    compress: (it) =>
      brotliCompressSync(it, {
        params: { [constants.BROTLI_PARAM_QUALITY]: 2 },
      }),
  },
  zstd: { marker: 4, compress: (it) => zstdCompressSync(it) },
};
const names = Object.keys(ALGORITHMS) as Compression[];
const MIB = 1 << 20;

function encoded<T>(codec: Codec<unknown, T>, value: T): Uint8Array {
  const writer = new ByteWriter();
  codec.encode(value, writer);
  return writer.view();
}

/** A frame that says of itself that it is `statedBytes` long. */
function frameOf(marker: number, statedBytes: number, body: Uint8Array) {
  const writer = new ByteWriter();
  writer.u8(marker);
  writeVarint(statedBytes, writer);
  writer.set(body);
  return writer.view();
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function refusal(run: () => unknown): RemoteProtocolError {
  return assertThrows(run, RemoteProtocolError);
}

const log = Array.from({ length: 80 }, (_, i) => `watch ${i}, all is well`);

for (const algorithm of names) {
  const { marker, compress } = ALGORITHMS[algorithm];
  const options: CompressedOptions = { algorithm };

  Deno.test(`compressed() brings messages back when the algorithm is ${algorithm}`, () => {
    const wire = lengthPrefixed(compressed(json(), options));
    const frame = encodeFrame(wire, log);
    assertEquals(frame[4], marker);
    assert(frame.length < JSON.stringify(log).length / 3);
    const small = encodeFrame(wire, "hi");
    const reading = readThreeWays(wire, [...frame, ...small]);
    assertEquals(reading, { messages: [log, "hi"], errors: [], left: 0 });
  });

  Deno.test(`compressed() reads what others compressed with ${algorithm}`, () => {
    const payload = utf8(JSON.stringify(log));
    const frame = frameOf(marker, payload.length, compress(payload));
    assertEquals(compressed(json(), options).decode(frame), log);
  });

  Deno.test(`compressed() refuses ${algorithm} that is cut off, at every place`, () => {
    const payload = utf8(JSON.stringify(log));
    const body = compress(payload);
    const codec = compressed(json(), { ...options, maxRatio: 1e6 });
    // The last bytes of a checksum that the runtime does not check can be cut.
    for (let cut = 0; cut < body.length - 8; cut++) {
      const frame = frameOf(marker, payload.length, body.subarray(0, cut));
      const error = refusal(() => codec.decode(frame));
      assertEquals([error.code, error.recoverable], ["malformed", false]);
    }
  });

  Deno.test(`compressed() refuses a stated length that is wrong when the algorithm is ${algorithm}`, () => {
    const payload = utf8(JSON.stringify(log));
    const body = compress(payload);
    const codec = compressed(bytes(), options);
    for (const stated of [1, payload.length - 1, payload.length + 1]) {
      const error = refusal(() => codec.decode(frameOf(marker, stated, body)));
      assertEquals(error.code, "malformed", `${stated}`);
    }
  });

  Deno.test(`compressed() answers random ${algorithm} with refusals alone`, () => {
    const random = seededRandom(7);
    const codec = compressed(bytes(), options);
    const sound = compress(utf8(JSON.stringify(log)));
    for (let round = 0; round < 300; round++) {
      const body = sound.slice();
      for (let i = 0; i < 3; i++) {
        body[Math.floor(random() * body.length)] = random() * 256;
      }
      try {
        codec.decode(frameOf(marker, 1 + Math.floor(random() * 2000), body));
      } catch (error) {
        assert(error instanceof RemoteProtocolError, `round ${round}, seed 7`);
      }
    }
  });

  Deno.test(`compressed() refuses a bomb that states its size, unopened, when the algorithm is ${algorithm}`, () => {
    const body = compress(new Uint8Array(MIB));
    const codec = compressed(bytes(), options);
    const error = refusal(() => codec.decode(frameOf(marker, MIB, body)));
    assertEquals([error.code, error.recoverable], ["too_complex", true]);
  });

  Deno.test(`compressed() inflates no more than was stated when the algorithm is ${algorithm}`, () => {
    const body = compress(new Uint8Array(64 * MIB));
    const codec = compressed(bytes(), { ...options, maxRatio: 1e6 });
    const before = process.resourceUsage().maxRSS;
    const error = refusal(() => codec.decode(frameOf(marker, 1000, body)));
    const grownKiB = process.resourceUsage().maxRSS - before;
    assertEquals([error.code, error.recoverable], ["malformed", false]);
    assert(grownKiB < 16 * 1024, `grew by ${grownKiB} KiB`);
  });
}

/** What a process of its own makes of frames with a megabyte of gzip that is a gigabyte of zeros. */
const BOMB_PROGRAM = `
  import process from "node:process";
  import { gzipSync } from "node:zlib";
  import { ByteWriter, compressed, json } from "${
  import.meta.resolve("../../../../mod.ts")
}";
  import { writeVarint } from "${
  import.meta.resolve("../../../../src/bytes/varint.ts")
}";

  const MIB = 1 << 20;
  // Gzip members one after another are one stream.
  const member = gzipSync(new Uint8Array(16 * MIB));
  const codec = compressed(json(), { algorithm: "gzip" });
  for (const statedBytes of [1024 * MIB, 16 * MIB - 1, 100]) {
    const writer = new ByteWriter(2 * MIB);
    writer.u8(1);
    writeVarint(statedBytes, writer);
    for (let i = 0; i < 64; i++) writer.set(member);
    const before = process.resourceUsage().maxRSS;
    const start = performance.now();
    let code = "";
    try {
      codec.decode(writer.view());
    } catch (error) {
      code = error.code;
    }
    const ms = performance.now() - start;
    const grownMiB = (process.resourceUsage().maxRSS - before) / 1024;
    console.log(JSON.stringify({ bytes: writer.length, code, ms, grownMiB }));
  }
`;

Deno.test("compressed() refuses a gzip bomb of 1 MB to 1 GB quickly and with little memory", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(utf8(BOMB_PROGRAM));
  await writer.close();
  const { stdout } = await child.output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  const [states1GiB, states16MiB, states100B] = lines.map((it) =>
    JSON.parse(it)
  );
  assertEquals(states1GiB.code, "too_complex");
  assertEquals(states16MiB.code, "malformed");
  assertEquals(states100B.code, "malformed");
  for (const { bytes, ms, grownMiB } of [states1GiB, states16MiB, states100B]) {
    assert(bytes < 1.1 * MIB, `the bomb has ${bytes} bytes`);
    assert(ms < 1000, `a refusal took ${ms} ms`);
    assert(grownMiB < 48, `a refusal took ${grownMiB} MiB`);
  }
  assert(states1GiB.grownMiB < 2, `unopened took ${states1GiB.grownMiB} MiB`);
});

Deno.test("compressed() refuses zstd that wants a window beyond 8 MiB", () => {
  // Magic number, no content size, a window of 128 MiB, one block of 128 KiB "A".
  const body = hex("28b52ffd 00 88 030010 41");
  const codec = compressed(bytes(), { algorithm: "zstd", maxRatio: 1e6 });
  const error = refusal(() => codec.decode(frameOf(4, 131072, body)));
  assertEquals(error.code, "malformed");
  body[5] = 0x68; // 8 MiB
  assertEquals(codec.decode(frameOf(4, 131072, body)).length, 131072);
});

Deno.test("compressed() hands the codec plain bytes, whose slices are copies", () => {
  for (const algorithm of names) {
    let handed: Uint8Array | undefined;
    const codec = compressed<Uint8Array, Uint8Array>({
      ...bytes(),
      decode: (frame) => handed = frame,
    }, { algorithm });
    codec.decode(encoded(codec, utf8(log.join())));
    assertEquals(handed?.constructor, Uint8Array, algorithm);
  }
});

Deno.test("compressed() leaves payloads below the threshold as they are", () => {
  const codec = compressed(text(), { algorithm: "zstd", thresholdBytes: 100 });
  const below = "a".repeat(99);
  assertEquals(encoded(codec, below), utf8(`\0${below}`));
  assertEquals(encoded(codec, below + "a")[0], 4);
});

Deno.test("compressed() sends what does not get smaller as it is", () => {
  const random = seededRandom(3);
  const noise = Uint8Array.from({ length: 4096 }, () => random() * 256);
  for (const algorithm of names) {
    const frame = encoded(compressed(bytes(), { algorithm }), noise);
    assertEquals([frame[0], frame.length], [0, 4097], algorithm);
  }
});

Deno.test("compressed() sends what the peer would take for a bomb as it is", () => {
  for (const algorithm of names) {
    const zeros = new Uint8Array(MIB);
    const codec = compressed(bytes(), { algorithm });
    const frame = encoded(codec, zeros);
    assertEquals(frame[0], 0, algorithm);
    assert(sameBytes(codec.decode(frame), zeros));
    const braver = compressed(bytes(), { algorithm, maxRatio: 100_000 });
    assert(sameBytes(braver.decode(encoded(braver, zeros)), zeros));
  }
});

Deno.test("compressed() counts what was spent on a frame before", () => {
  const codec = compressed(bytes(), {
    algorithm: "zstd",
    limits: { maxDecodedBytes: 3000 },
  });
  const frame = encoded(codec, utf8(log.join("\n")));
  const decode: (frame: Uint8Array, spentBytes: number) => Uint8Array =
    codec.decode;
  assertEquals(decode(frame, 1000).length, log.join("\n").length);
  assertEquals(refusal(() => decode(frame, 2000)).code, "too_complex");
});

Deno.test("compressed() refuses first bytes and lengths that no sender writes", () => {
  const codec = compressed(text(), { algorithm: "gzip" });
  const wrong: [string, string][] = [
    ["", "current value is undefined"],
    ["04 05 00", "must be 0 or 1: current value is 4"],
    ["ff", "current value is 255"],
    ["01", "not a varint above 0"],
    ["01 00", "not a varint above 0"],
    ["01 80", "not a varint above 0"],
    ["01 80 00", "not a varint above 0"],
    ["01 ff ff ff ff ff 01", "not a varint above 0"],
  ];
  for (const [digits, message] of wrong) {
    const error = assertThrows(
      () => codec.decode(hex(digits)),
      RemoteProtocolError,
      message,
    );
    assertEquals([error.code, error.recoverable], ["malformed", true], digits);
  }
});

Deno.test("compressed() keeps the codec's refusals", () => {
  const codec = compressed(json(), { algorithm: "deflate" });
  const nested = utf8("[".repeat(1000) + "]".repeat(1000));
  const frame = frameOf(2, nested.length, deflateSync(nested));
  assertEquals(refusal(() => codec.decode(frame)).code, "too_complex");
  assertEquals(refusal(() => codec.decode(hex("00 7b"))).code, "malformed");
});

Deno.test("compressed() compresses harder when the level is higher", () => {
  const random = seededRandom(5);
  const words = Array.from({ length: 50 }, () => random().toString(36));
  const message = Array.from(
    { length: 3000 },
    () => words[Math.floor(random() * 50)],
  ).join(" ");
  for (
    const [algorithm, least, most] of [
      ["gzip", 1, 9],
      ["deflate", 1, 9],
      ["brotli", 1, 11],
      ["zstd", 1, 19],
    ] as const
  ) {
    const [fast, small] = [least, most].map((level) =>
      encoded(compressed(text(), { algorithm, level }), message).length
    );
    assert(small! < fast!, `${algorithm}: ${small} and ${fast}`);
  }
});

Deno.test("compressed() throws RangeError when an option is out of range", () => {
  const wrong: CompressedOptions[] = [
    { algorithm: "gzip", level: 0 },
    { algorithm: "gzip", level: 10 },
    { algorithm: "brotli", level: 12 },
    { algorithm: "zstd", level: 20 },
    { algorithm: "zstd", level: 1.5 },
    { algorithm: "zstd", thresholdBytes: 0 },
    { algorithm: "zstd", maxRatio: 0 },
    { algorithm: "zstd", maxRatio: Infinity },
    { algorithm: "zstd", limits: { maxDecodedBytes: -1 } },
  ];
  for (const options of wrong) {
    assertThrows(() => compressed(text(), options), RangeError, "Cannot");
  }
});

Deno.test("compressed() is named after its codec and algorithm, and is not text", () => {
  const { name, text: isText } = compressed(json(), { algorithm: "zstd" });
  assertEquals([name, isText], ["json+zstd", false]);
});
