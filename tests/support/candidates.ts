import type {
  BalanceCandidate,
  BalancePolicy,
} from "../../src/proto/balance/candidate.ts";
import { ServerLoad } from "../../src/proto/resilience/balance.ts";

/** A backend as a policy sees it, that a test may change. */
export interface TestCandidate extends BalanceCandidate {
  weight: number;
  currentWeight: number;
  active: number;
  isOpen: boolean;
}

/** Backends by the names a, b and so on, with these weights. */
export function candidates(...weights: number[]): TestCandidate[] {
  return weights.map((weight, index) => ({
    name: String.fromCharCode(97 + index),
    weight,
    currentWeight: weight,
    active: 0,
    isOpen: true,
    load: new ServerLoad(),
    isHealthy: () => true,
  }));
}

/** The names that a policy chooses, one after the other. */
export function picks(
  policy: BalancePolicy,
  from: readonly BalanceCandidate[],
  count: number,
): string {
  let chance = 0;
  return Array.from(
    { length: count },
    () =>
      policy.choose({}, from, 0, () => (chance += 0.618) % 1).candidate.name,
  ).join("");
}
