import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { seededRandom } from "../../../../src/bytes/random.ts";
import { completeImpairments } from "../../../../src/proto/link/impairments.ts";
import { lifetimeMs, slices } from "../../../../src/proto/link/slices.ts";

const BLOCK = Uint8Array.from({ length: 10_000 }, (_, at) => at);

function sizes(given: Parameters<typeof completeImpairments>[0]): number[] {
  const pieces = [
    ...slices(BLOCK, completeImpairments(given), seededRandom(1)),
  ];
  assertEquals(pieces.flatMap((piece) => [...piece]), [...BLOCK]);
  return pieces.map(({ length }) => length);
}

Deno.test("slices() leaves a stream whole where nothing asks for pieces", () => {
  assertEquals(sizes({ latencyMs: 50 }), [10_000]);
});

Deno.test("slices() cuts segments where each has a fate of its own", () => {
  assertEquals(sizes({ lossRate: 0.1 }).slice(0, 2), [1460, 1460]);
  assertEquals(sizes({ bytesPerSecond: 1000, sliceBytes: 5000 })[0], 1460);
});

Deno.test("slices() varies its slices to both sides", () => {
  const all = sizes({ sliceBytes: 20, sliceVariationBytes: 20 });
  assert(all.every((size) => size >= 1 && size <= 40));
  assertAlmostEquals(10_000 / all.length, 20, 3);
});

Deno.test("lifetimeMs() is the earlier of a fixed and a random age", () => {
  const random = seededRandom(2);
  const impairments = completeImpairments({ meanLifetimeMs: 100 });
  let sum = 0;
  for (let count = 0; count < 5000; count++) {
    sum += lifetimeMs(impairments, random);
  }
  assertAlmostEquals(sum / 5000, 100, 5);
  const fixed = completeImpairments({ resetAfterMs: 5, meanLifetimeMs: 1e6 });
  assertEquals(lifetimeMs(fixed, () => 0.5), 5);
  assertEquals(lifetimeMs(completeImpairments({}), random), Infinity);
});
