import { alarm, type Clock } from "../io/clock.ts";

/** Options of {@linkcode withTimeLimit}. */
export interface TimeLimitOptions {
  /** Milliseconds that the work may take. */
  limitMs: number;
  /** Makes the error for work that takes longer. */
  late: () => Error;
  /** Where the time comes from. */
  clock: Clock;
}

/** Does `work`, whose signal is aborted when its time is up; it is then waited for no longer. */
export function withTimeLimit<T>(
  work: (signal: AbortSignal) => T | Promise<T>,
  options: TimeLimitOptions,
): Promise<T> {
  const { limitMs, late, clock } = options;
  const controller = new AbortController();
  return new Promise((resolve, reject) => {
    const timer = alarm(clock, limitMs, () => {
      const error = late();
      reject(error);
      controller.abort(error);
    });
    Promise.try(work, controller.signal).then(resolve, reject)
      .finally(() => clock.cancel(timer));
  });
}
