import { sleep, systemClock } from "../io/clock.ts";
import { Backoff } from "../proto/resilience/backoff.ts";
import { chooseServer } from "../proto/resilience/balance.ts";
import { CircuitBreaker } from "../proto/resilience/breaker.ts";
import type { Outcome } from "../proto/resilience/health.ts";
import { LatencyQuantile } from "../proto/resilience/latency_quantile.ts";
import { RetryBudget } from "../proto/resilience/retry_budget.ts";
import { Bulkhead, ConcurrencyLimitError } from "./bulkhead.ts";
import { classifyError, type Verdict } from "./classify.ts";
import type {
  Attempt,
  GuardedServerStatus,
  GuardOptions,
  RunOptions,
} from "./guard_options.ts";
import { type AttemptHost, GuardedAttempt } from "./guarded_attempt.ts";
import { BreakerOpenError, GuardedServer } from "./guarded_server.ts";
import { hedge } from "./hedge.ts";

/** What the attempts of one request have in common. */
interface Run<S, T> extends RunOptions {
  readonly work: (attempt: Attempt<S>) => T | Promise<T>;
  /** Servers that were asked already. */
  readonly asked: Set<GuardedServer<S>>;
  /** When the first attempt began. */
  startedMs?: number;
}

/**
 * Makes requests to one of several servers, with everything that keeps a failing server from taking its clients down, and
 * its clients from keeping it down: a circuit breaker for each server, a limit on attempts at a time, retries with jitter
 * within a budget, hedged attempts, and the choice of the cheaper of two servers. One signal, the outcome of every attempt,
 * feeds them all. A request fails with the error of its last attempt.
 *
 * @example Usage
 * ```ts
 * import { Guard } from "./guard.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const guard = new Guard({
 *   servers: ["a", "b"],
 *   backoff: { minMs: 1 },
 *   random: () => 0,
 * });
 * const asked: string[] = [];
 * const answer = await guard.run(({ server }) => {
 *   asked.push(server);
 *   if (server === "a") throw new Deno.errors.ConnectionRefused();
 *   return `from ${server}`;
 * });
 * assertEquals(answer, "from b");
 * assertEquals(asked, ["a", "b"]);
 * ```
 */
export class Guard<S> {
  readonly #options: GuardOptions<S>;
  readonly #host: AttemptHost;
  readonly #random: () => number;
  readonly #budget: RetryBudget;
  readonly #bulkhead: Bulkhead;
  readonly #latency: LatencyQuantile | undefined;
  #servers: readonly GuardedServer<S>[] = [];
  #panic = false;

  /** Makes a guard that has asked nobody yet. */
  constructor(options: GuardOptions<S>) {
    const { clock = systemClock, random = Math.random } = options;
    const { classify = classifyError, timeoutMs = 30_000 } = options;
    this.#options = options;
    this.#host = { clock, classify, timeoutMs };
    this.#random = random;
    this.#budget = new RetryBudget(options.budget ?? {}, clock.now());
    this.#bulkhead = new Bulkhead({ ...options.limit, clock });
    this.#latency = options.hedge && new LatencyQuantile();
    this.setServers(options.servers);
  }

  /** Attempts that are allowed at a time. */
  get limit(): number {
    return this.#bulkhead.limit;
  }

  /** What is known of each server. */
  status(): GuardedServerStatus<S>[] {
    return this.#servers.map(({ server, breaker, load }) => ({
      server,
      breaker: breaker?.toJSON(),
      outstanding: load.outstanding,
    }));
  }

  /** Asks `servers` from now on; what is known of those that were there before is kept. */
  setServers(servers: readonly S[]): void {
    const known = new Map(this.#servers.map((it) => [it.server, it]));
    this.#servers = servers.map((server) =>
      known.get(server) ?? this.#guarded(server)
    );
  }

  /** Takes an outcome that was seen elsewhere, such as a heartbeat that `server` missed. */
  record(server: S, outcome: Outcome): void {
    const found = this.#servers.find((it) => it.server === server);
    found?.health.record(outcome, this.#host.clock.now());
  }

  /**
   * Makes a request by calling `work` once for each attempt.
   *
   * @throws {BreakerOpenError} If the server that was chosen is left alone for a while.
   * @throws {ConcurrencyLimitError} If too many attempts are being made.
   * @throws {RequestTimeoutError} If an attempt took too long.
   */
  async run<T>(
    work: (attempt: Attempt<S>) => T | Promise<T>,
    options: RunOptions = {},
  ): Promise<T> {
    const { signal } = options;
    const run: Run<S, T> = { ...options, work, asked: new Set() };
    let backoff: Backoff | undefined;
    for (;;) {
      try {
        if (!this.#bulkhead.tryAcquire()) {
          await this.#bulkhead.acquire(signal && { signal });
        }
        return await this.#ask(run);
      } catch (error) {
        signal?.throwIfAborted();
        backoff ??= this.#backoff(run.startedMs ?? this.#host.clock.now());
        const delayMs = this.#retryDelayMs(error, run, backoff);
        if (delayMs === undefined) throw error;
        const { attempts } = backoff;
        this.#options.observe?.({ type: "retry", attempts, delayMs, error });
        await sleep(this.#host.clock, delayMs, signal);
      }
    }
  }

  #guarded(server: S): GuardedServer<S> {
    const { breaker = {}, restore, observe } = this.#options;
    const nowMs = this.#host.clock.now();
    const snapshot = restore?.(server);
    const learn = { record: (outcome: Outcome) => this.#learn(outcome) };
    return new GuardedServer(
      server,
      breaker === false
        ? undefined
        : snapshot === undefined
        ? new CircuitBreaker(breaker, nowMs)
        : CircuitBreaker.from(snapshot, breaker, nowMs),
      [this.#budget, this.#bulkhead, learn],
      (transition) => observe?.({ type: "breaker", server, transition }),
    );
  }

  #backoff(startedMs: number): Backoff {
    const options = { maxAttempts: 3, ...this.#options.backoff };
    return new Backoff(options, this.#random, startedMs);
  }

  /** What to wait before another attempt; undefined if there is to be none. */
  #retryDelayMs<T>(
    error: unknown,
    run: Run<S, T>,
    backoff: Backoff,
  ): number | undefined {
    if (error instanceof ConcurrencyLimitError) return undefined;
    const { clock, classify } = this.#host;
    const nowMs = clock.now();
    const verdict = error instanceof BreakerOpenError
      ? this.#elsewhere(nowMs)
      : classify(error);
    if (!isWorthRetrying(verdict, run)) return undefined;
    const delayMs = backoff.next(nowMs, verdict.retryAfterMs);
    if (delayMs === undefined || this.#budget.tryWithdraw(nowMs)) {
      return delayMs;
    }
    this.#options.observe?.({ type: "budget spent", error });
    return undefined;
  }

  /** A server that is left alone is no reason to give up while another is healthy. */
  #elsewhere(nowMs: number): Verdict {
    const retry = this.#servers.some((server) => server.isHealthy(nowMs));
    return { ok: false, kind: "refused", retry };
  }

  /** Makes an attempt, for which the bulkhead has been entered, and perhaps a hedged one. */
  #ask<T>(run: Run<S, T>): Promise<T> {
    if (run.signal?.aborted) {
      this.#bulkhead.release();
      return Promise.reject(run.signal.reason);
    }
    const delayMs = run.idempotent ? this.#hedgeDelayMs() : undefined;
    if (delayMs === undefined) return this.#attempt(run, run.signal);
    return hedge((signal) => this.#attempt(run, signal), {
      delayMs,
      clock: this.#host.clock,
      mayHedge: () => this.#mayHedge(delayMs),
      ...(run.signal && { signal: run.signal }),
    });
  }

  #hedgeDelayMs(): number | undefined {
    const { delayMs, quantile = 0.95 } = this.#options.hedge ?? {};
    return delayMs ?? this.#latency?.quantile(quantile);
  }

  #mayHedge(delayMs: number): boolean {
    if (!this.#bulkhead.tryAcquire()) return false;
    if (!this.#budget.tryWithdraw(this.#host.clock.now())) {
      this.#bulkhead.release();
      return false;
    }
    this.#options.observe?.({ type: "hedged", delayMs });
    return true;
  }

  /** Hedging cuts slow attempts short: unless they count, the quantile would sink, and ever more would be hedged. */
  #learn({ ok, kind, latencyMs }: Outcome): void {
    const cutShort = kind === "cancelled" &&
      latencyMs >= (this.#hedgeDelayMs() ?? Infinity);
    if (ok || cutShort) this.#latency?.record(latencyMs);
  }

  #attempt<T>(run: Run<S, T>, signal: AbortSignal | undefined): Promise<T> {
    const nowMs = this.#host.clock.now();
    run.startedMs ??= nowMs;
    let server: GuardedServer<S>;
    try {
      server = this.#choose(run.asked, nowMs);
      run.asked.add(server);
      server.begin(nowMs);
    } catch (error) {
      this.#bulkhead.release();
      return Promise.reject(error);
    }
    const attempt = new GuardedAttempt<S, T>(
      server.server,
      this.#host,
      signal,
      ({ ok, kind }, error, endedMs) => {
        if (!ok && kind !== "cancelled") server.lastError = error;
        server.load.ended();
        const latencyMs = endedMs - nowMs;
        server.health.record({ ok, kind, latencyMs }, endedMs);
        this.#bulkhead.release();
      },
    );
    return attempt.run(run.work);
  }

  #choose(
    avoid: ReadonlySet<GuardedServer<S>>,
    nowMs: number,
  ): GuardedServer<S> {
    const { panicThreshold = 0.5, observe } = this.#options;
    const { server, panic } = chooseServer(this.#servers, {
      nowMs,
      random: this.#random,
      panicThreshold,
      avoid,
    });
    if (panic !== this.#panic) {
      this.#panic = panic;
      observe?.({ type: "panic", panic });
    }
    return server;
  }
}

/** Whether another attempt makes sense, and may be made. */
function isWorthRetrying(verdict: Verdict, run: RunOptions): boolean {
  const { kind, retry } = verdict;
  if (retry !== undefined) return retry;
  if (kind === "refused") return true;
  const unknownFate = kind === "timed out" || kind === "connection lost";
  return unknownFate && run.idempotent === true;
}
