/**
 * Where a command prints: text for a person, or lines of JSON for a program.
 *
 * @module
 */

import { createStyle, type Style } from "./style.ts";

/** Options of {@linkcode Output}. */
export interface OutputOptions {
  /** Takes what goes to the standard output. */
  write: (text: string) => void;
  /**
   * Takes what goes to the standard error.
   *
   * @default {write}
   */
  writeError?: (text: string) => void;
  /**
   * Whether records are printed in place of text.
   *
   * @default {false}
   */
  json?: boolean;
  /**
   * Whether a person looks at a terminal.
   *
   * @default {false}
   */
  terminal?: boolean;
  /**
   * Whether there are colours.
   *
   * @default {false}
   */
  color?: boolean;
  /**
   * Whether more than ASCII can be shown.
   *
   * @default {true}
   */
  unicode?: boolean;
  /** Tells how many columns there are; 80 when left out. */
  columns?: () => number;
}

/**
 * What a command prints to. The same command serves a person and a program:
 * {@linkcode Output.print} takes both forms of a result, and `--json` chooses.
 *
 * @example
 * ```ts
 * import { Output } from "./output.ts";
 * import { assertEquals } from "@std/assert";
 *
 * let printed = "";
 * const output = new Output({ json: true, write: (text) => printed += text });
 * output.print("pong after 0.3 ms", { type: "pong", roundTripMs: 0.3 });
 * assertEquals(printed, '{"type":"pong","roundTripMs":0.3}\n');
 * ```
 */
export class Output {
  /** Whether records are printed in place of text. */
  readonly json: boolean;
  /** Whether a person looks at a terminal. */
  readonly terminal: boolean;
  /** Whether more than ASCII can be shown. */
  readonly unicode: boolean;
  /** The colours to use; none where colours are not wanted. */
  readonly style: Style;
  readonly #write: (text: string) => void;
  readonly #writeError: (text: string) => void;
  readonly #columns: () => number;
  #printer: ((text: string) => void) | undefined;

  /** Creates an output; see {@linkcode standardOutput} for the process's. */
  constructor(options: OutputOptions) {
    this.json = options.json ?? false;
    this.terminal = options.terminal ?? false;
    this.unicode = options.unicode ?? true;
    this.style = createStyle(!this.json && (options.color ?? false));
    this.#write = options.write;
    this.#writeError = options.writeError ?? options.write;
    this.#columns = options.columns ?? (() => 80);
  }

  /** Columns there are at this moment. */
  get columns(): number {
    return this.#columns();
  }

  /**
   * Prints a line, or with `--json` the record, if there is one. Text of
   * strangers must have been through {@linkcode sanitize}.
   */
  print(text: string, record?: object): void {
    if (!this.json) this.#line(text);
    else if (record !== undefined) this.#line(JSON.stringify(record));
  }

  /** Prints a line to the standard error. */
  error(text: string): void {
    if (this.#printer) this.#printer(this.style.red(text));
    else this.#writeError(`${text}\n`);
  }

  /** Writes text as it is, such as a bar that is drawn over again. */
  write(text: string): void {
    this.#write(text);
  }

  /**
   * Hands all lines to `printer` instead, such as a {@linkcode Terminal} that
   * shows them above the line being typed; `undefined` ends that.
   */
  redirect(printer: ((text: string) => void) | undefined): void {
    this.#printer = printer;
  }

  /** Whether something may be drawn over again in place. */
  get drawable(): boolean {
    return this.terminal && !this.json && this.#printer === undefined;
  }

  #line(text: string): void {
    if (this.#printer) this.#printer(text);
    else this.#write(`${text}\n`);
  }
}

/** The reader of the standard output went away, as `head` does. */
export class OutputClosedError extends Error {
  /** The name that stack traces show. */
  override readonly name = "OutputClosedError";
}

/**
 * The output of this process. Colours need a terminal and no `NO_COLOR`; more
 * than ASCII needs a locale that does not say otherwise, as far as the
 * environment may be read.
 *
 * @example
 * ```ts
 * import { standardOutput } from "./output.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(standardOutput({ json: true }).json, true);
 * ```
 */
export function standardOutput(options: { json?: boolean } = {}): Output {
  const terminal = Deno.stdout.isTerminal() &&
    readVariable("TERM") !== "dumb";
  const locale = readVariable("LC_ALL") ?? readVariable("LC_CTYPE") ??
    readVariable("LANG") ?? "";
  return new Output({
    json: options.json ?? false,
    terminal,
    color: terminal && !Deno.noColor,
    unicode: !/^(C|POSIX)$|\.(?!utf-?8)/i.test(locale),
    columns: () => screenSize().columns,
    write: (text) => writeAll(Deno.stdout, text),
    writeError: (text) => writeAll(Deno.stderr, text),
  });
}

/**
 * The value of an environment variable; `undefined` where it is not set, is
 * empty, or may not be read. Never asks for permission.
 *
 * @example
 * ```ts
 * import { readVariable } from "./output.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(readVariable("PORTOLAN_NO_SUCH_VARIABLE"), undefined);
 * ```
 */
export function readVariable(variable: string): string | undefined {
  const descriptor = { name: "env", variable } as const;
  if (Deno.permissions.querySync(descriptor).state !== "granted") return;
  return Deno.env.get(variable) || undefined;
}

/**
 * The size of the terminal, 80 by 24 where there is none.
 *
 * @example
 * ```ts
 * import { screenSize } from "./output.ts";
 * import { assertGreater } from "@std/assert";
 *
 * assertGreater(screenSize().columns, 0);
 * ```
 */
export function screenSize(): { columns: number; rows: number } {
  try {
    const { columns, rows } = Deno.consoleSize();
    return { columns: columns || 80, rows: rows || 24 };
  } catch {
    return { columns: 80, rows: 24 };
  }
}

const encoder = new TextEncoder();

function writeAll(
  to: { writeSync(bytes: Uint8Array): number },
  text: string,
): void {
  let bytes = encoder.encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(to.writeSync(bytes));
  } catch (cause) {
    if (!(cause instanceof Deno.errors.BrokenPipe)) throw cause;
    throw new OutputClosedError("Cannot print: nobody reads", { cause });
  }
}
