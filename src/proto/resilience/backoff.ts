/** What a {@linkcode DelayFunction} may go by. */
export interface DelayContext {
  /** Attempts that have failed so far, the first one included. */
  readonly attempts: number;
  /** Milliseconds since the first attempt began. */
  readonly elapsedMs: number;
  /** The delay before the latest attempt; `minMs` before there was one. */
  readonly previousMs: number;
  /** A source of numbers in [0, 1). */
  readonly random: () => number;
}

/** Milliseconds to wait before the next attempt; undefined to stop. */
export type DelayFunction = (context: DelayContext) => number | undefined;

/** Options of {@linkcode Backoff}. */
export interface BackoffOptions {
  /** The shortest delay, in milliseconds. @default {100} */
  minMs?: number;
  /** The longest delay, in milliseconds. @default {20_000} */
  maxMs?: number;
  /** Attempts in all, the first one included. @default {Infinity} */
  maxAttempts?: number;
  /** No attempt begins later than this after the first one, in milliseconds. @default {Infinity} */
  maxElapsedMs?: number;
  /** Computes delays in place of decorrelated jitter; `minMs` and `maxMs` still bound them. */
  delay?: DelayFunction;
}

/**
 * A delay drawn evenly from `minMs` to three times the previous one, or to `maxMs` if that is less: decorrelated jitter
 * as in "Exponential Backoff And Jitter" (M. Brooker, AWS Architecture Blog, 2015). The article caps what was drawn; the
 * range is capped here, because in the long run a quarter of all delays would otherwise be exactly `maxMs`.
 *
 * @example Usage
 * ```ts
 * import { decorrelatedJitter } from "./backoff.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const random = () => 0.5;
 * assertEquals(decorrelatedJitter({ minMs: 100, maxMs: 1000 }, 100, random), 200);
 * assertEquals(decorrelatedJitter({ minMs: 100, maxMs: 1000 }, 900, random), 550);
 * ```
 */
export function decorrelatedJitter(
  bounds: { readonly minMs: number; readonly maxMs: number },
  previousMs: number,
  random: () => number,
): number {
  const { minMs, maxMs } = bounds;
  const most = Math.max(minMs, Math.min(maxMs, previousMs * 3));
  return minMs + random() * (most - minMs);
}

/**
 * Says how long to wait after a failed attempt, and when to stop. Pure: time and chance come from the caller.
 *
 * @example Usage
 * ```ts
 * import { Backoff } from "./backoff.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const backoff = new Backoff({ maxAttempts: 3 }, () => 0.5, 0);
 * assertEquals(backoff.next(10), 200);
 * assertEquals(backoff.next(220), 350);
 * assertEquals(backoff.next(580), undefined);
 * ```
 */
export class Backoff {
  readonly #options: Required<Omit<BackoffOptions, "delay">>;
  readonly #delay: DelayFunction;
  readonly #random: () => number;
  #attempts = 0;
  #previousMs: number;
  #startMs: number;

  /** Starts with the first attempt, which begins at `nowMs`. */
  constructor(options: BackoffOptions, random: () => number, nowMs: number) {
    const {
      minMs = 100,
      maxMs = 20_000,
      maxAttempts = Infinity,
      maxElapsedMs = Infinity,
    } = options;
    if (!(minMs >= 0 && minMs <= maxMs)) {
      throw new RangeError(
        `Cannot back off: 'minMs' must be between 0 and 'maxMs', which is ${maxMs}: current value is ${minMs}`,
      );
    }
    this.#options = { minMs, maxMs, maxAttempts, maxElapsedMs };
    this.#delay = options.delay ??
      ((context) =>
        decorrelatedJitter(this.#options, context.previousMs, random));
    this.#random = random;
    this.#previousMs = minMs;
    this.#startMs = nowMs;
  }

  /** Attempts that have failed since the start. */
  get attempts(): number {
    return this.#attempts;
  }

  /**
   * An attempt has failed: how many milliseconds to wait before the next one; undefined to stop.
   *
   * @param atLeastMs What the server asked for ("come back in N ms"); the delay is then counted from its end, so that those
   * who were told the same do not come back together.
   */
  next(nowMs: number, atLeastMs = 0): number | undefined {
    const { minMs, maxMs, maxAttempts, maxElapsedMs } = this.#options;
    this.#attempts++;
    if (this.#attempts >= maxAttempts) return undefined;
    const elapsedMs = nowMs - this.#startMs;
    const delayMs = this.#delay({
      attempts: this.#attempts,
      elapsedMs,
      previousMs: this.#previousMs,
      random: this.#random,
    });
    if (delayMs === undefined) return undefined;
    // Written so that NaN, from a function of the user's, becomes the least delay and not an endless loop of attempts.
    this.#previousMs = delayMs >= minMs ? Math.min(delayMs, maxMs) : minMs;
    const waitMs = atLeastMs + this.#previousMs;
    return elapsedMs + waitMs <= maxElapsedMs ? waitMs : undefined;
  }

  /** An attempt has succeeded: starts anew, as at `nowMs`. */
  reset(nowMs: number): void {
    this.#attempts = 0;
    this.#previousMs = this.#options.minMs;
    this.#startMs = nowMs;
  }
}
