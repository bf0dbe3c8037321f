import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { Fates, flipBit } from "../../../../src/proto/link/fate.ts";
import { completeImpairments } from "../../../../src/proto/link/impairments.ts";

function lostOf(
  seed: number,
  given: Parameters<typeof completeImpairments>[0],
): boolean[] {
  const fates = new Fates(seed);
  const impairments = completeImpairments(given);
  return Array.from({ length: 10_000 }, () => fates.next(impairments).lost);
}

Deno.test("Fates loses by its seed, whatever else happens to packets", () => {
  const plain = lostOf(1, { lossRate: 0.1 });
  assertEquals(
    lostOf(1, {
      lossRate: 0.1,
      jitterMs: 50,
      corruptRate: 0.5,
      reorderRate: 1,
    }),
    plain,
  );
  assert(plain.join() !== lostOf(2, { lossRate: 0.1 }).join());
  assertAlmostEquals(plain.filter((lost) => lost).length / 10_000, 0.1, 0.01);
});

Deno.test("Fates loses all or nothing where it is told to", () => {
  assert(lostOf(1, { lossRate: 1 }).every((lost) => lost));
  assert(lostOf(1, {}).every((lost) => !lost));
  assert(
    lostOf(1, { burstEnterRate: 1, burstLeaveRate: 0 }).every((lost) => lost),
  );
});

Deno.test("Fates loses within a burst as much as it is told", () => {
  const lost = lostOf(4, {
    burstEnterRate: 1,
    burstLeaveRate: 0,
    burstLossRate: 0.5,
  });
  assertAlmostEquals(lost.filter((it) => it).length / 10_000, 0.5, 0.02);
});

Deno.test("flipBit() flips one bit, from the first to the last", () => {
  for (
    const [at, expected] of [[0, [1, 0]], [0.999, [0, 128]], [0.5, [
      0,
      1,
    ]]] as const
  ) {
    const bytes = new Uint8Array(2);
    flipBit(bytes, at);
    assertEquals([...bytes], [...expected]);
  }
  flipBit(new Uint8Array(0), 0.5);
});
