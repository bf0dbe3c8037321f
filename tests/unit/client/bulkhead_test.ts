import { assertEquals, assertRejects } from "@std/assert";
import {
  Bulkhead,
  ConcurrencyLimitError,
} from "../../../src/client/bulkhead.ts";
import type { Outcome } from "../../../src/proto/resilience/health.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { turns } from "../../support/wait.ts";

Deno.test("Bulkhead.acquire() lets attempts pass in order, up to its limit", async () => {
  const bulkhead = new Bulkhead({ limit: 2, clock: new VirtualClock() });
  const order: number[] = [];
  const attempts = [1, 2, 3, 4].map((n) =>
    bulkhead.acquire().then(() => order.push(n))
  );
  await turns();
  assertEquals(order, [1, 2]);
  assertEquals([bulkhead.inFlight, bulkhead.waiting], [2, 2]);
  assertEquals(bulkhead.tryAcquire(), false);
  bulkhead.release();
  assertEquals(bulkhead.tryAcquire(), false);
  bulkhead.release();
  await Promise.all(attempts);
  assertEquals(order, [1, 2, 3, 4]);
  bulkhead.release();
  assertEquals(bulkhead.tryAcquire(), true);
});

Deno.test("Bulkhead.acquire() gives up at its deadline", async () => {
  const clock = new VirtualClock();
  const bulkhead = new Bulkhead({ limit: 1, waitMs: 100, clock });
  await bulkhead.acquire();
  const late = assertRejects(
    () => bulkhead.acquire(),
    ConcurrencyLimitError,
    "Cannot start an attempt: no turn came within 100 ms: current value of 'limit' is 1",
  );
  const longer = bulkhead.acquire({ waitMs: 101 });
  await clock.advance(100);
  assertEquals((await late).reason, "timed out");
  bulkhead.release();
  await longer;
  assertEquals([bulkhead.inFlight, bulkhead.waiting], [1, 0]);
});

Deno.test("Bulkhead.acquire() refuses when too many wait", async () => {
  const clock = new VirtualClock();
  const bulkhead = new Bulkhead({ limit: 1, maxWaiters: 1, clock });
  await bulkhead.acquire();
  const waiting = bulkhead.acquire();
  const refused = await assertRejects(
    () => bulkhead.acquire(),
    ConcurrencyLimitError,
    "Cannot start an attempt: too many wait already (1)",
  );
  assertEquals(refused.reason, "full");
  bulkhead.release();
  await waiting;
});

Deno.test("Bulkhead.acquire() gives up when aborted", async () => {
  const bulkhead = new Bulkhead({ limit: 1, clock: new VirtualClock() });
  await bulkhead.acquire();
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = bulkhead.acquire({ signal });
  controller.abort(new Error("Enough"));
  await assertRejects(() => aborted, Error, "Enough");
  await assertRejects(() => bulkhead.acquire({ signal }), Error, "Enough");
  bulkhead.release();
  assertEquals([bulkhead.inFlight, bulkhead.waiting], [0, 0]);
});

Deno.test("Bulkhead lets those who wait pass when its limit grows", async () => {
  const clock = new VirtualClock();
  const adaptive = { targetMs: 50 };
  const bulkhead = new Bulkhead({ limit: 1, adaptive, clock });
  await bulkhead.acquire();
  const next = bulkhead.acquire();
  const outcome: Outcome = { ok: true, latencyMs: 1, kind: "answered" };
  for (let n = 1; n <= 10; n++) {
    assertEquals(bulkhead.limit, 1);
    bulkhead.record(outcome, clock.now() + n);
  }
  await next;
  assertEquals([bulkhead.limit, bulkhead.inFlight], [2, 2]);
});
