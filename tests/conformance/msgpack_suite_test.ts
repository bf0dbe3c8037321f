// Every value and encoding of kawanet/msgpack-test-suite, in both directions.
import { assert, assertEquals } from "@std/assert";
import { msgpack } from "../../src/proto/codec/msgpack.ts";
import { UnknownExtension } from "../../src/proto/codec/msgpack_extensions.ts";
import { encodeFrame } from "../../src/proto/frame_writer.ts";
import { raw } from "../../src/proto/framing/raw.ts";
import { sharedData } from "../support/shared_data.ts";
import { hex } from "../support/three_ways.ts";

const file = sharedData("msgpack/msgpack-test-suite.json");

/** One entry: a value by its type, a number sometimes by two, and its encodings. */
interface Entry {
  msgpack: string[];
  nil?: null;
  bool?: boolean;
  binary?: string;
  number?: number;
  bignum?: string;
  string?: string;
  array?: unknown[];
  map?: Record<string, unknown>;
  timestamp?: [seconds: number, nanoseconds: number];
  ext?: [type: number, data: string];
}

function entries(): Entry[] {
  const suite: Record<string, Entry[]> = JSON.parse(
    Deno.readTextFileSync(file!),
  );
  return Object.values(suite).flat();
}

/** The value that an entry stands for in this codec. */
function valueOf(entry: Entry): unknown {
  if (entry.binary !== undefined) return hex(entry.binary);
  if (entry.timestamp !== undefined) {
    const [seconds, nanoseconds] = entry.timestamp;
    return new Date(seconds * 1000 + nanoseconds / 1e6);
  }
  if (entry.ext !== undefined) {
    const [type, data] = entry.ext;
    return new UnknownExtension(type, hex(data));
  }
  const { nil, bool, number, string, array, map } = entry;
  return bool ?? number ?? string ?? array ?? map ?? nil;
}

/** Whether a `Date`, of milliseconds, can hold the entry's time. */
function isExact(entry: Entry): boolean {
  return entry.timestamp === undefined || entry.timestamp[1] % 1e6 === 0;
}

Deno.test({
  name: "msgpack() reads every encoding of the suite, and writes one of them",
  ignore: file === undefined,
  fn() {
    const all = entries();
    assertEquals(all.length, 85);
    assertEquals(all.flatMap((entry) => entry.msgpack).length, 233);
    const codec = msgpack();
    for (const entry of all) {
      const value = valueOf(entry);
      if (value === undefined) continue;
      const encodings = entry.msgpack.map(hex);
      for (const encoding of encodings) {
        assertEquals(codec.decode(encoding), value, encoding.toHex());
      }
      if (!isExact(entry)) continue;
      const written = encodeFrame(raw(codec), value).toHex();
      assert(
        encodings.some((encoding) => encoding.toHex() === written),
        `wrote ${written} for ${JSON.stringify(entry)}`,
      );
    }
  },
});

Deno.test({
  name:
    "msgpack() reads and writes every 64-bit integer of the suite as bigint",
  ignore: file === undefined,
  fn() {
    const codec = msgpack({ useBigInt64: true });
    const bignums = entries().filter((entry) => entry.bignum !== undefined);
    assertEquals(bignums.length, 9);
    for (const entry of bignums) {
      const value = BigInt(entry.bignum!);
      // Some encodings are floats.
      const encodings = entry.msgpack.map(hex).filter(([head]) =>
        head === 0xcf || head === 0xd3
      );
      for (const encoding of encodings) {
        assertEquals(codec.decode(encoding), value, encoding.toHex());
      }
      const written = encodeFrame(raw(codec), value).toHex();
      assert(encodings.some((encoding) => encoding.toHex() === written));
    }
  },
});
