import type { BalancePolicy } from "./candidate.ts";
import { Learned } from "./learned.ts";
import { LeastConnections } from "./least_connections.ts";
import { Maglev } from "./maglev.ts";
import { PeakEwma } from "./peak_ewma.ts";
import { RandomTwo } from "./random_two.ts";
import { RoundRobin } from "./round_robin.ts";
import { SmoothWeighted } from "./smooth_weighted.ts";
import { SourceHash } from "./source_hash.ts";

/** A policy of this library, by name. */
export type BalancePolicyName =
  | "round-robin"
  | "weighted"
  | "least-connections"
  | "random-two"
  | "source-hash"
  | "maglev"
  | "peak-ewma"
  | "learned";

const POLICIES: Readonly<Record<BalancePolicyName, () => BalancePolicy>> = {
  "round-robin": () => new RoundRobin(),
  "weighted": () => new SmoothWeighted(),
  "least-connections": () => new LeastConnections(),
  "random-two": () => new RandomTwo(),
  "source-hash": () => new SourceHash(),
  "maglev": () => new Maglev(),
  "peak-ewma": () => new PeakEwma(),
  "learned": () => new Learned(),
};

/** All policies. */
export const BALANCE_POLICIES: readonly BalancePolicyName[] = Object.keys(
  POLICIES,
) as BalancePolicyName[];

/**
 * Makes a policy by its name.
 *
 * @example Usage
 * ```ts
 * import { balancePolicy } from "./policies.ts";
 * import { ServerLoad } from "../resilience/balance.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const only = {
 *   name: "a",
 *   weight: 1,
 *   currentWeight: 1,
 *   active: 0,
 *   isOpen: true,
 *   load: new ServerLoad(),
 *   isHealthy: () => true,
 * };
 * const policy = balancePolicy("least-connections");
 * assertEquals(policy.choose({}, [only], 0, () => 0).why, "has 0");
 * ```
 */
export function balancePolicy(name: BalancePolicyName): BalancePolicy {
  return POLICIES[name]();
}
