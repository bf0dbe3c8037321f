import { simulate, type SimulateOptions } from "../../src/sim/simulate.ts";
import type { VirtualNetwork } from "../../src/sim/virtual_network.ts";

/**
 * Registers a test that runs `scenario` by 200 seeds. A failure prints the seed; set `PORTOLAN_SEED` to it to see that
 * run alone.
 */
export function simulationTest(
  name: string,
  scenario: (network: VirtualNetwork, seed: number) => Promise<unknown>,
  options: SimulateOptions = {},
): void {
  Deno.test(name, async () => {
    const seed = Deno.env.get("PORTOLAN_SEED");
    const chosen = seed === undefined
      ? { seeds: 200, ...options }
      : { ...options, seeds: 1, firstSeed: Number(seed) };
    await simulate(chosen, scenario);
  });
}

/** A whole number from `low` to `high`, both included. */
export function drawInt(
  { random }: VirtualNetwork,
  low: number,
  high: number,
): number {
  return low + Math.floor(random() * (high - low + 1));
}

/** Makes the link between two hosts as bad as chance wants it. */
export function badLink(network: VirtualNetwork, a: string, b: string): void {
  const { random } = network;
  network.link(a, b, {
    latencyMs: random() * 100,
    jitterMs: random() * 200,
    bytesPerSecond: 10_000 + random() * 1e6,
    lossRate: random() < 0.5 ? 0 : random() * 0.2,
  });
}
