import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { seededRandom } from "../../../src/bytes/random.ts";

function draw(seed: number, count: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, random);
}

Deno.test("seededRandom() repeats itself for a seed and differs for another", () => {
  assertEquals(draw(42, 100), draw(42, 100));
  assertNotEquals(draw(42, 4), draw(43, 4));
  assertNotEquals(draw(0, 4), draw(-1, 4));
});

Deno.test("seededRandom() spreads evenly over [0, 1)", () => {
  const buckets = new Array<number>(16).fill(0);
  for (const value of draw(1, 16_000)) {
    assert(value >= 0 && value < 1);
    buckets[Math.floor(value * 16)]!++;
  }
  // Five standard deviations of a binomial with mean 1000.
  for (const count of buckets) assert(Math.abs(count - 1000) < 155, `${count}`);
});
