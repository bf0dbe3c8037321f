import { assert, assertEquals, assertThrows } from "@std/assert";
import { seededRandom } from "../../../../src/bytes/random.ts";
import {
  ConcurrencyLimit,
  type ConcurrencyLimitOptions,
} from "../../../../src/proto/resilience/concurrency_limit.ts";

const SEED = 9;

/**
 * A server that works on `capacity` attempts at a time, `serviceMs` on each, under callers that always have more; tells the
 * limit after each second.
 */
function simulate(
  limit: ConcurrencyLimit,
  seconds: number,
  server: { capacity: number; serviceMs: number },
): number[] {
  const random = seededRandom(SEED);
  const queue: number[] = [];
  const working: { startedMs: number; endMs: number }[] = [];
  const limits: number[] = [];
  for (let nowMs = 0; nowMs <= seconds * 1000; nowMs++) {
    for (let index = working.length - 1; index >= 0; index--) {
      const { startedMs, endMs } = working[index]!;
      if (endMs > nowMs) continue;
      working.splice(index, 1);
      limit.release();
      const latencyMs = nowMs - startedMs;
      limit.record({ ok: true, latencyMs, kind: "answered" }, nowMs);
    }
    while (limit.tryAcquire()) queue.push(nowMs);
    while (queue.length > 0 && working.length < server.capacity) {
      const endMs = nowMs + server.serviceMs * (0.8 + 0.4 * random());
      working.push({ startedMs: queue.shift()!, endMs });
    }
    if (nowMs % 1000 === 0) limits.push(limit.limit);
  }
  return limits;
}

Deno.test("ConcurrencyLimit allows as many as it says, and no more", () => {
  const limit = new ConcurrencyLimit({ limit: 2 }, 0);
  assertEquals([1, 2, 3].map(() => limit.tryAcquire()), [true, true, false]);
  assertEquals(limit.inFlight, 2);
  limit.release();
  assertEquals(limit.tryAcquire(), true);
  assertEquals(limit.tryAcquire(), false);
});

Deno.test("ConcurrencyLimit is fixed unless told otherwise", () => {
  const limit = new ConcurrencyLimit({ limit: 20 }, 0);
  const limits = simulate(limit, 5, { capacity: 5, serviceMs: 10 });
  assertEquals(new Set(limits), new Set([20]));
});

Deno.test("ConcurrencyLimit grows to what the server can do on target", () => {
  const options: ConcurrencyLimitOptions = {
    limit: 1,
    adaptive: { targetMs: 40 },
  };
  const limit = new ConcurrencyLimit(options, 0);
  const limits = simulate(limit, 20, { capacity: 20, serviceMs: 20 });
  // Forty in flight, half of them queued, take 40 ms.
  for (const at of limits.slice(5)) {
    assert(at >= 20 && at <= 48, `${limits}, seed ${SEED}`);
  }
});

Deno.test("ConcurrencyLimit shrinks under a server that slows down", () => {
  const options: ConcurrencyLimitOptions = {
    limit: 200,
    adaptive: { targetMs: 40, min: 3 },
  };
  const limit = new ConcurrencyLimit(options, 0);
  const limits = simulate(limit, 20, { capacity: 5, serviceMs: 20 });
  for (const at of limits.slice(10)) {
    assert(at >= 3 && at <= 16, `${limits}, seed ${SEED}`);
  }
});

Deno.test("ConcurrencyLimit does not grow while it holds nothing back", () => {
  const options: ConcurrencyLimitOptions = {
    limit: 10,
    adaptive: { targetMs: 40 },
  };
  const limit = new ConcurrencyLimit(options, 0);
  for (let nowMs = 10; nowMs < 2000; nowMs += 10) {
    limit.tryAcquire();
    limit.release();
    limit.record({ ok: true, latencyMs: 5, kind: "answered" }, nowMs);
  }
  assertEquals(limit.limit, 10);
});

Deno.test("ConcurrencyLimit shrinks once for one burst of failures", () => {
  const options: ConcurrencyLimitOptions = {
    limit: 100,
    adaptive: { targetMs: 40 },
  };
  const limit = new ConcurrencyLimit(options, 0);
  while (limit.tryAcquire());
  for (let n = 0; n < 100; n++) {
    limit.release();
    limit.record({ ok: false, latencyMs: 50, kind: "timed out" }, 500);
  }
  assertEquals(limit.limit, 80);
  // These had begun before it shrank, or say nothing.
  for (let n = 0; n < 100; n++) {
    limit.record({ ok: false, latencyMs: 500, kind: "timed out" }, 600);
    limit.record({ ok: false, latencyMs: 50, kind: "cancelled" }, 600);
  }
  assertEquals(limit.limit, 80);
});

Deno.test("ConcurrencyLimit refuses a limit that lets nothing pass", () => {
  assertThrows(
    () => new ConcurrencyLimit({ limit: 0 }, 0),
    RangeError,
    "'limit' must be at least 1: current value is 0",
  );
});
