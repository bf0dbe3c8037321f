import { assertAlmostEquals, assertEquals } from "@std/assert";
import { Bottleneck } from "../../../../src/proto/link/bottleneck.ts";
import { completeImpairments } from "../../../../src/proto/link/impairments.ts";

Deno.test("Bottleneck saves up to its burst, and no more", () => {
  const impairments = completeImpairments({
    bytesPerSecond: 1000,
    burstBytes: 500,
  });
  const bottleneck = new Bottleneck(impairments, 0);
  assertEquals(bottleneck.pass(500, 0), 0);
  assertEquals(bottleneck.pass(100, 0), 100);
  assertEquals(bottleneck.pass(500, 10_000), 10_000);
  assertEquals(bottleneck.pass(1, 10_000), 10_001);
});

Deno.test("Bottleneck keeps its rate over a long time, however large the packets", () => {
  const impairments = completeImpairments({ bytesPerSecond: 125_000 });
  const bottleneck = new Bottleneck(impairments, 0);
  let atMs = 0;
  let bytes = 0;
  for (let count = 0; count < 10_000; count++) {
    const size = 1 + count % 3000;
    bytes += size;
    atMs = bottleneck.pass(size, atMs);
  }
  assertAlmostEquals(bytes / atMs * 1000, 125_000, 200);
});

Deno.test("Bottleneck passes over whole turns of a trace in no time", () => {
  const impairments = completeImpairments({ trace: [1, 2, 7] });
  const bottleneck = new Bottleneck(impairments, 100);
  assertEquals(bottleneck.pass(1500, 100), 101);
  assertEquals(bottleneck.pass(1500, 1e12), 1e12 + 1);
  // It is 6 into a turn of 7: the opportunity at 7 is next, then that at 1.
  assertEquals((1e12 - 100) % 7, 6);
  assertEquals(bottleneck.pass(1500, 1e12 + 1), 1e12 + 2);
});

Deno.test("Bottleneck goes from a rate to a trace and back", () => {
  const rate = completeImpairments({ bytesPerSecond: 1000 });
  const bottleneck = new Bottleneck(rate, 0);
  bottleneck.change(completeImpairments({ trace: [10] }), 5);
  assertEquals(bottleneck.pass(1500, 5), 10);
  bottleneck.change(rate, 50);
  const throughMs = bottleneck.pass(3000, 50);
  assertAlmostEquals(throughMs, 50 + 1500, 1);
});
