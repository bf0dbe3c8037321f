import { assert, assertEquals } from "@std/assert";
import { ReconnectPolicy } from "../../../src/client/reconnect_policy.ts";
import { seededRandom } from "../../../src/bytes/random.ts";

/** Delays of attempts that follow each other at once. */
function delays(
  policy: ReconnectPolicy,
  count: number,
): (number | undefined)[] {
  return Array.from({ length: count }, () => policy.nextMs(0, undefined));
}

Deno.test("ReconnectPolicy spreads the first attempt, and waits longer each time", () => {
  for (
    const [chance, expected] of [
      [0, [0, 1500, 1500, 1500]],
      [0.5, [1500, 2250, 3375, 5062.5, 7500]],
      [0.9999999, [3000, 3000, 6000, 10_000, 10_000]],
    ] as const
  ) {
    const policy = new ReconnectPolicy({}, () => chance);
    const rounded = delays(policy, expected.length)
      .map((ms) => Math.round(ms! * 100) / 100);
    assertEquals(rounded, [...expected]);
  }
});

Deno.test("ReconnectPolicy stays within minMs and maxMs", () => {
  const seed = 3;
  const random = seededRandom(seed);
  for (let run = 0; run < 200; run++) {
    const spreadMs = random() * 1000;
    const minMs = 1 + random() * 1000;
    const maxMs = minMs * (1 + random() * 10);
    const policy = new ReconnectPolicy({ spreadMs, minMs, maxMs }, random);
    const [first, ...others] = delays(policy, 20);
    assert(first! >= 0 && first! <= spreadMs, `seed ${seed}`);
    for (const delay of others) {
      assert(delay! >= minMs && delay! <= maxMs, `seed ${seed}: ${delay}`);
    }
  }
});

Deno.test("ReconnectPolicy begins anew after a connection", () => {
  const policy = new ReconnectPolicy({}, () => 0.5);
  const before = delays(policy, 5);
  assertEquals(policy.attempts, 5);
  policy.lost(0);
  assertEquals(policy.attempts, 0);
  assertEquals(delays(policy, 5), before);
});

Deno.test("ReconnectPolicy gives up after maxAttempts or maxElapsedMs", () => {
  const attempts = new ReconnectPolicy({ maxAttempts: 2 }, () => 0);
  assertEquals(delays(attempts, 3), [0, 1500, undefined]);
  const elapsed = new ReconnectPolicy({ maxElapsedMs: 1000 }, () => 0);
  elapsed.lost(500);
  assertEquals(elapsed.nextMs(1499, undefined), 0);
  assertEquals(elapsed.nextMs(1500, undefined), undefined);
});

Deno.test("ReconnectPolicy asks delay, within the other rules", () => {
  const asked: unknown[] = [];
  const policy = new ReconnectPolicy({
    maxAttempts: 3,
    delay: (attempt, error) => {
      asked.push([attempt, error]);
      return attempt * 10;
    },
  }, () => 0);
  const error = new Error("no");
  const given = Array.from({ length: 4 }, () => policy.nextMs(0, error));
  assertEquals(given, [10, 20, 30, undefined]);
  assertEquals(asked, [[1, error], [2, error], [3, error]]);
});
