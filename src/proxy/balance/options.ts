import type { BackendStatus } from "../../proto/balance/backend.ts";
import type { CheckSpec } from "../../proto/balance/check_exchange.ts";
import type {
  BackendOptions,
  BalanceMachineOptions,
} from "../../proto/balance/options.ts";
import type { ClientTlsOptions } from "../../io/tls/options.ts";
import type { ProxyAccess, ProxyEvent, ProxyRequest } from "../events.ts";
import type { ProxyOptions, ProxyTarget } from "../proxy_options.ts";

/** A backend of a {@linkcode Balancer}. */
export interface BalanceTarget
  extends Omit<ProxyTarget, "watch">, Omit<BackendOptions, "name"> {
  /** How it is checked; false for not at all. @default {what all backends are checked by} */
  readonly check?: CheckSpec | false | undefined;
}

/** What can be changed while a {@linkcode Balancer} runs. */
export interface BalanceSettings
  extends Omit<BalanceMachineOptions, "backends"> {
  /** The backends, as endpoint URLs or with options. */
  to: readonly (string | BalanceTarget)[];
  /** What to trust and to show at backends with `tls` that say nothing of their own. */
  targetTls?: ClientTlsOptions;
  /** How backends are checked; without it they are not. */
  check?: CheckSpec | undefined;
  /** Milliseconds that a check may take. @default {2_000} */
  checkTimeoutMs?: number | undefined;
}

/** Options of {@linkcode balance}. */
export interface BalanceOptions
  extends Omit<ProxyOptions, "to" | "observe">, BalanceSettings {
  /** What chance is made of. @default {random} */
  seed?: number;
  /** Is given the lines of a decision trace, which {@linkcode replayBalance} reads. */
  trace?: (line: string) => void;
  /** Is told what happens. */
  observe?: (event: BalanceEvent) => void;
}

/** Everything that a balancer tells its observer. */
export type BalanceEvent =
  /** What a proxy tells. */
  | Exclude<ProxyEvent, { type: "relayed" }>
  /** A connection was passed on, and has ended; `why` its backend was chosen. */
  | { type: "relayed"; access: ProxyAccess; why: string }
  /** A connection waits until a backend has room. */
  | { type: "queued"; request: ProxyRequest; why: string }
  /** A backend has become another. */
  | { type: "backend"; backend: string; status: BackendStatus; why: string }
  /** A check of a backend has failed. */
  | { type: "check failed"; backend: string; error: unknown };
