import {
  VirtualNetwork,
  type VirtualNetworkOptions,
} from "./virtual_network.ts";
import type { RunUntilOptions } from "./virtual_clock.ts";

/** Options of {@linkcode simulate}. */
export interface SimulateOptions
  extends RunUntilOptions, Pick<VirtualNetworkOptions, "link" | "observe"> {
  /** How many runs, each with a seed of its own. @default {100} */
  seeds?: number;
  /** The seed of the first run; each further one is higher by one. @default {1} */
  firstSeed?: number;
}

/**
 * Runs `scenario` once for each seed, each time in a fresh network, and lets its time pass until the scenario ends.
 *
 * @throws {Error} If the scenario fails; the message names the seed, to run it again alone with `firstSeed` and `seeds: 1`.
 *
 * @example Usage
 * ```ts
 * import { simulate } from "./simulate.ts";
 * import { assert } from "@std/assert";
 *
 * await simulate({ seeds: 10 }, async ({ clock, random }) => {
 *   const startMs = clock.now();
 *   await clock.sleep(random() * 60_000);
 *   assert(clock.now() - startMs <= 60_000);
 * });
 * ```
 */
export async function simulate(
  options: SimulateOptions,
  scenario: (network: VirtualNetwork, seed: number) => Promise<unknown>,
): Promise<void> {
  const { seeds = 100, firstSeed = 1 } = options;
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const network = new VirtualNetwork({ ...options, seed });
    try {
      await network.clock.runUntil(scenario(network, seed), options);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(
        `Cannot pass with seed ${seed}, at ${network.clock.now()} ms: ${reason}`,
        { cause: error },
      );
    }
  }
}
