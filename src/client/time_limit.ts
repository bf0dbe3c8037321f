import { alarm, type Clock } from "../io/clock.ts";

/** Options of {@linkcode withTimeLimit}. */
export interface TimeLimitOptions<T> {
  /** Milliseconds that the work may take. */
  limitMs: number;
  /** Where the time comes from. */
  clock: Clock;
  /** Shown in the error: `check a resource`. */
  action: string;
  /** Takes what the work brings when nobody waits for it any longer. */
  late?: (result: T) => void;
}

/** Does `work`; when its time is up, aborts its signal and rejects with `Deno.errors.TimedOut`. */
export function withTimeLimit<T>(
  work: (signal: AbortSignal) => T | Promise<T>,
  options: TimeLimitOptions<T>,
): Promise<T> {
  const { limitMs, clock, action, late } = options;
  const controller = new AbortController();
  return new Promise((resolve, reject) => {
    const timer = alarm(clock, limitMs, () => {
      const reason = `Cannot ${action}: it took more than ${limitMs} ms`;
      const error = new Deno.errors.TimedOut(reason);
      reject(error);
      controller.abort(error);
    });
    Promise.try(work, controller.signal).then((result) => {
      clock.cancel(timer);
      if (controller.signal.aborted) late?.(result);
      else resolve(result);
    }, (error) => {
      clock.cancel(timer);
      reject(error);
    });
  });
}
