import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import { seededRandom } from "../../../../src/bytes/random.ts";
import {
  completeLink,
  DEFAULT_LINK_OPTIONS,
  Link,
  type LinkOptions,
  RETRANSMIT_MS,
} from "../../../../src/proto/sim/link.ts";

function link(options: LinkOptions, seed = 1): Link {
  const complete = completeLink(options, DEFAULT_LINK_OPTIONS);
  return new Link(complete, seededRandom(seed));
}

Deno.test("Link.arrivalMs() adds the latency", () => {
  assertEquals(link({ latencyMs: 25 }).arrivalMs(1000, 100), 125);
  assertEquals(link({}).arrivalMs(1000, 100), 101);
});

Deno.test("Link.arrivalMs() spreads arrivals over the jitter", () => {
  const shaky = link({ latencyMs: 10, jitterMs: 4 });
  const arrivals = Array.from({ length: 500 }, () => shaky.arrivalMs(1, 0));
  assert(arrivals.every((ms) => ms >= 10 && ms < 14));
  assert(Math.min(...arrivals) < 10.2 && Math.max(...arrivals) > 13.8);
});

Deno.test("Link.arrivalMs() sends one packet after the other at its bandwidth", () => {
  const narrow = link({ latencyMs: 5, bytesPerSecond: 1000 });
  assertEquals(narrow.arrivalMs(100, 0), 105);
  assertEquals(narrow.arrivalMs(100, 0), 205);
  assertEquals(narrow.arrivalMs(100, 150), 305);
  assertEquals(narrow.arrivalMs(100, 1000), 1105, "idle time is not saved up");
});

Deno.test("Link.arrivalMs() delays what is lost by its retransmissions", () => {
  const lossy = link({ latencyMs: 0, lossRate: 0.3 });
  const delays = Array.from({ length: 10_000 }, () => lossy.arrivalMs(1, 0));
  const share = (ms: number) =>
    delays.filter((delay) => delay === ms).length / delays.length;
  assertAlmostEquals(share(0), 0.7, 0.02);
  assertAlmostEquals(share(RETRANSMIT_MS), 0.3 * 0.7, 0.02);
  assertAlmostEquals(share(3 * RETRANSMIT_MS), 0.3 * 0.3 * 0.7, 0.02);
});

Deno.test("Link.arrivalMs() repeats itself from the same seed", () => {
  const draw = (seed: number) => {
    const lossy = link({ jitterMs: 9, lossRate: 0.1 }, seed);
    return Array.from({ length: 50 }, (_, at) => lossy.arrivalMs(1, at));
  };
  assertEquals(draw(3), draw(3));
  assert(draw(3).join() !== draw(4).join());
});

Deno.test("Link.lifetimeMs() is exponential around its mean", () => {
  assertEquals(link({}).lifetimeMs(), Infinity);
  const frail = link({ meanLifetimeMs: 500 });
  const lives = Array.from({ length: 10_000 }, () => frail.lifetimeMs());
  const mean = lives.reduce((sum, ms) => sum + ms) / lives.length;
  assertAlmostEquals(mean, 500, 20);
  const median = lives.toSorted((a, b) => a - b)[5000]!;
  assertAlmostEquals(median, 500 * Math.LN2, 20);
});

Deno.test("completeLink() refuses what no link can do", () => {
  assertThrows(
    () => link({ latencyMs: -1 }),
    RangeError,
    "'latencyMs' must be 0 or more: current value is -1",
  );
  assertThrows(() => link({ jitterMs: NaN }), RangeError, "jitterMs");
  assertThrows(
    () => link({ lossRate: 1 }),
    RangeError,
    "'lossRate' must be below 1: current value is 1",
  );
  const misspelt: object = { latency: 3 };
  assertThrows(
    () => link(misspelt),
    TypeError,
    'current value is "latency"',
  );
});
