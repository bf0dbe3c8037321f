import type { CheckSpec } from "../../proto/balance/check_exchange.ts";
import { alarm, type Clock } from "../../io/clock.ts";
import type { Transports } from "../../io/transports.ts";
import { check } from "./check.ts";
import type { BalanceTarget } from "./options.ts";

/** What the checks of a balancer need. */
export interface HealthChecksHost {
  readonly clock: Clock;
  readonly transports: Transports;
  /** Milliseconds that a check may take. */
  readonly timeoutMs: () => number;
  /** Milliseconds until the next check of a backend; undefined for none. */
  readonly nextMs: (backend: string) => number | undefined;
  /** Takes what a check has found. */
  readonly found: (backend: string, error: unknown) => void;
}

/** Checks backends, each at its own pace. */
export class HealthChecks {
  readonly #host: HealthChecksHost;
  readonly #running = new Map<
    string,
    { plan: string; ending: AbortController; ended: Promise<void> }
  >();

  constructor(host: HealthChecksHost) {
    this.#host = host;
  }

  /** Checks these backends from now on, and no others. */
  set(plans: ReadonlyMap<string, { target: BalanceTarget; spec: CheckSpec }>) {
    for (const [name, { plan, ending }] of this.#running) {
      const wanted = plans.get(name);
      if (wanted !== undefined && plan === JSON.stringify(wanted)) continue;
      ending.abort();
      this.#running.delete(name);
    }
    for (const [name, plan] of plans) {
      if (this.#running.has(name)) continue;
      const ending = new AbortController();
      const ended = this.#run(name, plan.target, plan.spec, ending.signal);
      const text = JSON.stringify(plan);
      this.#running.set(name, { plan: text, ending, ended });
    }
  }

  async #run(
    name: string,
    target: BalanceTarget,
    spec: CheckSpec,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, transports, timeoutMs, nextMs, found } = this.#host;
    while (!signal.aborted) {
      let fault: unknown;
      try {
        await check(target, spec, {
          clock,
          transports,
          timeoutMs: timeoutMs(),
          signal,
        });
      } catch (error) {
        fault = error;
      }
      if (signal.aborted) return;
      found(name, fault);
      const waitMs = nextMs(name);
      if (waitMs === undefined) return;
      await rest(clock, waitMs, signal);
    }
  }

  /** Ends all of them. */
  async stop(): Promise<void> {
    const ended = [...this.#running.values()].map(({ ended }) => ended);
    this.set(new Map());
    await Promise.all(ended);
  }
}

/** Waits without keeping the process alive: what is balanced does. */
function rest(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clock.cancel(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = alarm(clock, ms, done);
    signal.addEventListener("abort", done, { once: true });
  });
}
