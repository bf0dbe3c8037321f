import { alarm, type Clock } from "../io/clock.ts";
import type { Timer } from "../proto/timer_wheel.ts";
import type { Correlation } from "./correlation.ts";

/** Options of {@linkcode Client.request}. */
export interface RequestOptions {
  /** Milliseconds to wait for the answer. @default {30_000} */
  timeoutMs?: number;
  /** Gives up when aborted. */
  signal?: AbortSignal;
}

/**
 * No answer came in time. The request may have been carried out all the same.
 *
 * @example Usage
 * ```ts
 * import {
 *   connect,
 *   inOrder,
 *   lines,
 *   RequestTimeoutError,
 *   serve,
 *   text,
 * } from "../../mod.ts";
 * import { assertRejects } from "@std/assert";
 *
 * const wire = lines(text());
 * await using server = await serve({
 *   listen: "tcp://127.0.0.1:0",
 *   wire,
 *   handler: { message() {} },
 * });
 * await using client = await connect({
 *   to: server.endpoint,
 *   wire,
 *   correlate: inOrder(),
 * });
 * await assertRejects(
 *   () => client.request("anybody?", { timeoutMs: 10 }),
 *   RequestTimeoutError,
 * );
 * ```
 */
export class RequestTimeoutError extends Error {
  /** The name that stack traces show. */
  override readonly name = "RequestTimeoutError";
  /** How long the answer was waited for. */
  readonly timeoutMs: number;

  /** Creates the error. */
  constructor(timeoutMs: number, detail: string) {
    super(`Cannot get an answer: none came within ${timeoutMs} ms${detail}`);
    this.timeoutMs = timeoutMs;
  }
}

interface Waiter<In> {
  resolve(message: In): void;
  reject(error: unknown): void;
  /** Its time-out; undefined once it was given up on. */
  timer: Timer | undefined;
  signal: AbortSignal | undefined;
  abort: (() => void) | undefined;
}

/**
 * The requests of one client that wait for answers.
 *
 * @example Usage
 * ```ts
 * import { Requests } from "./requests.ts";
 * import { inOrder } from "./correlation.ts";
 * import { systemClock } from "../io/clock.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const requests = new Requests<string, string>(inOrder(), systemClock);
 * const answer = requests.wait("ping", {}, () => "");
 * assertEquals(requests.answer("pong"), true);
 * assertEquals(await answer, "pong");
 * ```
 */
export class Requests<In, Out> {
  readonly #correlation: Correlation<In, Out>;
  readonly #clock: Clock;
  readonly #waiters = new Map<unknown, Waiter<In>[]>();

  /** Tells answers by `correlation` and takes time-outs from `clock`. */
  constructor(correlation: Correlation<In, Out>, clock: Clock) {
    this.#correlation = correlation;
    this.#clock = clock;
  }

  /** Waits for the answer to `request`; `explain` may add to the message of a time-out. */
  wait(
    request: Out,
    options: RequestOptions,
    explain: () => string,
  ): Promise<In> {
    const { timeoutMs = 30_000, signal } = options;
    const key = this.#correlation.request(request);
    return new Promise((resolve, reject) => {
      const giveUp = (error: unknown) => {
        this.#release(waiter);
        if (!this.#correlation.ordered) this.#forget(key, waiter);
        reject(error);
      };
      const waiter: Waiter<In> = {
        resolve,
        reject,
        signal,
        abort: signal && (() => giveUp(signal.reason)),
        timer: alarm(
          this.#clock,
          timeoutMs,
          () => giveUp(new RequestTimeoutError(timeoutMs, explain())),
        ),
      };
      if (waiter.abort !== undefined) {
        signal!.addEventListener("abort", waiter.abort, { once: true });
      }
      const same = this.#waiters.get(key);
      if (same === undefined) this.#waiters.set(key, [waiter]);
      else same.push(waiter);
    });
  }

  /** Takes `message` if it is an answer; false if nobody asked for it. */
  answer(message: In): boolean {
    const key = this.#correlation.reply(message);
    if (key === undefined) return false;
    const waiter = this.#waiters.get(key)?.[0];
    if (waiter === undefined) return !this.#correlation.ordered;
    this.#forget(key, waiter);
    if (waiter.timer !== undefined) {
      this.#release(waiter);
      waiter.resolve(message);
    }
    return true;
  }

  /** Gives up on all of them. */
  fail(error: unknown): void {
    const waiters = [...this.#waiters.values()].flat();
    this.#waiters.clear();
    for (const waiter of waiters) {
      if (waiter.timer === undefined) continue;
      this.#release(waiter);
      waiter.reject(error);
    }
  }

  #forget(key: unknown, waiter: Waiter<In>): void {
    const same = this.#waiters.get(key);
    if (same === undefined) return;
    const index = same.indexOf(waiter);
    if (index >= 0) same.splice(index, 1);
    if (same.length === 0) this.#waiters.delete(key);
  }

  #release(waiter: Waiter<In>): void {
    if (waiter.timer !== undefined) this.#clock.cancel(waiter.timer);
    waiter.timer = undefined;
    if (waiter.abort !== undefined) {
      waiter.signal?.removeEventListener("abort", waiter.abort);
    }
  }
}
