import { assert, assertEquals, assertRejects } from "@std/assert";
import { simulate } from "../../../src/sim/simulate.ts";
import type { VirtualNetwork } from "../../../src/sim/virtual_network.ts";

Deno.test("simulate() runs the scenario once for each seed, each in a network of its own", async () => {
  const networks = new Set<VirtualNetwork>();
  const seeds: number[] = [];
  const draws = new Set<number>();
  await simulate({ seeds: 5, firstSeed: 40 }, async (network, seed) => {
    networks.add(network);
    seeds.push(seed);
    draws.add(network.random());
    await network.clock.sleep(1000);
  });
  assertEquals(seeds, [40, 41, 42, 43, 44]);
  assertEquals(networks.size, 5);
  assertEquals(draws.size, 5);
});

Deno.test("simulate() names the seed that failed, and keeps the cause", async () => {
  const cause = new TypeError("Cannot go on");
  const error = await assertRejects(
    () =>
      simulate({ seeds: 10 }, async ({ clock }, seed) => {
        await clock.sleep(500);
        if (seed === 7) throw cause;
      }),
    Error,
    "Cannot pass with seed 7, at 1500 ms: Cannot go on",
  );
  assert(error.cause === cause);
});

Deno.test("simulate() fails a scenario that does not end", async () => {
  await assertRejects(
    () => simulate({ seeds: 1 }, () => new Promise(() => {})),
    Error,
    "Cannot pass with seed 1, at 1000 ms: Cannot go on: the promise is pending",
  );
  await assertRejects(
    () =>
      simulate({ seeds: 1, limitMs: 5000 }, async ({ clock }) => {
        for (;;) await clock.sleep(1000);
      }),
    Error,
    "pending after 5000 ms",
  );
});
