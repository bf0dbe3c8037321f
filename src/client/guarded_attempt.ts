import type { Clock } from "../io/clock.ts";
import { Timer } from "../proto/timer_wheel.ts";
import type { Attempt } from "./guard_options.ts";
import type { Verdict } from "./classify.ts";
import { RequestTimeoutError } from "./requests.ts";

/** What an attempt needs of its guard. */
export interface AttemptHost {
  /** What an error says about the server. */
  classify(error: unknown): Verdict;
  /** Where the time comes from. */
  readonly clock: Clock;
  /** Milliseconds that an attempt may take. */
  readonly timeoutMs: number;
}

/** Called once, at the end of an attempt, with what came of it. */
export type AttemptEnded = (
  verdict: Verdict,
  error: unknown,
  endedMs: number,
) => void;

/** One attempt: ends with its function, at its deadline, or when it is aborted, whichever is first. */
export class GuardedAttempt<S, T> extends Timer implements Attempt<S> {
  readonly server: S;
  readonly #host: AttemptHost;
  readonly #parent: AbortSignal | undefined;
  readonly #onEnd: AttemptEnded;
  readonly #result = Promise.withResolvers<T>();
  /** Made when asked for: most attempts ask nobody else, and a signal costs more than the rest of this. */
  #controller: AbortController | undefined;
  #abortReason: { error: unknown } | undefined;
  #ended = false;
  readonly #abort = () => {
    const error = this.#parent!.reason;
    this.#end({ ok: false, kind: "cancelled" }, error);
    this.#giveUp(error);
  };

  /** Call {@linkcode GuardedAttempt.run} next. */
  constructor(
    server: S,
    host: AttemptHost,
    parent: AbortSignal | undefined,
    onEnd: AttemptEnded,
  ) {
    super();
    this.server = server;
    this.#host = host;
    this.#parent = parent;
    this.#onEnd = onEnd;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#abortReason !== undefined) {
      this.#controller.abort(this.#abortReason.error);
    }
    return this.#controller.signal;
  }

  /** Runs `work`. */
  run(work: (attempt: Attempt<S>) => T | Promise<T>): Promise<T> {
    const { clock, timeoutMs, classify } = this.#host;
    if (this.#parent?.aborted) {
      this.#abort();
      return this.#result.promise;
    }
    if (timeoutMs !== Infinity) clock.arm(this, timeoutMs);
    this.#parent?.addEventListener("abort", this.#abort, { once: true });
    Promise.try(work, this).then((result) => {
      if (!this.#end({ ok: true, kind: "answered" }, undefined)) return;
      this.#result.resolve(result);
    }, (error) => {
      if (this.#ended) return;
      this.#end(classify(error), error);
      this.#result.reject(error);
    });
    return this.#result.promise;
  }

  override expired(): void {
    const error = new RequestTimeoutError(this.#host.timeoutMs, "");
    this.#end({ ok: false, kind: "timed out" }, error);
    this.#giveUp(error);
  }

  #giveUp(error: unknown): void {
    this.#abortReason = { error };
    this.#controller?.abort(error);
    this.#result.reject(error);
  }

  /** False if it has ended before. */
  #end(verdict: Verdict, error: unknown): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    const { clock } = this.#host;
    clock.cancel(this);
    this.#parent?.removeEventListener("abort", this.#abort);
    this.#onEnd(verdict, error, clock.now());
    return true;
  }
}
