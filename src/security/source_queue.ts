import { AuthenticationError } from "./authentication.ts";

/**
 * Lets one try of each source through at a time, in order; a source whose queue is full is refused.
 *
 * @example Usage
 * ```ts
 * import { SourceQueue } from "./source_queue.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new SourceQueue(2);
 * const { signal } = new AbortController();
 * {
 *   using _turn = await queue.enter("192.0.2.1", signal);
 *   assertEquals(queue.size, 1);
 * }
 * assertEquals(queue.size, 0);
 * ```
 */
export class SourceQueue {
  readonly #maxWaiting: number;
  /** Those that wait, for each source that has its turn. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Creates a queue in which so many of each source may wait. */
  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting;
  }

  /** Sources that have their turn. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Waits for a turn, which ends when it is disposed of.
   *
   * @throws {AuthenticationError} If too many wait.
   */
  async enter(source: string, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    const waiting = this.#waiting.get(source);
    if (waiting === undefined) this.#waiting.set(source, []);
    else if (waiting.length >= this.#maxWaiting) {
      throw new AuthenticationError(
        "too_many_tries",
        `${waiting.length} tries of the source wait already`,
        { retryAfterMs: 1000 },
      );
    } else {
      await new Promise<void>((resolve, reject) => {
        const start = (): void => {
          signal.removeEventListener("abort", leave);
          resolve();
        };
        const leave = (): void => {
          waiting.splice(waiting.indexOf(start), 1);
          reject(signal.reason);
        };
        signal.addEventListener("abort", leave, { once: true });
        waiting.push(start);
      });
    }
    return { [Symbol.dispose]: () => this.#leave(source) };
  }

  #leave(source: string): void {
    const next = this.#waiting.get(source)?.shift();
    if (next === undefined) this.#waiting.delete(source);
    else next();
  }
}
