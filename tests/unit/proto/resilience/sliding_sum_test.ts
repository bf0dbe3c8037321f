import { assertEquals } from "@std/assert";
import { SlidingSum } from "../../../../src/proto/resilience/sliding_sum.ts";

Deno.test("SlidingSum.total() forgets a tenth of the window at a time", () => {
  const sum = new SlidingSum(1000, 5000);
  for (let nowMs = 5000; nowMs < 6000; nowMs += 100) sum.add(1, nowMs);
  assertEquals(sum.total(5999), 10);
  assertEquals(sum.total(6000), 9);
  assertEquals(sum.total(6499), 5);
  assertEquals(sum.total(6900), 0);
});

Deno.test("SlidingSum.total() is empty after a leap of any length", () => {
  const sum = new SlidingSum(1000, 0);
  sum.add(1, 0);
  assertEquals(sum.total(1e12), 0);
  sum.add(2, 1e12);
  assertEquals(sum.total(1e12), 2);
});

Deno.test("SlidingSum takes a clock that steps back to stand still", () => {
  const sum = new SlidingSum(1000, 5000);
  sum.add(1, 5500);
  sum.add(1, 100);
  assertEquals(sum.total(100), 2);
  assertEquals(sum.total(6400), 2);
  assertEquals(sum.total(6500), 0);
});

Deno.test("SlidingSum.restore() continues at another time", () => {
  const sum = new SlidingSum(1000, 0);
  for (let nowMs = 0; nowMs < 1000; nowMs += 100) sum.add(nowMs, nowMs);
  const other = new SlidingSum(1000, 123_456);
  other.restore(sum.segments(999));
  assertEquals(other.segments(123_456), sum.segments(999));
  assertEquals(other.total(123_456), 4500);
  assertEquals(other.total(123_556), 4500);
  assertEquals(other.total(124_056), 4500 - 100 - 200 - 300 - 400 - 500);
});

Deno.test("SlidingSum.segments() leaves out what has fallen out of the window", () => {
  const sum = new SlidingSum(1000, 0);
  sum.add(1, 0);
  sum.add(2, 100);
  assertEquals(sum.segments(999).slice(0, 3), [1, 2, 0]);
  assertEquals(sum.segments(1000), [2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("SlidingSum.restore() takes fewer segments as the latest ones", () => {
  const sum = new SlidingSum(1000, 0);
  sum.restore([1, 2]);
  assertEquals(sum.total(0), 3);
  assertEquals(sum.total(899), 3);
  assertEquals(sum.total(900), 2);
  assertEquals(sum.total(1000), 0);
});
