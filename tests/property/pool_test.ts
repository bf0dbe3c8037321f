import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../src/bytes/random.ts";
import type { Lease } from "../../src/client/lease.ts";
import { createPool } from "../../src/client/pool.ts";
import {
  PoolFullError,
  PoolTimeoutError,
} from "../../src/client/pool_errors.ts";
import { VirtualClock } from "../../src/sim/virtual_clock.ts";
import { turns } from "../support/wait.ts";

/** Runs `check` for many seeds; a failure names its seed. Set `PORTOLAN_SEED` to see it again. */
async function forSeeds(
  count: number,
  check: (random: () => number) => Promise<void>,
): Promise<void> {
  const given = Deno.env.get("PORTOLAN_SEED");
  const seeds = given === undefined
    ? Array.from({ length: count }, (_, seed) => seed)
    : [Number(given)];
  for (const seed of seeds) {
    try {
      await check(seededRandom(seed));
    } catch (cause) {
      throw new Error(`Fails with PORTOLAN_SEED=${seed}`, { cause });
    }
  }
}

Deno.test("Pool does as a dumb one: counts, a stack and a queue", () =>
  forSeeds(60, async (random) => {
    const clock = new VirtualClock();
    const max = 1 + Math.floor(random() * 4);
    const maxWaiters = Math.floor(random() * 6);
    let created = 0;
    const pool = createPool<number>({
      create: () => ++created,
      destroy() {},
      max,
      maxWaiters,
      idleMs: Infinity,
      clock,
    });
    // The dumb one: who has what, what is idle (last one first out), who waits.
    let made = 0;
    const lent: number[] = [];
    const idle: number[] = [];
    const queue: { ticket: number; untilMs: number }[] = [];
    const expected = new Map<number, string>();
    const give = (resource: number) => {
      const first = queue.shift();
      if (first === undefined) idle.push(resource);
      else {
        lent.push(resource);
        expected.set(first.ticket, `lent ${resource}`);
      }
    };

    const seen = new Map<number, string>();
    const leases = new Map<number, Lease<number>>();
    for (let ticket = 0; ticket < 120; ticket++) {
      const dice = random();
      if (dice < 0.5) {
        const waitMs = 1 + Math.floor(random() * 50);
        const resource = idle.pop() ??
          (lent.length < max ? ++made : undefined);
        if (resource !== undefined) {
          lent.push(resource);
          expected.set(ticket, `lent ${resource}`);
        } else if (queue.length >= maxWaiters) expected.set(ticket, "full");
        else queue.push({ ticket, untilMs: clock.now() + waitMs });
        void pool.take({ waitMs }).then((lease) => {
          leases.set(lease.resource, lease);
          seen.set(ticket, `lent ${lease.resource}`);
        }, (error) => {
          seen.set(ticket, error instanceof PoolFullError ? "full" : "late");
          assert(
            error instanceof PoolFullError || error instanceof PoolTimeoutError,
          );
        });
      } else if (dice < 0.8 && lent.length > 0) {
        const at = Math.floor(random() * lent.length);
        const [resource] = lent.splice(at, 1);
        const lease = leases.get(resource!)!;
        if (random() < 0.7) {
          give(resource!);
          lease.release();
        } else {
          if (queue.length > 0) give(++made);
          lease.discard();
        }
      } else {
        const ms = Math.floor(random() * 40);
        const untilMs = clock.now() + ms;
        for (const waiter of [...queue]) {
          if (waiter.untilMs > untilMs) continue;
          queue.splice(queue.indexOf(waiter), 1);
          expected.set(waiter.ticket, "late");
        }
        await clock.advance(ms);
      }
      await turns();
      assertEquals(seen, expected);
      assertEquals(
        [pool.lent, pool.idle, pool.waiting, created],
        [lent.length, idle.length, queue.length, made],
      );
    }
    for (const resource of lent) leases.get(resource)!.release();
    // Those who were waiting have what was released, and keep it.
    const drained = pool.drain({ deadlineMs: 100 });
    await clock.advance(100);
    await drained;
    assertEquals([pool.size, pool.waiting, clock.armed], [0, 0, 0]);
  }));

Deno.test("Pool keeps its promises whatever fails, hangs or gives up", () =>
  forSeeds(60, async (random) => {
    const clock = new VirtualClock();
    const max = 1 + Math.floor(random() * 4);
    const out = new Set<number>();
    const alive = new Set<number>();
    const faults: unknown[] = [];
    let created = 0;
    const after = (ms: number) =>
      new Promise<void>((resolve) => {
        delays.push({ atMs: clock.now() + ms, resolve });
      });
    const delays: { atMs: number; resolve: () => void }[] = [];
    const pool = createPool<number>({
      create: async () => {
        const dice = random();
        const id = ++created;
        if (dice < 0.6) await after(random() * 30);
        if (dice > 0.85) throw new Error("Down");
        alive.add(id);
        return id;
      },
      destroy: (id) => {
        assert(alive.delete(id), `${id} is destroyed twice`);
        assert(!out.has(id), `${id} is destroyed while lent`);
      },
      isAlive: () => random() < 0.95,
      check: async () => {
        if (random() < 0.5) await after(random() * 30);
        return random() < 0.8;
      },
      checkAfterMs: 10,
      checkMs: 20,
      createMs: 25,
      min: Math.floor(random() * max),
      max,
      idleMs: 40,
      waitMs: 60,
      observe: (event) => {
        if (event.type === "destroy failed") faults.push(event.error);
      },
      clock,
      random,
    });
    const borrowers: Promise<void>[] = [];
    const order: number[] = [];
    let settled = 0;
    for (let turn = 0; turn < 200; turn++) {
      if (random() < 0.5) {
        const controller = new AbortController();
        if (random() < 0.1) void after(20).then(() => controller.abort());
        const { signal } = controller;
        borrowers.push(
          pool.take({ signal }).then(async (lease) => {
            order.push(turn);
            assert(alive.has(lease.resource), "lent though destroyed");
            assert(!out.has(lease.resource), "lent to two");
            out.add(lease.resource);
            if (random() < 0.8) await after(random() * 40);
            out.delete(lease.resource);
            if (random() < 0.1) lease.discard();
            else lease.release();
          }, () => {}).then(() => void settled++),
        );
      }
      await clock.advance(Math.floor(random() * 10));
      for (const delay of delays.filter(({ atMs }) => atMs <= clock.now())) {
        delays.splice(delays.indexOf(delay), 1);
        delay.resolve();
      }
      await turns(2);
      assert(pool.size <= max, `${pool.size} of ${max}`);
      assert(pool.lent <= pool.size);
    }
    assertEquals(order, order.toSorted((a, b) => a - b));
    const drain = pool.drain({ deadlineMs: 1000 });
    while (settled < borrowers.length || delays.length > 0) {
      await clock.advance(10);
      for (const { resolve } of delays.splice(0)) resolve();
      await turns();
    }
    await clock.advance(100);
    await drain;
    assertEquals(faults, []);
    assertEquals([pool.size, pool.waiting, alive.size, clock.armed], [
      0,
      0,
      0,
      0,
    ]);
  }));
