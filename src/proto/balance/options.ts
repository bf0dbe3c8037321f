import type { BreakerOptions } from "../resilience/breaker.ts";
import type { HealthCheckOptions } from "./health_check.ts";
import { BALANCE_POLICIES, type BalancePolicyName } from "./policies.ts";

/** A backend of a {@linkcode BalanceMachine}. */
export interface BackendOptions {
  /** What it is known by; its endpoint. */
  readonly name: string;
  /** Its share of the connections, relative to the others; a whole number from 1 to 256. @default {1} */
  readonly weight?: number;
  /** Connections at a time; those beyond wait. @default {Infinity} */
  readonly maxConnections?: number;
  /** Whether it is used only while no other is up. @default {false} */
  readonly backup?: boolean;
}

/** Options of a {@linkcode BalanceMachine}. */
export interface BalanceMachineOptions {
  /** Who takes connections. */
  readonly backends: readonly BackendOptions[];
  /** How one is chosen. @default {"round-robin"} */
  readonly policy?: BalancePolicyName;
  /** Milliseconds in which a backend that has come up or was added grows to its weight; 0 for none. @default {0} */
  readonly slowStartMs?: number;
  /** Connections that wait while every backend has its `maxConnections`. @default {1_000} */
  readonly maxQueue?: number;
  /** Milliseconds that a connection waits at most. @default {5_000} */
  readonly queueMs?: number;
  /** Backends that are tried beside the first, if connecting fails. @default {3} */
  readonly maxRetries?: number;
  /**
   * The share of the backends that must be up; while fewer are, health is ignored, because the few would break under what
   * is meant for all. 0 for never.
   *
   * @default {0.5}
   */
  readonly panicThreshold?: number;
  /** Milliseconds for which a source stays with its backend after its latest connection; 0 for none. @default {0} */
  readonly stickyMs?: number;
  /** Sources that are remembered; the one that was not seen for longest goes. @default {100_000} */
  readonly maxSticky?: number;
  /** When a backend is ejected because connections to it fail; false for never. */
  readonly ejection?: BreakerOptions | false;
  /** When checks make a backend up or down. */
  readonly health?: HealthCheckOptions;
}

/** {@linkcode BalanceMachineOptions} with all defaults. */
export type CompleteBalanceOptions = Required<BalanceMachineOptions>;

/** Fills in defaults, and refuses what makes no sense. */
export function completeBalanceOptions(
  options: BalanceMachineOptions,
): CompleteBalanceOptions {
  const complete: CompleteBalanceOptions = {
    policy: "round-robin",
    slowStartMs: 0,
    maxQueue: 1_000,
    queueMs: 5_000,
    maxRetries: 3,
    panicThreshold: 0.5,
    stickyMs: 0,
    maxSticky: 100_000,
    ejection: {},
    health: {},
    ...options,
  };
  if (!BALANCE_POLICIES.includes(complete.policy)) {
    throw new RangeError(
      `Cannot balance: allowed policies are ${
        BALANCE_POLICIES.join(", ")
      }: current value is ${complete.policy}`,
    );
  }
  const names = new Set<string>();
  for (const backend of complete.backends) {
    checkBackend(backend);
    if (names.has(backend.name)) {
      throw new RangeError(
        `Cannot balance: a backend is there twice: current value is ${backend.name}`,
      );
    }
    names.add(backend.name);
  }
  return complete;
}

/** Refuses a backend that makes no sense. */
export function checkBackend(
  { name, weight = 1, maxConnections = Infinity }: BackendOptions,
): void {
  checkWeight(weight);
  if (!(maxConnections >= 1)) {
    throw new RangeError(
      `Cannot use ${name}: 'maxConnections' must be at least 1: current value is ${maxConnections}`,
    );
  }
}

/** Refuses a weight that makes no sense. */
export function checkWeight(weight: number): void {
  if (!(Number.isInteger(weight) && weight >= 1 && weight <= 256)) {
    throw new RangeError(
      `Cannot weigh: 'weight' must be a whole number from 1 to 256: current value is ${weight}`,
    );
  }
}
