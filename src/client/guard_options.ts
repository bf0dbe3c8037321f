import type { Clock } from "../io/clock.ts";
import type { BackoffOptions } from "../proto/resilience/backoff.ts";
import type {
  BreakerOptions,
  BreakerSnapshot,
  BreakerTransition,
} from "../proto/resilience/breaker.ts";
import type { RetryBudgetOptions } from "../proto/resilience/retry_budget.ts";
import type { BulkheadOptions } from "./bulkhead.ts";
import type { Verdict } from "./classify.ts";

/** When a guard makes a second attempt while the first still runs. */
export interface GuardHedgeOptions {
  /** Milliseconds after which it is made. Unless told, the `quantile` of the latencies seen is. */
  delayMs?: number;
  /** The share of attempts, from 0 to 1, that get no second one. @default {0.95} */
  quantile?: number;
}

/** What a guard tells its observer. */
export type GuardEvent<S> =
  /** A server's circuit breaker changed its state. */
  | { type: "breaker"; server: S; transition: BreakerTransition }
  /** An attempt failed, and another will be made. */
  | { type: "retry"; attempts: number; delayMs: number; error: unknown }
  /** An attempt failed that would have been repeated, had the retry budget allowed it. */
  | { type: "budget spent"; error: unknown }
  /** A second attempt was made while the first still runs. */
  | { type: "hedged"; delayMs: number }
  /** So few servers are healthy that health is ignored when one is chosen, or that has ended. */
  | { type: "panic"; panic: boolean };

/** Options of {@linkcode Guard}. */
export interface GuardOptions<S> {
  /** Who may be asked: endpoints, pools, clients. */
  servers: readonly S[];
  /** The circuit breaker of each server; false for none. */
  breaker?: BreakerOptions | false;
  /** Exported states of circuit breakers to continue from. */
  restore?: (server: S) => BreakerSnapshot | undefined;
  /** How many retries and hedged attempts there may be for all. */
  budget?: RetryBudgetOptions;
  /** Attempts for one request, three unless told, and the delays between them. */
  backoff?: BackoffOptions;
  /** How many attempts may be made at a time. */
  limit?: Omit<BulkheadOptions, "clock">;
  /** Makes second attempts for requests that may be carried out twice; without it there are none. */
  hedge?: GuardHedgeOptions;
  /** Milliseconds that one attempt may take. @default {30_000} */
  timeoutMs?: number;
  /** The share of healthy servers below which health is ignored in choosing one, from 0 to 1. @default {0.5} */
  panicThreshold?: number;
  /** What an error says about the server. @default {classifyError} */
  classify?: (error: unknown) => Verdict;
  /** Is told what happens. */
  observe?: (event: GuardEvent<S>) => void;
  /** Where the time comes from. @default {systemClock} */
  clock?: Clock;
  /** Numbers in [0, 1) for jitter and the choice of servers. @default {Math.random} */
  random?: () => number;
}

/** Options of {@linkcode Guard.run}. */
export interface RunOptions {
  /** Whether the request may be carried out twice: only then is it hedged, or repeated when its fate is unknown. @default {false} */
  idempotent?: boolean;
  /** Gives up when aborted. */
  signal?: AbortSignal;
}

/** One attempt, as {@linkcode Guard.run} hands it to its function. */
export interface Attempt<S> {
  /** Whom to ask. */
  readonly server: S;
  /** Aborted when nobody waits for the attempt any longer: its time is up, another was faster, or the caller gave up. */
  readonly signal: AbortSignal;
}

/** What {@linkcode Guard.status} tells of a server. */
export interface GuardedServerStatus<S> {
  /** The server. */
  readonly server: S;
  /** Its circuit breaker, if it has one. */
  readonly breaker: BreakerSnapshot | undefined;
  /** Attempts that it has not answered. */
  readonly outstanding: number;
}
