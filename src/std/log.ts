/**
 * Logs: the names of `@std/log`, which left the standard library, over
 * LogTape, which does the work.
 *
 * A message is a template: `{name}` in it shows the property `name`. Text that
 * came from a peer belongs in a property, where control characters are escaped.
 *
 * @module
 */

import {
  ansiColorFormatter,
  configureSync,
  getConsoleSink,
  getLogger as getTape,
  getTextFormatter,
  jsonLinesFormatter as tapeJsonLines,
  type LogLevel as TapeLevel,
  withFilter,
} from "npm:@logtape/logtape@2.4.2";
import { getFileSink, getRotatingFileSink } from "npm:@logtape/file@2.3.10";

/** The levels, by rising weight. */
export const LogLevels = {
  NOTSET: 0,
  DEBUG: 10,
  INFO: 20,
  WARN: 30,
  ERROR: 40,
  CRITICAL: 50,
} as const;

/** The name of a level. */
export type LevelName = keyof typeof LogLevels;

/** The weight of a level. */
export type LogLevel = typeof LogLevels[LevelName];

/** Properties of a message, for its template and for structured output. */
export type Properties = Record<string, unknown>;

/** One message, as formatters and sinks get it. */
export interface LogRecord {
  /** The logger's name, split at its dots; empty for the default logger. */
  readonly category: readonly string[];
  /** The level, in LogTape's words. */
  readonly level: "trace" | "debug" | "info" | "warning" | "error" | "fatal";
  /** The message: texts and values by turns. */
  readonly message: readonly unknown[];
  /** The template. */
  readonly rawMessage: string | TemplateStringsArray;
  /** Time of the call, in milliseconds since 1970. */
  readonly timestamp: number;
  /** The properties. */
  readonly properties: Record<string, unknown>;
}

/** Makes the text of a record, line end included. */
export type Formatter = (record: LogRecord) => string;

/** Takes the records of a handler. */
export type Sink = (record: LogRecord) => void;

const TAPE_LEVELS: Record<LevelName, TapeLevel> = {
  NOTSET: "trace",
  DEBUG: "debug",
  INFO: "info",
  WARN: "warning",
  ERROR: "error",
  CRITICAL: "fatal",
};

const LEVEL_NAMES: Record<TapeLevel, LevelName> = {
  trace: "NOTSET",
  debug: "DEBUG",
  info: "INFO",
  warning: "WARN",
  error: "ERROR",
  fatal: "CRITICAL",
};

const DEFAULT_NAME = "default";

/** `2026-01-31T12:00:00.000Z WARN hub: Peer is slow`. */
const plainFormatter: Formatter = getTextFormatter({
  timestamp: "rfc3339",
  level: (level) => LEVEL_NAMES[level],
  category: (category) => category.join(".") || DEFAULT_NAME,
  format: ({ timestamp, level, category, message }) =>
    `${timestamp} ${level} ${category}: ${message}`,
});

/** One JSON object a line. */
export const jsonLinesFormatter: Formatter = tapeJsonLines;

/** Category of a logger's name; the default logger is the root of all. */
function category(name: string): string[] {
  return name === DEFAULT_NAME ? [] : name.split(".");
}

/** Options of every handler. */
export interface HandlerOptions {
  /** Makes the text; by default one line, with colours on a terminal. */
  formatter?: Formatter;
}

/** Where records of a level and above go. */
export abstract class BaseHandler {
  /** The lowest level that is handled. */
  readonly levelName: LevelName;

  /** Makes a handler for a level and above. */
  constructor(levelName: LevelName) {
    this.levelName = levelName;
  }

  /** Opens the output; {@linkcode setup} calls it once. */
  abstract open(): Sink;
}

/** Writes to standard error, so that standard output stays the program's. */
export class ConsoleHandler extends BaseHandler {
  readonly #formatter: Formatter;

  /** Makes a handler for a level and above. */
  constructor(levelName: LevelName, options: HandlerOptions = {}) {
    super(levelName);
    this.#formatter = options.formatter ??
      (Deno.stderr.isTerminal() && !Deno.noColor
        ? ansiColorFormatter
        : plainFormatter);
  }

  /** Opens the output; {@linkcode setup} calls it once. */
  override open(): Sink {
    return getConsoleSink({
      formatter: this.#formatter,
      levelMap: {
        trace: "error",
        debug: "error",
        info: "error",
        warning: "error",
        error: "error",
        fatal: "error",
      },
    });
  }
}

/** Options of {@linkcode FileHandler}. */
export interface FileHandlerOptions extends HandlerOptions {
  /** Path of the file, which is appended to. */
  filename: string;
}

/** Appends to a file, each record as it comes. */
export class FileHandler extends BaseHandler {
  readonly #options: FileHandlerOptions;

  /** Makes a handler for a level and above. */
  constructor(levelName: LevelName, options: FileHandlerOptions) {
    super(levelName);
    this.#options = options;
  }

  /** Opens the output; {@linkcode setup} calls it once. */
  override open(): Sink {
    const { filename, formatter = plainFormatter } = this.#options;
    return getFileSink(filename, { formatter, bufferSize: 0 });
  }
}

/** Options of {@linkcode RotatingFileHandler}. */
export interface RotatingFileHandlerOptions extends FileHandlerOptions {
  /** Size that no file exceeds, in bytes. */
  maxBytes: number;
  /** Old files kept, as `filename.1` (the newest) and so on. */
  maxBackupCount: number;
}

/** Appends to a file, and starts a new one before it grows too large. */
export class RotatingFileHandler extends BaseHandler {
  readonly #options: RotatingFileHandlerOptions;

  /** Makes a handler for a level and above. */
  constructor(levelName: LevelName, options: RotatingFileHandlerOptions) {
    super(levelName);
    this.#options = options;
  }

  /** Opens the output; {@linkcode setup} calls it once. */
  override open(): Sink {
    const { filename, formatter = plainFormatter } = this.#options;
    return getRotatingFileSink(filename, {
      formatter,
      maxSize: this.#options.maxBytes,
      maxFiles: this.#options.maxBackupCount,
      bufferSize: 0,
    });
  }
}

/** What {@linkcode setup} gives a logger. */
export interface LoggerConfig {
  /**
   * The lowest level that is logged.
   *
   * @default {"INFO"}
   */
  level?: LevelName;
  /** Names of handlers. */
  handlers?: readonly string[];
}

/** What {@linkcode setup} takes. */
export interface LogConfig {
  /** The handlers, by name. */
  handlers?: Readonly<Record<string, BaseHandler>>;
  /**
   * The loggers, by name. `default` serves every name that is not here, and
   * `a` serves `a.b`.
   */
  loggers?: Readonly<Record<string, LoggerConfig>>;
}

/**
 * Replaces the process's log configuration; the files of the former one are
 * closed. Until the first call nothing is logged.
 *
 * @throws {Error} If a logger names a handler that does not exist, or a file
 * cannot be opened.
 *
 * @example
 * ```ts
 * import { BaseHandler, getLogger, type LogRecord, setup } from "./log.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const lines: string[] = [];
 * class MemoryHandler extends BaseHandler {
 *   override open() {
 *     return ({ message }: LogRecord) => void lines.push(message.join(""));
 *   }
 * }
 * setup({
 *   handlers: { memory: new MemoryHandler("DEBUG") },
 *   loggers: { default: { level: "INFO", handlers: ["memory"] } },
 * });
 * getLogger("hub").info("{count} clients", { count: 2 });
 * getLogger("hub").debug("not shown");
 * assertEquals(lines, ["2 clients"]);
 * ```
 */
export function setup(config: LogConfig): void {
  const handlers = Object.entries(config.handlers ?? {});
  configureSync({
    reset: true,
    sinks: Object.fromEntries(
      handlers.map(([name, handler]) => [
        name,
        withFilter(handler.open(), TAPE_LEVELS[handler.levelName]),
      ]),
    ),
    loggers: [
      { category: ["logtape", "meta"], lowestLevel: "warning" },
      ...Object.entries(config.loggers ?? {}).map(([name, logger]) => ({
        category: category(name),
        sinks: [...logger.handlers ?? []],
        parentSinks: "override" as const,
        lowestLevel: TAPE_LEVELS[logger.level ?? "INFO"],
      })),
    ],
  });
}

/** Without properties a message is no template: braces in it, such as those of JSON, are text. */
function template(
  message: string,
  properties: Properties | undefined,
): string {
  return properties === undefined
    ? message.replaceAll(/[{}]/g, (brace) => brace + brace)
    : message;
}

/** Logs under one name. */
export class Logger {
  /** The name, as {@linkcode setup} knows it. */
  readonly loggerName: string;
  readonly #tape: ReturnType<typeof getTape>;

  /** Makes a logger of a name. */
  constructor(loggerName: string) {
    this.loggerName = loggerName;
    this.#tape = getTape(category(loggerName));
  }

  /** Logs what helps to find a fault. */
  debug(message: string, properties?: Properties): void {
    this.#tape.debug(template(message, properties), properties ?? {});
  }

  /** Logs what an operator wants to know. */
  info(message: string, properties?: Properties): void {
    this.#tape.info(template(message, properties), properties ?? {});
  }

  /** Logs what is wrong and was dealt with. */
  warn(message: string, properties?: Properties): void {
    this.#tape.warn(template(message, properties), properties ?? {});
  }

  /** Logs what failed. */
  error(message: string, properties?: Properties): void {
    this.#tape.error(template(message, properties), properties ?? {});
  }

  /** Logs what ends the program. */
  critical(message: string, properties?: Properties): void {
    this.#tape.fatal(template(message, properties), properties ?? {});
  }
}

/**
 * The logger of a name; dots make it part of another.
 *
 * @example
 * ```ts
 * import { getLogger } from "./log.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getLogger("hub.rooms").loggerName, "hub.rooms");
 * ```
 */
export function getLogger(name: string = DEFAULT_NAME): Logger {
  return new Logger(name);
}
