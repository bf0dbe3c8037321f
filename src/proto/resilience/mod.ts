export {
  Backoff,
  type BackoffOptions,
  decorrelatedJitter,
  type DelayContext,
  type DelayFunction,
} from "./backoff.ts";
export {
  type Candidate,
  type Choice,
  type ChooseOptions,
  chooseServer,
  ServerLoad,
} from "./balance.ts";
export {
  type Admission,
  type BreakerOptions,
  type BreakerSnapshot,
  type BreakerState,
  type BreakerTransition,
  type BreakerTrigger,
  CircuitBreaker,
} from "./breaker.ts";
export {
  type AdaptiveLimitOptions,
  ConcurrencyLimit,
  type ConcurrencyLimitOptions,
} from "./concurrency_limit.ts";
export {
  HealthSignal,
  type Outcome,
  type OutcomeKind,
  type OutcomeListener,
} from "./health.ts";
export { LatencyQuantile } from "./latency_quantile.ts";
export { RetryBudget, type RetryBudgetOptions } from "./retry_budget.ts";
