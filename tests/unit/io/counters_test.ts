import { assertEquals } from "@std/assert";
import { Latency, LATENCY_BOUNDS_MS } from "../../../src/io/counters.ts";

Deno.test("Latency.record() counts into the first bucket whose bound is not exceeded", () => {
  const latency = new Latency();
  for (const ms of [0, 0.1, 0.11, 1, 1000, 1000.5, 1e9]) latency.record(ms);
  const expected = new Array(LATENCY_BOUNDS_MS.length + 1).fill(0);
  expected[0] = 2;
  expected[1] = 1;
  expected[LATENCY_BOUNDS_MS.indexOf(1)] = 1;
  expected[LATENCY_BOUNDS_MS.indexOf(1000)] = 1;
  expected[LATENCY_BOUNDS_MS.length] = 2;
  assertEquals(latency.buckets, expected);
  assertEquals(latency.count, 7);
  assertEquals(latency.sumMs, 0.1 + 0.11 + 1 + 1000 + 1000.5 + 1e9);
});
