/**
 * The log of a command that serves.
 *
 * @module
 */

import type { ServerObserver } from "../observe/events.ts";
import { logEvents } from "../observe/log_events.ts";
import { ConsoleHandler, getLogger, setup } from "../std/log.ts";

const LEVELS = {
  debug: "DEBUG",
  info: "INFO",
  warn: "WARN",
  error: "ERROR",
} as const;

/** The option that says how much is logged. */
export const LOG_FLAGS = {
  logLevel: {
    type: "string",
    choices: ["debug", "info", "warn", "error"],
    default: "info",
    help: "What to log to the standard error",
  },
} as const;

/** Logs what a server tells to the standard error, from `level` on. */
export function logServer(name: string, level: string): ServerObserver {
  const levelName = LEVELS[level as keyof typeof LEVELS];
  setup({
    handlers: { console: new ConsoleHandler(levelName) },
    loggers: { [name]: { level: levelName, handlers: ["console"] } },
  });
  return logEvents(getLogger(name));
}
