export type { BackendReport, BackendStatus } from "./backend.ts";
export type {
  BalanceCandidate,
  BalanceChoice,
  BalancePolicy,
  BalanceRequest,
  BalanceSample,
} from "./candidate.ts";
export type { CheckSpec } from "./check_exchange.ts";
export {
  HealthCheck,
  type HealthCheckOptions,
  type HealthTransition,
} from "./health_check.ts";
export { LatencyModel } from "./latency_model.ts";
export { Learned, type LearnedOptions } from "./learned.ts";
export { LeastConnections } from "./least_connections.ts";
export { BalanceMachine } from "./machine.ts";
export type { BalanceInput, BalanceOutput } from "./messages.ts";
export { Maglev, type MaglevOptions, maglevTable } from "./maglev.ts";
export type { BackendOptions, BalanceMachineOptions } from "./options.ts";
export { PeakEwma } from "./peak_ewma.ts";
export {
  BALANCE_POLICIES,
  balancePolicy,
  type BalancePolicyName,
} from "./policies.ts";
export { RandomTwo } from "./random_two.ts";
export { RoundRobin } from "./round_robin.ts";
export { SmoothWeighted } from "./smooth_weighted.ts";
export { SourceHash } from "./source_hash.ts";
export {
  type BalanceReplay,
  type BalanceTraceStart,
  type BalanceTraceStep,
  replayBalance,
  TracedBalanceMachine,
} from "./trace.ts";
