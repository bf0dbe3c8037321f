import type { Timer } from "../proto/timer_wheel.ts";
import { alarm, type Clock, systemClock } from "../io/clock.ts";
import type { ServerObserver } from "./events.ts";
import { logLine } from "./log_line.ts";
import { Repetition } from "./repetition.ts";

/**
 * Where {@linkcode logEvents} writes. In `message`, `{name}` stands for the property `name`, and what peers said is
 * always such a property. Those of `@std/log` are such loggers, and so is `console`.
 */
export interface EventLogger {
  /** What helps to find a fault. */
  debug(message: string, properties?: Record<string, unknown>): unknown;
  /** What an operator wants to know. */
  info(message: string, properties?: Record<string, unknown>): unknown;
  /** What is wrong and was dealt with. */
  warn(message: string, properties?: Record<string, unknown>): unknown;
  /** What failed. */
  error(message: string, properties?: Record<string, unknown>): unknown;
}

/** Options of {@linkcode logEvents}. */
export interface LogEventsOptions {
  /** Milliseconds in which what repeats is counted into one line. @default {10_000} */
  periodMs?: number;
  /** Where the time comes from. @default {systemClock} */
  clock?: Clock;
}

/**
 * An observer that logs what happens, once: of each kind of event the first few are a line each, and then one line a
 * period says how many more there were, so that a flood of connections cannot flood the log. Connections that come and
 * go are logged for `debug`, what bounds peers for `info` and `warn`, what failed for `error`.
 *
 * @example Usage
 * ```ts
 * import { logEvents } from "./log_events.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const warnings: string[] = [];
 * const observe = logEvents({
 *   ...console,
 *   warn: (message) => warnings.push(message),
 * });
 * const endpoint = "tcp://127.0.0.1:9999";
 * const address = "127.0.0.1:4242";
 * observe({ type: "refused", endpoint, address, limit: "maxConnections" });
 * assertEquals(warnings, [
 *   "Refused 127.0.0.1:4242 at tcp://127.0.0.1:9999: maxConnections",
 * ]);
 * ```
 */
export function logEvents(
  logger: EventLogger,
  options: LogEventsOptions = {},
): ServerObserver {
  const { periodMs = 10_000, clock = systemClock } = options;
  const repetition = new Repetition();
  let period: Timer | undefined;

  function endPeriod(): void {
    const nowMs = clock.now();
    for (const { line, count, sinceMs } of repetition.period(nowMs)) {
      const { level, plural } = line;
      const seconds = Math.ceil((nowMs - sinceMs) / 1000);
      logger[level](
        `${plural}: ${count.toLocaleString("en")} more in ${seconds} s`,
      );
    }
  }

  function awaitPeriod(): void {
    if (period !== undefined || !repetition.active) return;
    period = alarm(clock, periodMs, () => {
      period = undefined;
      endPeriod();
      awaitPeriod();
    });
  }

  return (event) => {
    const line = logLine(event);
    if (repetition.tell(line, clock.now())) {
      const { level, text, detail } = line;
      if (detail === undefined) logger[level](text);
      else logger[level](text, { detail });
    }
    if (event.type !== "stopped") return awaitPeriod();
    endPeriod();
    if (period !== undefined) clock.cancel(period);
    period = undefined;
  };
}
