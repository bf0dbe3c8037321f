import type { RpcWaiter } from "../proto/rpc/client_machine.ts";
import type { RpcError } from "../proto/rpc/errors.ts";
import { RequestTimeoutError } from "./requests.ts";

/** One request that waits for its answer. */
export class Pending implements RpcWaiter {
  readonly #resolve: (result: unknown) => void;
  readonly #reject: (error: unknown) => void;
  readonly #timeoutMs: number;
  #signal: AbortSignal | undefined;
  #abort: (() => void) | undefined;

  constructor(
    resolve: (result: unknown) => void,
    reject: (error: unknown) => void,
    timeoutMs: number,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timeoutMs = timeoutMs;
  }

  heed(signal: AbortSignal, cancel: () => void): void {
    this.#signal = signal;
    this.#abort = () => {
      cancel();
      this.#reject(signal.reason);
    };
    signal.addEventListener("abort", this.#abort, { once: true });
  }

  #release(): void {
    if (this.#abort === undefined) return;
    this.#signal!.removeEventListener("abort", this.#abort);
  }

  succeed(result: unknown): void {
    this.#release();
    this.#resolve(result);
  }

  fail(error: unknown): void {
    this.#release();
    this.#reject(error);
  }

  expire(cause: RpcError | undefined): void {
    this.fail(timedOut(this.#timeoutMs, cause));
  }
}

/** The items of one stream that wait to be read, and how it ended. */
export class StreamInbox implements RpcWaiter {
  /** The answer, or the error; undefined while more may come. */
  end: { result: unknown } | { error: unknown } | undefined;
  readonly #timeoutMs: number;
  #items: unknown[] = [];
  #changed: PromiseWithResolvers<void> | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  take(): unknown[] {
    const items = this.#items;
    this.#items = [];
    return items;
  }

  async changed(): Promise<void> {
    if (!this.isEmpty || this.end !== undefined) return;
    this.#changed = Promise.withResolvers();
    await this.#changed.promise;
  }

  item(value: unknown): void {
    this.#items.push(value);
    this.#changed?.resolve();
  }

  succeed(result: unknown): void {
    this.end = { result };
    this.#changed?.resolve();
  }

  fail(error: unknown): void {
    this.end = { error };
    this.#changed?.resolve();
  }

  expire(cause: RpcError | undefined): void {
    this.fail(timedOut(this.#timeoutMs, cause));
  }

  /** Nobody wants to read what is left. */
  abort(reason: unknown): void {
    this.#items = [];
    this.fail(reason);
  }
}

function timedOut(
  timeoutMs: number,
  cause: RpcError | undefined,
): RequestTimeoutError {
  const error = new RequestTimeoutError(timeoutMs, "");
  if (cause !== undefined) error.cause = cause;
  return error;
}
