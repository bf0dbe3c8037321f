import { assertEquals } from "@std/assert";
import { logBuckets, summarize } from "../../../src/cli/statistics.ts";
import { checkProperty, fc } from "../../support/property.ts";

Deno.test("summarize() takes percentiles by nearest rank", () => {
  const samples = Array.from({ length: 1000 }, (_, index) => 1000 - index);
  assertEquals(summarize(samples), {
    count: 1000,
    min: 1,
    mean: 500.5,
    p50: 500,
    p90: 900,
    p99: 990,
    p999: 999,
    max: 1000,
  });
});

Deno.test("summarize() of nothing is all zero", () => {
  assertEquals(new Set(Object.values(summarize([]))), new Set([0]));
});

Deno.test("logBuckets() takes finer steps where samples are near each other", () => {
  const near = logBuckets([1, 1.05, 1.3, 1.9]).map(({ from }) => from);
  assertEquals(near, [1, 1.12, 1.25, 1.4, 1.6, 1.8]);
  const far = logBuckets([1, 900]).map(({ from }) => from);
  assertEquals(far, [1, 2, 5, 10, 20, 50, 100, 200, 500]);
});

Deno.test("logBuckets() counts the slowest thousandth in the last bucket", () => {
  const samples = [...Array(9999).fill(1), 1_000_000];
  assertEquals(logBuckets(samples), [{ from: 1, to: Infinity, count: 10_000 }]);
});

Deno.test("logBuckets() bears the smallest numbers there are", () => {
  assertEquals(logBuckets([5e-324]), [{ from: 0, to: Infinity, count: 1 }]);
});

Deno.test("logBuckets() bears zeros", () => {
  assertEquals(logBuckets([]), []);
  assertEquals(logBuckets([0, 0]), [{ from: 0, to: Infinity, count: 2 }]);
  assertEquals(
    logBuckets([0, 1]).reduce((sum, { count }) => sum + count, 0),
    2,
  );
});

Deno.test("logBuckets() counts every sample once, in growing buckets", () => {
  const samples = fc.array(
    fc.double({ min: 0, max: 1e9, noNaN: true }),
    { minLength: 1 },
  );
  checkProperty(samples, (samples) => {
    const buckets = logBuckets(samples);
    const counted = buckets.reduce((sum, { count }) => sum + count, 0);
    assertEquals(counted, samples.length);
    assertEquals(buckets.length <= 14, true);
    for (const [index, { from, to }] of buckets.entries()) {
      assertEquals(to, buckets[index + 1]?.from ?? Infinity);
      assertEquals(from < to, true);
    }
  });
});
