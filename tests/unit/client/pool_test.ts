import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { createPool, type Pool } from "../../../src/client/pool.ts";
import {
  PoolClosedError,
  PoolFullError,
  PoolTimeoutError,
} from "../../../src/client/pool_errors.ts";
import type { PoolOptions } from "../../../src/client/pool_options.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { turns, within } from "../../support/wait.ts";

interface Resource {
  readonly id: number;
  alive: boolean;
}

interface Bench {
  pool: Pool<Resource>;
  clock: VirtualClock;
  created: Resource[];
  destroyed: number[];
  /** The observed events, in words. */
  events: string[];
}

function bench(options: Partial<PoolOptions<Resource>> = {}): Bench {
  const clock = new VirtualClock();
  const created: Resource[] = [];
  const destroyed: number[] = [];
  const events: string[] = [];
  const pool = createPool<Resource>({
    create: () => {
      const resource = { id: created.length + 1, alive: true };
      created.push(resource);
      return resource;
    },
    destroy: ({ id }) => destroyed.push(id),
    isAlive: ({ alive }) => alive,
    observe: (event) => {
      const reason = "reason" in event ? `: ${event.reason}` : "";
      const error = "error" in event ? `: ${event.error}` : "";
      events.push(event.type + reason + error);
    },
    clock,
    random: () => 0.5,
    ...options,
  });
  return { pool, clock, created, destroyed, events };
}

Deno.test("Pool.take() creates up to the maximum, then lends what comes back", async () => {
  const { pool, created } = bench({ max: 2 });
  const [one, two] = [await pool.take(), await pool.take()];
  const third = pool.take();
  await turns();
  assertEquals([pool.size, pool.lent, pool.waiting], [2, 2, 1]);
  two.release();
  assertStrictEquals((await third).resource, two.resource);
  one.release();
  (await third).release();
  assertEquals([pool.size, pool.idle, pool.lent], [2, 2, 0]);
  assertEquals(created.length, 2);
  await pool.drain();
});

Deno.test("Pool.tryTake() takes the idle resource that came back last", async () => {
  const { pool } = bench();
  assertEquals(pool.tryTake(), undefined);
  const [one, two] = [await pool.take(), await pool.take()];
  two.release();
  one.release();
  const lease = pool.tryTake()!;
  assertEquals(lease.resource.id, 1);
  lease.release();
  await pool.drain();
});

Deno.test("Lease ends once, whatever is called how often", async () => {
  const { pool, destroyed } = bench();
  {
    await using lease = await pool.take();
    lease.release();
    lease.release();
    lease.discard();
  }
  {
    using lease = pool.tryTake()!;
    assertEquals([lease.resource.id, pool.lent], [1, 1]);
  }
  assertEquals([pool.idle, pool.lent], [1, 0]);
  assertEquals(destroyed, []);
  await pool.drain();
});

Deno.test("Pool serves borrowers in order, and lets nobody overtake", async () => {
  const { pool } = bench({ max: 1 });
  const first = await pool.take();
  const order: number[] = [];
  const takes = [1, 2, 3].map(async (n) => {
    const lease = await pool.take();
    order.push(n);
    assertEquals(pool.tryTake(), undefined);
    await turns();
    lease.release();
  });
  first.release();
  assertEquals(pool.tryTake(), undefined);
  await Promise.all(takes);
  assertEquals(order, [1, 2, 3]);
  await pool.drain();
});

Deno.test("Pool.take() gives up at its deadline", async () => {
  const { pool, clock } = bench({ max: 1, waitMs: 300 });
  const lease = await pool.take();
  const late = pool.take();
  const later = pool.take({ waitMs: 500 });
  const refused = assertRejects(
    () => late,
    PoolTimeoutError,
    "Cannot take from the pool: nothing became free within 300 ms",
  );
  await clock.advance(299);
  assertEquals(pool.waiting, 2);
  await clock.advance(1);
  await refused;
  assertEquals(pool.waiting, 1);
  lease.release();
  (await later).release();
  await pool.drain();
});

Deno.test("Pool.take() gives up when aborted", async () => {
  const { pool } = bench({ max: 1 });
  const lease = await pool.take();
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = pool.take({ signal });
  const next = pool.take();
  controller.abort(new Error("Enough"));
  await assertRejects(() => aborted, Error, "Enough");
  await assertRejects(() => pool.take({ signal }), Error, "Enough");
  lease.release();
  (await next).release();
  assertEquals(pool.idle, 1);
  await pool.drain();
});

Deno.test("Pool.take() refuses when too many wait", async () => {
  const { pool } = bench({ max: 2, maxWaiters: 1 });
  const takes = [pool.take(), pool.take(), pool.take()];
  await assertRejects(
    () => pool.take(),
    PoolFullError,
    "too many wait already: current value of 'maxWaiters' is 1",
  );
  for (const take of takes) (await take).release();
  await pool.drain();
});

Deno.test("Pool of one serves 10,000 borrowers in order", async () => {
  const { pool, clock } = bench({ max: 1, maxWaiters: 10_000 });
  const { signal } = new AbortController();
  const first = await pool.take();
  const order: number[] = [];
  const takes = Array.from({ length: 10_000 }, async (_, n) => {
    using _lease = await pool.take({ signal });
    order.push(n);
  });
  await assertRejects(() => pool.take(), PoolFullError);
  assertEquals(pool.waiting, 10_000);
  first.release();
  await within("10,000 leases", Promise.all(takes));
  assertEquals(order, Array.from({ length: 10_000 }, (_, n) => n));
  const again = await pool.take();
  const vain = Array.from(
    { length: 10_000 },
    () => assertRejects(() => pool.take(), PoolTimeoutError),
  );
  await clock.advance(5000);
  await within("10,000 time-outs", Promise.all(vain));
  assertEquals(pool.waiting, 0);
  again.release();
  await pool.drain();
  assertEquals(clock.armed, 0);
});

Deno.test("Pool destroys what is idle for long, down to its minimum", async () => {
  const { pool, clock, destroyed } = bench({ min: 1, max: 3, idleMs: 1000 });
  await turns();
  assertEquals(pool.idle, 1);
  const leases = [await pool.take(), await pool.take(), await pool.take()];
  for (const lease of leases) {
    lease.release();
    await clock.advance(100);
  }
  await clock.advance(700);
  assertEquals(destroyed, [1]);
  await clock.advance(99);
  assertEquals(destroyed, [1]);
  await clock.advance(1);
  assertEquals(destroyed, [1, 2]);
  await clock.advance(10_000);
  assertEquals([pool.size, destroyed.length], [1, 2]);
  assertEquals(clock.armed, 0);
  await pool.drain();
});

Deno.test("Pool checks what was idle for long before it is handed out", async () => {
  const checked: number[] = [];
  const { pool, clock, destroyed, events } = bench({
    max: 2,
    checkAfterMs: 100,
    check: ({ id }) => {
      checked.push(id);
      return Promise.resolve(id !== 2);
    },
  });
  const [one, two] = [await pool.take(), await pool.take()];
  one.release();
  two.release();
  await clock.advance(99);
  pool.tryTake()!.release();
  await clock.advance(100);
  assertEquals(pool.tryTake(), undefined);
  const lease = await pool.take();
  assertEquals([lease.resource.id, checked, destroyed], [1, [2, 1], [2]]);
  assertEquals(events.slice(2), ["destroyed: unhealthy"]);
  lease.release();
  pool.tryTake()!.release();
  await pool.drain();
});

Deno.test("Pool destroys what fails its check or takes too long for it", async () => {
  const signals: AbortSignal[] = [];
  const { pool, clock, events } = bench({
    checkAfterMs: 0,
    checkMs: 50,
    check: ({ id }, signal) => {
      signals.push(signal);
      if (id === 1) throw new Error("Boom");
      return new Promise(() => {});
    },
  });
  const leases = [await pool.take(), await pool.take()];
  for (const lease of leases) lease.release();
  const taken = pool.take();
  await clock.advance(49);
  assertEquals(signals.map(({ aborted }) => aborted), [false]);
  await clock.advance(1);
  assertEquals((await taken).resource.id, 3);
  assertEquals(signals.map(({ aborted }) => aborted), [true, false]);
  assertEquals(events.slice(2), [
    "destroyed: unhealthy: TimedOut: Cannot check a resource: it took more than 50 ms",
    "destroyed: unhealthy: Error: Boom",
    "created",
  ]);
  (await taken).release();
  await pool.drain();
});

Deno.test("Pool lends nothing that has died", async () => {
  const { pool, destroyed, created } = bench({ max: 2 });
  const [one, two] = [await pool.take(), await pool.take()];
  one.resource.alive = false;
  one.release();
  assertEquals(destroyed, [1]);
  two.release();
  two.resource.alive = false;
  assertEquals(pool.tryTake(), undefined);
  assertEquals(destroyed, [1, 2]);
  const lease = await pool.take();
  assertEquals([lease.resource.id, created.length], [3, 3]);
  const waiting = pool.take();
  const more = pool.take();
  await turns();
  lease.discard();
  assertEquals(
    new Set([(await waiting).resource.id, (await more).resource.id]),
    new Set([4, 5]),
  );
  (await waiting).release();
  (await more).release();
  await pool.drain();
});

Deno.test("Pool tells all who wait that nothing can be created", async () => {
  let calls = 0;
  const { pool, events } = bench({
    max: 2,
    create: () => {
      calls++;
      return Promise.reject(new Error("Down"));
    },
  });
  const takes = Array.from(
    { length: 100 },
    () => assertRejects(() => pool.take(), Error, "Down"),
  );
  await Promise.all(takes);
  assertEquals([calls, pool.size, pool.waiting], [2, 0, 0]);
  assertEquals(events, Array(2).fill("create failed: Error: Down"));
  await pool.drain();
});

Deno.test("Pool lets borrowers wait for a lent resource if no other can be created", async () => {
  let down = false;
  const resource = { id: 1, alive: true };
  const { pool, clock } = bench({
    create: () => {
      if (down) throw new Error("Down");
      return resource;
    },
  });
  const lease = await pool.take();
  down = true;
  const served = pool.take();
  const late = assertRejects(() => pool.take({ waitMs: 10 }), PoolTimeoutError);
  await clock.advance(10);
  assertEquals(((await late).cause as Error).message, "Down");
  lease.release();
  assertStrictEquals((await served).resource, resource);
  (await served).discard();
  await assertRejects(() => pool.take(), Error, "Down");

  down = false;
  const leases = await Promise.all(
    Array.from({ length: 10 }, () => pool.take()),
  );
  const later = assertRejects(
    () => pool.take({ waitMs: 10 }),
    PoolTimeoutError,
  );
  await clock.advance(10);
  assertEquals((await later).cause, undefined);
  for (const lease of leases) lease.release();
  await pool.drain();
});

Deno.test("Pool waits only so long for a creation, and destroys what comes later", async () => {
  const slow = Promise.withResolvers<Resource>();
  let signal: AbortSignal | undefined;
  const { pool, clock, destroyed, events } = bench({
    createMs: 100,
    waitMs: 1000,
    create: (given) => {
      signal = given;
      return slow.promise;
    },
  });
  const taken = assertRejects(
    () => pool.take(),
    Deno.errors.TimedOut,
    "Cannot create a resource: it took more than 100 ms",
  );
  await clock.advance(100);
  await taken;
  assert(signal!.aborted);
  slow.resolve({ id: 7, alive: true });
  await turns();
  assertEquals(destroyed, [7]);
  assertEquals(events.at(-1), "destroyed: late");
  assertEquals(pool.size, 0);
  await pool.drain();
});

Deno.test("Pool makes up its minimum, with delays while that fails", async () => {
  let down = true;
  let calls = 0;
  const { pool, clock } = bench({
    min: 2,
    create: () => {
      calls++;
      if (down) throw new Error("Down");
      return { id: calls, alive: true };
    },
  });
  await turns();
  assertEquals([calls, pool.size], [2, 0]);
  await clock.advance(200);
  assertEquals(calls, 4);
  down = false;
  await clock.advance(1000);
  assertEquals([calls, pool.idle], [6, 2]);
  down = true;
  (await pool.take()).discard();
  await turns();
  assertEquals([calls, pool.idle], [7, 1]);
  down = false;
  await clock.advance(199);
  assertEquals([calls, pool.idle], [7, 1]);
  await clock.advance(1);
  assertEquals([calls, pool.idle], [8, 2]);
  await pool.drain();
  assertEquals([pool.size, clock.armed], [0, 0]);
});

Deno.test("Pool.drain() serves those who wait, refuses others, destroys all", async () => {
  const { pool, destroyed, clock } = bench({ max: 2 });
  const [one, two] = [await pool.take(), await pool.take()];
  const waiting = pool.take();
  one.release();
  let drained = false;
  const drain = pool.drain().then(() => drained = true);
  assertStrictEquals(pool.drain(), pool.drain());
  assertEquals(pool.tryTake(), undefined);
  await assertRejects(() => pool.take(), PoolClosedError);
  (await waiting).release();
  await turns();
  assertEquals([drained, destroyed], [false, [1]]);
  two.release();
  await drain;
  assertEquals(destroyed, [1, 2]);
  assertEquals([pool.size, clock.armed], [0, 0]);
});

Deno.test("Pool.drain() waits for those who destroy", async () => {
  const destroyed = Promise.withResolvers<void>();
  const { pool } = bench({ destroy: () => destroyed.promise });
  (await pool.take()).release();
  let drained = false;
  const drain = pool.drain().then(() => drained = true);
  await turns();
  assertEquals(drained, false);
  destroyed.resolve();
  await drain;
});

Deno.test("Pool.drain() takes back at its deadline what is still lent", async () => {
  const { pool, clock, destroyed } = bench({ max: 1, waitMs: 1000 });
  const lease = await pool.take();
  const waiting = assertRejects(() => pool.take(), PoolClosedError);
  const drain = pool.drain({ deadlineMs: 500 });
  await clock.advance(499);
  assertEquals(destroyed, []);
  await clock.advance(1);
  await drain;
  await waiting;
  assertEquals(destroyed, [1]);
  lease.release();
  assertEquals([pool.size, destroyed], [0, [1]]);
});

Deno.test("Pool goes on when a resource cannot be destroyed", async () => {
  const { pool, events } = bench({
    destroy: () => Promise.reject(new Error("Stuck")),
  });
  (await pool.take()).discard();
  await turns();
  assertEquals(events, [
    "created",
    "destroyed: discarded",
    "destroy failed: Error: Stuck",
  ]);
  await pool.drain();
});

Deno.test("createPool() refuses limits that contradict each other", () => {
  const make = (limits: { min?: number; max?: number }) => () =>
    createPool({ create: () => 1, destroy() {}, ...limits });
  assertThrows(make({ max: 0 }), RangeError, "'max' must be at least 1");
  assertThrows(
    make({ min: 3, max: 2 }),
    RangeError,
    "'min' must be between 0 and 'max', which is 2: current value is 3",
  );
});
