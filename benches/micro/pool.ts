/**
 * What a check-out from a pool costs, alone and beside generic-pool, and what a
 * guard adds to a request.
 *
 *     deno run --no-lock benches/micro/pool.ts
 *
 * @module
 */

import { createPool } from "../../src/client/pool.ts";
import { Guard } from "../../src/client/guard.ts";

const CALLS = 200_000;
const ROUNDS = 7;

/** What is used here of `npm:generic-pool`, which brings no types. */
interface GenericPool {
  acquire(): Promise<object>;
  release(resource: object): Promise<void>;
}

/** The best of several rounds, in nanoseconds a call. */
async function nanoseconds(
  round: (calls: number) => void | Promise<void>,
): Promise<number> {
  let best = Infinity;
  for (let index = 0; index < ROUNDS; index++) {
    const startMs = performance.now();
    await round(CALLS);
    best = Math.min(best, (performance.now() - startMs) / CALLS * 1e6);
  }
  return best;
}

function print(what: string, ns: number, note = ""): void {
  console.log(`${what.padEnd(36)} ${ns.toFixed(0).padStart(6)} ns${note}`);
}

// Not written into the import: nothing else needs the package, and so it is
// not in the lock file.
const PEER = "npm:generic-pool@3.9.0";

async function genericPool(max: number): Promise<GenericPool | undefined> {
  try {
    const { default: peer } = await import(PEER);
    const factory = { create: () => Promise.resolve({}), async destroy() {} };
    return peer.createPool(factory, { max, acquireTimeoutMillis: 5000 });
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    console.log(`${PEER} is not measured: ${reason}`);
    return undefined;
  }
}

if (import.meta.main) {
  const pool = createPool({ create: () => ({}), destroy() {} });
  (await pool.take()).release();

  print(
    "tryTake() and release()",
    await nanoseconds((calls) => {
      while (calls-- > 0) pool.tryTake()!.release();
    }),
  );
  const taken = await nanoseconds(async (calls) => {
    while (calls-- > 0) (await pool.take()).release();
  });
  print("await take() and release()", taken);
  const queued = await nanoseconds(async (calls) => {
    for (; calls > 0; calls -= 1000) {
      const takes = Array.from({ length: 1000 }, () => pool.take());
      for (const take of takes) (await take).release();
    }
  });
  print("take() and release(), 990 waiting", queued);

  const peer = await genericPool(10);
  if (peer !== undefined) {
    const ns = await nanoseconds(async (calls) => {
      while (calls-- > 0) await peer.release(await peer.acquire());
    });
    print("generic-pool", ns, `, ${(ns / taken).toFixed(1)} times take()`);
    const waiting = await nanoseconds(async (calls) => {
      for (; calls > 0; calls -= 1000) {
        const takes = Array.from({ length: 1000 }, () => peer.acquire());
        for (const take of takes) await peer.release(await take);
      }
    });
    const ratio = (waiting / queued).toFixed(1);
    print("generic-pool, 990 waiting", waiting, `, ${ratio} times ours`);
  }

  const answer = () => Promise.resolve(1);
  print(
    "a call without a guard",
    await nanoseconds(async (calls) => {
      while (calls-- > 0) await answer();
    }),
  );
  for (const servers of [["a"], ["a", "b", "c", "d", "e"]]) {
    const guard = new Guard({ servers });
    print(
      `Guard.run(), servers: ${servers.length}`,
      await nanoseconds(async (calls) => {
        while (calls-- > 0) await guard.run(answer);
      }),
    );
  }
  await pool.drain();
}
