import { assert, assertEquals, assertThrows } from "@std/assert";
import { seededRandom } from "../../../../src/bytes/random.ts";
import { Chunker, GEAR } from "../../../../src/proto/transfer/chunker.ts";
import { checkProperty, fc } from "../../../support/property.ts";
import { randomBytes } from "../../../support/transfer.ts";

/** Computed by a second program, in another language, from the description alone. */
const VECTORS = {
  gear: [1684164658, 3653269916, 2939563536, 2141751570],
  sample: [
    1086,
    2599,
    3887,
    5002,
    7628,
    8736,
    9160,
    9961,
    10579,
    12519,
    13363,
    14063,
    15676,
    16673,
    18065,
    19755,
  ],
};

/** Where `data` is cut, read in pieces of `pieceBytes`; the end is no cut. */
function cuts(
  data: Uint8Array,
  averageBytes = 1024,
  pieceBytes = data.length,
): number[] {
  const chunker = new Chunker(averageBytes);
  const found: number[] = [];
  for (let start = 0; start < data.length; start += pieceBytes) {
    const piece = data.subarray(start, start + pieceBytes);
    for (let at = 0; (at = chunker.next(piece, at)) >= 0;) {
      found.push(start + at);
    }
  }
  return found;
}

/** Bytes that any program can make: the highest ones of a polynomial times a constant, in 32 bits. */
function sample(length: number): Uint8Array {
  return Uint8Array.from(
    { length },
    (_, at) => Math.imul(at * at + 7 * at + 3, 0x9e3779b1) >>> 24,
  );
}

Deno.test("GEAR begins as SplitMix32 does", () => {
  assertEquals([...GEAR.subarray(0, 4)], VECTORS.gear);
  assertEquals(new Set(GEAR).size, 256);
});

Deno.test("Chunker cuts where the published vectors say", () => {
  assertEquals(cuts(sample(20_000)), VECTORS.sample);
  assertEquals(cuts(new Uint8Array(20_000)), [8192, 16384]);
});

Deno.test("Chunker cuts the same in pieces of any size", () => {
  const data = randomBytes(60_000, seededRandom(1));
  const whole = cuts(data);
  for (const pieceBytes of [1, 7, 128, 1000, 1024, 4096, 59_999]) {
    assertEquals(cuts(data, 1024, pieceBytes), whole, `${pieceBytes}`);
  }
});

Deno.test("Chunker keeps its limits, and comes near its average", () => {
  for (const averageBytes of [1024, 4096, 65536]) {
    const data = randomBytes(averageBytes * 400, seededRandom(2));
    const found = [0, ...cuts(data, averageBytes)];
    const lengths = found.slice(1).map((at, i) => at - found[i]!);
    assert(lengths.every((it) => it >= averageBytes / 8));
    assert(lengths.every((it) => it <= averageBytes * 8));
    const mean = data.length / lengths.length;
    assert(mean > averageBytes && mean < averageBytes * 1.4, `${mean}`);
  }
});

Deno.test("Chunker finds the old boundaries again after any change", () => {
  const data = randomBytes(400_000, seededRandom(3));
  const old = new Set(cuts(data));
  checkProperty(
    fc.tuple(
      fc.nat(200_000),
      fc.nat(300),
      fc.uint8Array({ maxLength: 300 }),
    ),
    ([at, removed, added]) => {
      const next = new Uint8Array(data.length - removed + added.length);
      next.set(data.subarray(0, at));
      next.set(added, at);
      next.set(data.subarray(at + removed), at + added.length);
      const shift = added.length - removed;
      const found = cuts(next);
      // What was cut before the change is cut there still.
      const before = found.filter((cut) => cut <= at);
      assert(before.every((cut) => old.has(cut)));
      const later = found.filter((cut) => cut > at + 100_000);
      assert(later.length > 0);
      assert(later.every((cut) => old.has(cut - shift)), `${at}`);
    },
    100,
  );
});

Deno.test("a byte at the front changes few chunks", () => {
  const data = randomBytes(1_000_000, seededRandom(4));
  const next = new Uint8Array(data.length + 1);
  next.set(data, 1);
  const old = cuts(data);
  const shifted = new Set(cuts(next).map((cut) => cut - 1));
  const lost = old.filter((cut) => !shifted.has(cut));
  assert(lost.length < 10, `${lost.length} of ${old.length}`);
});

Deno.test("new Chunker() refuses averages that it cannot cut by", () => {
  for (const averageBytes of [0, 512, 1000, 3000, 2 ** 25, NaN, -1024, 1.5]) {
    assertThrows(
      () => new Chunker(averageBytes),
      RangeError,
      "Cannot cut chunks: a power of two from 1024 to 16777216 is expected",
    );
  }
});
