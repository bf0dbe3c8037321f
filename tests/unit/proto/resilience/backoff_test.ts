import { assert, assertEquals, assertThrows } from "@std/assert";
import { seededRandom } from "../../../../src/bytes/random.ts";
import {
  Backoff,
  decorrelatedJitter,
} from "../../../../src/proto/resilience/backoff.ts";

const SEED = 7;

Deno.test("Backoff.next() stays within its bounds", () => {
  const backoff = new Backoff(
    { minMs: 50, maxMs: 2000 },
    seededRandom(SEED),
    0,
  );
  for (let attempt = 0; attempt < 1000; attempt++) {
    const delayMs = backoff.next(0)!;
    assert(delayMs >= 50 && delayMs <= 2000, `${delayMs} ms, seed ${SEED}`);
  }
  assertEquals(backoff.attempts, 1000);
});

Deno.test("Backoff.next() does not gather clients at its maximum", () => {
  const random = seededRandom(SEED);
  const delays = Array.from({ length: 2000 }, () => {
    const backoff = new Backoff({ minMs: 100, maxMs: 10_000 }, random, 0);
    for (let attempt = 0; attempt < 20; attempt++) backoff.next(0);
    return backoff.next(0)!;
  });
  const latest = delays.filter((delayMs) => delayMs > 9900).length;
  assert(latest > 0 && latest < 40, `${latest} of 2000, seed ${SEED}`);
});

Deno.test("decorrelatedJitter() draws evenly from its range", () => {
  const random = seededRandom(SEED);
  const histogram = new Array(10).fill(0);
  for (let client = 0; client < 10_000; client++) {
    const bounds = { minMs: 100, maxMs: 1100 };
    const delayMs = decorrelatedJitter(bounds, 400, random);
    histogram[Math.floor((delayMs - 100) / 100)]++;
  }
  for (const count of histogram) {
    assert(count > 850 && count < 1150, `${histogram}, seed ${SEED}`);
  }
});

Deno.test("Backoff.next() grows from the minimum to three times the last", () => {
  const backoff = new Backoff({ minMs: 100, maxMs: 1000 }, () => 1, 0);
  const delays = Array.from({ length: 5 }, () => backoff.next(0));
  assertEquals(delays, [300, 900, 1000, 1000, 1000]);
  backoff.reset(0);
  assertEquals(backoff.next(0), 300);
});

Deno.test("Backoff.next() stops after as many attempts as allowed", () => {
  const backoff = new Backoff({ maxAttempts: 3 }, () => 0, 0);
  assertEquals([0, 0, 0].map(() => backoff.next(0)), [100, 100, undefined]);
});

Deno.test("Backoff.next() begins no attempt later than allowed", () => {
  const options = { minMs: 100, maxMs: 100, maxElapsedMs: 250 };
  const backoff = new Backoff(options, () => 0, 1000);
  assertEquals(backoff.next(1000), 100);
  assertEquals(backoff.next(1150), 100);
  assertEquals(backoff.next(1151), undefined);
  backoff.reset(5000);
  assertEquals(backoff.next(5000), 100);
});

Deno.test("Backoff.next() takes delays from a function, within bounds", () => {
  const seen: [number, number, number][] = [];
  const backoff = new Backoff(
    {
      minMs: 10,
      maxMs: 100,
      delay: ({ attempts, elapsedMs, previousMs, random }) => {
        seen.push([attempts, elapsedMs, previousMs]);
        return [50 * random(), 1, 1e9, NaN, undefined][attempts - 1];
      },
    },
    () => 0.5,
    0,
  );
  const delays = [5, 40, 60, 200, 220].map((nowMs) => backoff.next(nowMs));
  assertEquals(delays, [25, 10, 100, 10, undefined]);
  assertEquals(seen, [
    [1, 5, 10],
    [2, 40, 25],
    [3, 60, 10],
    [4, 200, 100],
    [5, 220, 10],
  ]);
});

Deno.test("Backoff.next() spreads those who were told when to come back", () => {
  const random = seededRandom(SEED);
  const delays = Array.from(
    { length: 100 },
    () => new Backoff({ minMs: 100 }, random, 0).next(0, 5000)!,
  );
  assert(Math.min(...delays) >= 5100, `seed ${SEED}`);
  assert(Math.max(...delays) <= 5300, `seed ${SEED}`);
  assert(Math.max(...delays) - Math.min(...delays) > 150, `seed ${SEED}`);
});

Deno.test("Backoff refuses bounds that contradict each other", () => {
  assertThrows(
    () => new Backoff({ minMs: 10, maxMs: 5 }, () => 0, 0),
    RangeError,
    "'minMs' must be between 0 and 'maxMs', which is 5: current value is 10",
  );
});
