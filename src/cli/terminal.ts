/**
 * The terminal of this process, read line by line.
 *
 * @module
 */

import type { Completion } from "./completion.ts";
import { KeyParser } from "./key_parser.ts";
import { LineEditor } from "./line_editor.ts";
import { type Output, screenSize } from "./output.ts";

/** Options of {@linkcode Terminal}. */
export interface TerminalOptions {
  /**
   * What stands before the line; may have colours.
   *
   * @default {"> "}
   */
  prompt?: string;
  /** Lines entered in earlier sessions, oldest first. */
  history?: readonly string[];
  /** Called by the Tab key with the text left of the cursor. */
  complete?: (beforeCursor: string) => Completion;
  /** Called with the line while it is typed: what may follow, shown dim. */
  hint?: (line: string) => string;
  /** Where lines are printed; redirected above the line being typed. */
  output: Output;
  /** Ends the reading of lines. */
  signal?: AbortSignal;
  /**
   * Called on Ctrl-C on an empty line: returns whether it stopped something;
   * otherwise the reading of lines ends.
   */
  interrupt?: () => boolean;
}

const BRACKETED_PASTE_ON = "\x1b[?2004h";
const BRACKETED_PASTE_OFF = "\x1b[?2004l";

/**
 * Lines typed by a person, with editing, history and completion, while other
 * lines are printed above them; or lines read from a pipe or file where
 * standard input or output is not a terminal. The terminal is in raw mode
 * until it is closed, and is restored however the process exits.
 *
 * @example
 * ```ts no-assert ignore
 * import { standardOutput } from "./output.ts";
 * import { Terminal } from "./terminal.ts";
 *
 * const output = standardOutput();
 * using terminal = new Terminal({ output, prompt: "> " });
 * for await (const line of terminal) {
 *   output.print(`You said ${line}`);
 * }
 * ```
 */
export class Terminal implements Disposable {
  /** Whether a person types at a terminal. */
  readonly interactive: boolean;
  readonly #output: Output;
  readonly #signal: AbortSignal | undefined;
  readonly #interrupt: () => boolean;
  readonly #editor: LineEditor;
  readonly #ended = Promise.withResolvers<null>();
  readonly #lines: string[] = [];
  #wake: (() => void) | undefined;
  #printed: string[] = [];
  #flushTimer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** Takes the terminal over and shows the prompt. */
  constructor(options: TerminalOptions) {
    this.#output = options.output;
    this.#signal = options.signal;
    this.#interrupt = options.interrupt ?? (() => false);
    this.interactive = this.#output.drawable && Deno.stdin.isTerminal();
    this.#editor = new LineEditor({ ...options, ...screenSize() });
    this.#signal?.addEventListener("abort", this.#end);
    if (this.#signal?.aborted) this.#end();
    if (this.interactive) this.#takeOver();
  }

  /** All lines entered, oldest first. */
  get history(): readonly string[] {
    return this.#editor.history;
  }

  /** Takes another prompt. */
  setPrompt(prompt: string): void {
    if (!this.interactive || this.#closed) return;
    this.#flush();
    this.#output.write(this.#editor.setPrompt(prompt));
  }

  /** The lines, until Ctrl-C, Ctrl-D, the end of the input or the signal. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    if (!this.interactive) {
      yield* this.#readPlain();
      return;
    }
    const reading = this.#readKeys();
    while (!this.#closed) {
      const line = this.#lines.shift();
      if (line !== undefined) {
        yield line;
        continue;
      }
      const woken = new Promise<void>((resolve) => this.#wake = resolve);
      const ended = await Promise.race([woken, reading, this.#ended.promise]);
      if (ended === null) break;
    }
  }

  /** Gives the terminal back; the line being typed is erased. */
  close(): void {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    this.#end();
    this.#signal?.removeEventListener("abort", this.#end);
    if (!this.interactive) return;
    this.#output.redirect(undefined);
    this.#output.write(this.#editor.erase() + BRACKETED_PASTE_OFF);
    Deno.removeSignalListener("SIGWINCH", this.#resize);
    removeEventListener("unload", this.#unload);
    Deno.stdin.setRaw(false);
  }

  /** The same as {@linkcode Terminal.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  readonly #end = (): void => this.#ended.resolve(null);
  readonly #unload = (): void => this.close();
  readonly #resize = (): void => {
    const { columns, rows } = screenSize();
    this.#output.write(this.#editor.resize(columns, rows));
  };

  #takeOver(): void {
    Deno.stdin.setRaw(true);
    addEventListener("unload", this.#unload);
    Deno.addSignalListener("SIGWINCH", this.#resize);
    this.#output.redirect((text) => this.#printAbove(text));
    this.#output.write(BRACKETED_PASTE_ON + this.#editor.draw());
  }

  /** Lines of one turn of the event loop are drawn at once. */
  #printAbove(text: string): void {
    this.#printed.push(text);
    this.#flushTimer ??= setTimeout(() => this.#flush());
  }

  #flush(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    if (this.#printed.length === 0) return;
    const text = this.#printed.join("\n");
    this.#printed = [];
    this.#output.write(this.#editor.printAbove(text));
  }

  /** Reads keys until the end; `null` then. */
  async #readKeys(): Promise<null> {
    const parser = new KeyParser();
    const buffer = new Uint8Array(4096);
    while (!this.#closed) {
      const count = await Promise.race([
        Deno.stdin.read(buffer),
        this.#ended.promise,
      ]);
      if (count === null || this.#closed) break;
      this.#flush();
      const keys = parser.feed(buffer.subarray(0, count));
      const { output, events } = this.#editor.feed(keys);
      if (output !== "") this.#output.write(output);
      for (const event of events) {
        if (event.type === "line") this.#lines.push(event.text);
        else if (event.type === "end" || !this.#interrupt()) return null;
      }
      this.#wake?.();
    }
    return null;
  }

  async *#readPlain(): AsyncGenerator<string, void, void> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(65536);
    let rest = "";
    while (true) {
      const count = await Promise.race([
        Deno.stdin.read(buffer),
        this.#ended.promise,
      ]);
      if (count === null) break;
      rest += decoder.decode(buffer.subarray(0, count), { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (this.#closed || this.#signal?.aborted) return;
        yield line.replace(/\r$/, "");
      }
    }
    if (rest !== "" && !this.#closed && !this.#signal?.aborted) yield rest;
  }
}
