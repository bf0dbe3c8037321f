import { alarm, sleep } from "../io/clock.ts";
import { Backoff } from "../proto/resilience/backoff.ts";
import type { Timer } from "../proto/timer_wheel.ts";
import { Lease, type Lender } from "./lease.ts";
import {
  PoolClosedError,
  PoolFullError,
  PoolTimeoutError,
} from "./pool_errors.ts";
import {
  type CompletePoolOptions,
  completePoolOptions,
  type PoolDestroyReason,
  type PoolDrainOptions,
  type PoolOptions,
  type TakeOptions,
} from "./pool_options.ts";
import { withTimeLimit } from "./time_limit.ts";
import { WaitQueue } from "./wait_queue.ts";

interface IdleResource<T> {
  readonly resource: T;
  readonly sinceMs: number;
}

/**
 * Resources that are lent to one borrower at a time, such as connections to a server. The one that came back last is lent
 * first, so that those which are not needed become idle for long and are destroyed. Borrowers that wait are served in
 * the order in which they came, and nobody overtakes them. If a resource cannot be created while there is no other, all
 * who wait are told at once. Made by {@linkcode createPool}.
 *
 * @example Usage
 * ```ts
 * import { createPool } from "./pool.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = createPool({ create: () => ({}), destroy() {}, max: 1 });
 * const first = await pool.take();
 * assertEquals(pool.tryTake(), undefined);
 * const second = pool.take();
 * first.release();
 * assertEquals((await second).resource, first.resource);
 * (await second).release();
 * ```
 */
export class Pool<T> implements AsyncDisposable {
  readonly #options: CompletePoolOptions<T>;
  readonly #lender: Lender<T> = {
    returned: (lease, broken) => this.#returned(lease, broken),
  };
  readonly #waiters: WaitQueue<Lease<T>>;
  /** Longest idle first. */
  readonly #idle: IdleResource<T>[] = [];
  readonly #lent = new Set<Lease<T>>();
  #creating = 0;
  #checking = 0;
  #destroying = 0;
  /** Why creation failed last, until it succeeds. */
  #failure: unknown;
  readonly #backoff: Backoff;
  /** Armed while `min` waits to be made up after a failure. */
  #retry: Timer | undefined;
  /** Armed while a resource may be idle for too long. */
  #sweep: Timer | undefined;
  #closing = false;
  #drained: Promise<void> | undefined;
  readonly #empty = Promise.withResolvers<void>();

  /** Use {@linkcode createPool}. */
  constructor(options: PoolOptions<T>) {
    this.#options = completePoolOptions(options);
    const { clock, random } = this.#options;
    this.#waiters = new WaitQueue(
      clock,
      (waitMs) => new PoolTimeoutError(waitMs, this.#failure),
    );
    this.#backoff = new Backoff({}, random, clock.now());
    this.#supply();
  }

  /** Resources, whether idle, lent, or being created or checked. */
  get size(): number {
    return this.#idle.length + this.#lent.size + this.#creating +
      this.#checking;
  }

  /** Resources that wait for a borrower. */
  get idle(): number {
    return this.#idle.length;
  }

  /** Resources that are lent. */
  get lent(): number {
    return this.#lent.size;
  }

  /** Borrowers that wait for a resource. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** Takes an idle resource that needs no check; undefined if there is none, or others wait for one. */
  tryTake(): Lease<T> | undefined {
    if (this.#closing || this.#waiters.size > 0) return undefined;
    for (;;) {
      const last = this.#idle.at(-1);
      if (last === undefined || this.#needsCheck(last)) return undefined;
      this.#idle.pop();
      if (this.#isUsable(last.resource)) return this.#lend(last.resource);
    }
  }

  /**
   * Takes a resource: an idle one, a new one, or the next that comes back.
   *
   * @throws {PoolTimeoutError} If none becomes free in time.
   * @throws {PoolFullError} If too many wait already.
   * @throws {PoolClosedError} If the pool is being drained.
   */
  take(options: TakeOptions = {}): Promise<Lease<T>> {
    const { max, maxWaiters } = this.#options;
    const { signal, waitMs = this.#options.waitMs } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    const lease = this.tryTake();
    if (lease !== undefined) return Promise.resolve(lease);
    if (this.#closing) return Promise.reject(new PoolClosedError());
    // Who waits for a resource that is not lent, or not made yet, waits for no other borrower.
    if (this.#waiters.size >= maxWaiters + max - this.#lent.size) {
      return Promise.reject(new PoolFullError(maxWaiters));
    }
    const promise = this.#waiters.wait(waitMs, signal);
    this.#supply();
    return promise;
  }

  /**
   * Ends the pool: refuses borrowers that come from now on, serves those who wait, and destroys each resource once it is
   * back. Resolves when that is done, or at the deadline; what is still lent is destroyed then.
   */
  drain(options: PoolDrainOptions = {}): Promise<void> {
    return this.#drained ??= this.#drain(options.deadlineMs ?? 10_000);
  }

  /** Drains the pool. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  async #drain(deadlineMs: number): Promise<void> {
    const { clock } = this.#options;
    this.#closing = true;
    for (const timer of [this.#retry, this.#sweep]) {
      if (timer !== undefined) clock.cancel(timer);
    }
    for (const { resource } of this.#idle.splice(0)) {
      void this.#destroy(resource, "drained");
    }
    this.#settle();
    const stop = new AbortController();
    const late = sleep(clock, deadlineMs, stop.signal);
    await Promise.race([this.#empty.promise, late]);
    stop.abort();
    this.#waiters.failAll(new PoolClosedError());
    for (const lease of this.#lent) lease.discard();
  }

  #settle(): void {
    if (
      this.#closing && this.size === 0 && this.#waiters.size === 0 &&
      this.#destroying === 0
    ) this.#empty.resolve();
  }

  #needsCheck({ sinceMs }: IdleResource<T>): boolean {
    const { check, checkAfterMs, clock } = this.#options;
    return check !== undefined && clock.now() - sinceMs >= checkAfterMs;
  }

  /** Destroys a resource that is not. */
  #isUsable(resource: T): boolean {
    if (this.#options.isAlive?.(resource) ?? true) return true;
    void this.#destroy(resource, "unhealthy");
    return false;
  }

  #lend(resource: T): Lease<T> {
    const lease = new Lease(resource, this.#lender);
    this.#lent.add(lease);
    return lease;
  }

  #returned(lease: Lease<T>, broken: boolean): void {
    this.#lent.delete(lease);
    if (broken) void this.#destroy(lease.resource, "discarded");
    else if (this.#isUsable(lease.resource)) this.#offer(lease.resource);
    this.#supply();
  }

  /** Gives a good resource to who came first, or keeps it. */
  #offer(resource: T): void {
    if (this.#waiters.size > 0) {
      this.#waiters.serve(this.#lend(resource));
    } else if (this.#closing) {
      void this.#destroy(resource, "drained");
    } else {
      const { clock, idleMs } = this.#options;
      this.#idle.push({ resource, sinceMs: clock.now() });
      if (this.#sweep === undefined) this.#sweepIn(idleMs);
    }
  }

  /** Sees to it that there will be a resource for each who waits, as far as `max` allows, and `min` in any case. */
  #supply(): void {
    const { min, max } = this.#options;
    while (this.#waiters.size > this.#creating + this.#checking) {
      const last = this.#idle.pop();
      if (last !== undefined) {
        if (this.#isUsable(last.resource)) void this.#check(last.resource);
      } else if (this.size < max) void this.#create();
      else break;
    }
    if (this.#closing || this.#retry !== undefined) return;
    while (this.size < min) void this.#create();
  }

  async #create(): Promise<void> {
    const { create, createMs, clock, observe } = this.#options;
    this.#creating++;
    let resource: T;
    try {
      resource = await withTimeLimit(create, {
        limitMs: createMs,
        clock,
        action: "create a resource",
        late: (resource) => void this.#destroy(resource, "late"),
      });
    } catch (error) {
      this.#creating--;
      this.#failed(error);
      return;
    }
    this.#creating--;
    this.#failure = undefined;
    this.#backoff.reset(clock.now());
    observe({ type: "created" });
    this.#offer(resource);
  }

  #failed(error: unknown): void {
    const { clock, min, observe } = this.#options;
    this.#failure = error;
    observe({ type: "create failed", error });
    if (this.size === 0) this.#waiters.failAll(error);
    this.#settle();
    if (this.#closing || this.#retry !== undefined || this.size >= min) return;
    this.#retry = alarm(clock, this.#backoff.next(clock.now())!, () => {
      this.#retry = undefined;
      this.#supply();
    });
  }

  async #check(resource: T): Promise<void> {
    const { check, checkMs, clock } = this.#options;
    this.#checking++;
    let healthy = false;
    let problem = {};
    try {
      healthy = await withTimeLimit((signal) => check!(resource, signal), {
        limitMs: checkMs,
        clock,
        action: "check a resource",
      });
    } catch (error) {
      problem = { error };
    }
    this.#checking--;
    if (healthy) this.#offer(resource);
    else void this.#destroy(resource, "unhealthy", problem);
    this.#supply();
  }

  async #destroy(
    resource: T,
    reason: PoolDestroyReason,
    problem: { error?: unknown } = {},
  ): Promise<void> {
    const { destroy, observe } = this.#options;
    this.#destroying++;
    observe({ type: "destroyed", reason, ...problem });
    try {
      await destroy(resource);
    } catch (error) {
      observe({ type: "destroy failed", error });
    }
    this.#destroying--;
    this.#supply();
    this.#settle();
  }

  #sweepIn(delayMs: number): void {
    if (delayMs === Infinity) return;
    const { clock, idleMs, min } = this.#options;
    this.#sweep = alarm(clock, delayMs, () => {
      this.#sweep = undefined;
      const nowMs = clock.now();
      while (this.#idle.length > 0 && this.size > min) {
        const restMs = this.#idle[0]!.sinceMs + idleMs - nowMs;
        if (restMs > 0) return this.#sweepIn(restMs);
        void this.#destroy(this.#idle.shift()!.resource, "idle");
      }
    });
  }
}

/**
 * Makes a pool of whatever `create` makes; connections, for example.
 *
 * @throws {RangeError} If `min` and `max` contradict each other.
 *
 * @example Usage
 * ```ts
 * import { connect } from "./connect.ts";
 * import { inOrder } from "./correlation.ts";
 * import { createPool } from "./pool.ts";
 * import { serve } from "../server/serve.ts";
 * import { lines } from "../proto/framing/delimited.ts";
 * import { text } from "../proto/codec/text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * await using server = await serve({
 *   listen: "memory:pooled",
 *   wire,
 *   handler: { message: (peer, line) => peer.send(line.toUpperCase()) },
 * });
 * const to = server.endpoints[0]!;
 * await using pool = createPool({
 *   create: (signal) => connect({ to, wire, correlate: inOrder(), signal }),
 *   destroy: (client) => client.close(),
 *   isAlive: (client) => client.ending === undefined,
 *   check: async (client) => await client.request("ping") === "PING",
 * });
 * await using lease = await pool.take();
 * assertEquals(await lease.resource.request("ahoy"), "AHOY");
 * ```
 */
export function createPool<T>(options: PoolOptions<T>): Pool<T> {
  return new Pool(options);
}
