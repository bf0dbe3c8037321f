import { assert, assertEquals } from "@std/assert";
import { TokenBucket } from "../../../src/proto/token_bucket.ts";

Deno.test("TokenBucket.take() gives a burst at once, and then the rate", () => {
  const bucket = new TokenBucket(10, 3, 0);
  assertEquals([1, 1, 1].map((count) => bucket.take(count, 0)), [0, 0, 0]);
  assertEquals(bucket.take(1, 0), 100);
  assertEquals(bucket.take(1, 0), 200);
});

Deno.test("TokenBucket.take() lets a debt be paid by time", () => {
  const bucket = new TokenBucket(1000, 1, 0);
  assertEquals(bucket.take(501, 0), 500);
  assertEquals(bucket.take(1, 500), 1);
  assertEquals(bucket.take(1, 502), 0);
});

Deno.test("TokenBucket saves up no more than its burst", () => {
  const bucket = new TokenBucket(10, 2, 0);
  assertEquals(bucket.take(2, 1_000_000), 0);
  assertEquals(bucket.take(1, 1_000_000), 100);
});

Deno.test("TokenBucket.take() earns nothing when the clock steps back", () => {
  const bucket = new TokenBucket(10, 1, 1000);
  assertEquals(bucket.take(1, 1000), 0);
  assertEquals(bucket.take(1, 500), 100);
  assertEquals(bucket.take(1, 400), 200);
});

Deno.test("TokenBucket keeps its rate over time when its waits are kept", () => {
  const bucket = new TokenBucket(250, 10, 0);
  let nowMs = 0;
  let taken = 0;
  while (nowMs < 60_000) {
    nowMs += bucket.take(7, nowMs);
    taken += 7;
  }
  const allowed = 60 * 250 + 10;
  assert(taken <= allowed + 7 && taken >= allowed * 0.95, `${taken} taken`);
});
