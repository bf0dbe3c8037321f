/**
 * A line editor without a terminal: keys in, screen output and entered lines
 * out. A driver writes the output and reads the keys.
 *
 * @module
 */

import { commonPrefix, type Completion, listInColumns } from "./completion.ts";
import { History, HistorySearch } from "./history.ts";
import type { Key } from "./key_parser.ts";
import { EDITING_KEYS, LineBuffer } from "./line_buffer.ts";
import { layoutLine, visibleCell } from "./line_layout.ts";
import { displayWidth, truncate } from "./text.ts";

/** Options of {@linkcode LineEditor}. */
export interface LineEditorOptions {
  /**
   * What stands before the line; may have colours, must fit half a row.
   *
   * @default {"> "}
   */
  prompt?: string;
  /**
   * Columns of the screen.
   *
   * @default {80}
   */
  columns?: number;
  /**
   * Rows of the screen.
   *
   * @default {24}
   */
  rows?: number;
  /** Lines entered in earlier sessions, oldest first. */
  history?: readonly string[];
  /** Called by the Tab key with the text left of the cursor. */
  complete?: (beforeCursor: string) => Completion;
  /** Called with the line while it is typed: what may follow, shown dim. */
  hint?: (line: string) => string;
}

/** What the user did that concerns the program. */
export type LineEditorEvent =
  /** A line was entered. */
  | { type: "line"; text: string }
  /** Ctrl-C on an empty line; on others it clears the line. */
  | { type: "interrupt" }
  /** Ctrl-D on an empty line. */
  | { type: "end" };

/** What {@linkcode LineEditor.feed} returns. */
export interface LineEditorResult {
  /** What to write to the terminal. */
  output: string;
  /** What the user did, in order. */
  events: LineEditorEvent[];
}

const ERASE_ROW = "\x1b[K";
const ERASE_BELOW = "\x1b[J";
const DOWN = "\x1b[B";
const CLEAR_SCREEN = "\x1b[H\x1b[2J";
const DIM = "\x1b[2m";
const DIM_OFF = "\x1b[22m";
const NARROW_PROMPT = "> ";
const PRINTABLE_ASCII_REGEXP = /^[ -~]+$/;

/**
 * A line with a prompt at the bottom of a screen, over as many rows as it
 * needs, with history, search, completion, and messages that appear above it.
 *
 * @example
 * ```ts
 * import { KeyParser } from "./key_parser.ts";
 * import { LineEditor } from "./line_editor.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const parser = new KeyParser();
 * const editor = new LineEditor({ prompt: "> " });
 * const typed = parser.feed(new TextEncoder().encode("ahoy\r"));
 * assertEquals(editor.feed(typed).events, [{ type: "line", text: "ahoy" }]);
 * ```
 */
export class LineEditor {
  readonly #line = new LineBuffer();
  readonly #history: History;
  readonly #complete: ((beforeCursor: string) => Completion) | undefined;
  readonly #hint: (line: string) => string;
  #prompt: string;
  #columns: number;
  #rows: number;
  /** Row of the terminal's cursor below the first row that is drawn. */
  #cursorRow = 0;
  #drawnRows = 1;
  /** Whether a space was drawn to take the cursor off a full row. */
  #wrapDrawn = false;
  #shownHint = "";
  #search: HistorySearch | undefined;

  /** Creates an editor with an empty line; nothing is drawn yet. */
  constructor(options: LineEditorOptions = {}) {
    this.#prompt = options.prompt ?? "> ";
    this.#columns = options.columns ?? 80;
    this.#rows = options.rows ?? 24;
    this.#history = new History(options.history);
    this.#complete = options.complete;
    this.#hint = options.hint ?? (() => "");
  }

  /** The line being typed. */
  get text(): string {
    return this.#line.text;
  }

  /** All lines entered, oldest first. */
  get history(): readonly string[] {
    return this.#history.entries;
  }

  /** Reads keys; returns what to write and what the user did. */
  feed(keys: readonly Key[]): LineEditorResult {
    const result: LineEditorResult = { output: "", events: [] };
    for (const key of keys) {
      if (this.#search) this.#feedSearch(this.#search, key, result);
      else this.#feedKey(key, result);
    }
    return result;
  }

  /** Draws the prompt and the line where the cursor is. */
  draw(): string {
    const prompt = this.#shownPrompt();
    const cells = this.#line.characters.map(visibleCell);
    const positions = layoutLine(cells, displayWidth(prompt), this.#columns);
    const end = positions.at(-1)!;
    const cursor = positions[this.#line.cursor]!;
    const top = Math.min(
      Math.max(0, end.row - this.#rows + 1),
      cursor.row,
    );
    const bottom = Math.min(end.row, top + this.#rows - 1);
    let output = top === 0 ? prompt : "";
    for (const [index, cell] of cells.entries()) {
      const { row } = positions[index]!;
      if (row >= top && row <= bottom) output += cell;
    }
    // A full row leaves the cursor on it: a space makes the terminal wrap.
    this.#wrapDrawn = end.row === bottom && end.row > 0 && end.column === 0;
    if (this.#wrapDrawn) output += " \r";
    this.#shownHint = this.#hintThatFits(end.column);
    if (this.#shownHint !== "") output += DIM + this.#shownHint + DIM_OFF;
    this.#cursorRow = cursor.row - top;
    this.#drawnRows = bottom - top + 1;
    return output + up(bottom - cursor.row) + "\r" + right(cursor.column);
  }

  /** Erases prompt and line; the cursor is left where they began. */
  erase(): string {
    // A screen erased from its corner at once goes to the scrollback of tmux.
    const erased = this.#drawnRows > 1
      ? ERASE_ROW + DOWN + ERASE_BELOW + up(1)
      : ERASE_ROW + ERASE_BELOW;
    const output = up(this.#cursorRow) + "\r" + erased;
    this.#cursorRow = 0;
    this.#drawnRows = 1;
    return output;
  }

  /** Shows `text`, which may have several lines, above the line being typed. */
  printAbove(text: string): string {
    return this.erase() + text.replaceAll("\n", "\r\n") + "\r\n" + this.draw();
  }

  /** Takes another prompt. */
  setPrompt(prompt: string): string {
    const erased = this.erase();
    this.#prompt = prompt;
    return erased + this.draw();
  }

  /** Takes the new size of a screen that wrapped its lines anew. */
  resize(columns: number, rows: number): string {
    this.#columns = Math.max(2, columns);
    this.#rows = Math.max(1, rows);
    const cells = this.#line.characters.map(visibleCell);
    const promptWidth = displayWidth(this.#shownPrompt());
    const positions = layoutLine(cells, promptWidth, this.#columns);
    const cursor = positions[this.#line.cursor]!;
    const end = positions.at(-1)!;
    // Nothing stands after a full row that could have made it wrap.
    const endStays = end.row > 0 && end.column === 0 && !this.#wrapDrawn;
    const lastRow = Math.min(endStays ? end.row - 1 : end.row, this.#rows - 1);
    this.#cursorRow = Math.min(cursor.row, lastRow);
    this.#drawnRows = lastRow + 1;
    return this.erase() + this.draw();
  }

  #feedKey(key: Key, result: LineEditorResult): void {
    switch (key.name) {
      case "text":
      case "paste":
        result.output += this.#insert(key.text);
        return;
      case "enter":
        this.#enter(result);
        return;
      case "tab":
        result.output += this.#completeWord();
        return;
      case "up":
      case "ctrl-p":
        result.output += this.#recall(this.#history.previous(this.text));
        return;
      case "down":
      case "ctrl-n":
        result.output += this.#recall(this.#history.next());
        return;
      case "ctrl-r":
        this.#search = new HistorySearch(this.history, this.text);
        result.output += this.#redraw();
        return;
      case "ctrl-c":
        this.#interrupt(result);
        return;
      case "ctrl-d":
        if (this.text === "") result.events.push({ type: "end" });
        else result.output += this.#edit("delete");
        return;
      case "ctrl-l":
        result.output += CLEAR_SCREEN + this.draw();
        return;
      default:
        result.output += this.#edit(key.name);
    }
  }

  #edit(name: string): string {
    const command = EDITING_KEYS[name];
    if (command === undefined) return "";
    command(this.#line);
    return this.#redraw();
  }

  #insert(text: string): string {
    const append = this.#line.atEnd && this.#shownHint === "" &&
      this.#cursorRow === 0 && PRINTABLE_ASCII_REGEXP.test(text);
    this.#line.insert(text);
    // Most of typing is this: the terminal needs only the new characters.
    if (append && this.#hint(this.text) === "") {
      const width = displayWidth(this.#shownPrompt()) +
        displayWidth(this.text);
      if (width < this.#columns) return text;
    }
    return this.#redraw();
  }

  #enter(result: LineEditorResult): void {
    const text = this.text;
    this.#history.add(text);
    result.output += this.#leave("");
    result.events.push({ type: "line", text });
  }

  #interrupt(result: LineEditorResult): void {
    if (this.text === "") {
      result.events.push({ type: "interrupt" });
      return;
    }
    this.#history.add("");
    result.output += this.#leave("^C");
  }

  /** Leaves the line on the screen as it is and starts an empty one. */
  #leave(ending: string): string {
    const cells = this.#line.characters.map(visibleCell);
    const left = this.erase() + this.#shownPrompt() + cells.join("") + ending;
    this.#line.set("");
    return left + "\r\n" + this.draw();
  }

  #recall(line: string | undefined): string {
    if (line === undefined) return "";
    this.#line.set(line);
    return this.#redraw();
  }

  #completeWord(): string {
    const typed = this.#line.beforeCursor;
    const { from, candidates } = this.#complete?.(typed) ??
      { from: 0, candidates: [] };
    if (candidates.length === 0) return "";
    const common = commonPrefix(candidates);
    if (candidates.length === 1 || common.length > typed.length - from) {
      const rest = this.#line.characters.slice(this.#line.cursor).join("");
      const completed = typed.slice(0, from) + common;
      this.#line.set(completed);
      const { cursor } = this.#line;
      this.#line.set(completed + rest);
      this.#line.moveTo(cursor);
      return this.#redraw();
    }
    const shown = candidates.map((candidate) => candidate.trimEnd());
    return this.printAbove(listInColumns(shown, this.#columns));
  }

  #feedSearch(
    search: HistorySearch,
    key: Key,
    result: LineEditorResult,
  ): void {
    let found: string | undefined;
    switch (key.name) {
      case "text":
        found = search.find(search.query + key.text);
        break;
      case "backspace":
        found = search.find(search.query.slice(0, -1));
        break;
      case "ctrl-r":
        found = search.older();
        break;
      case "ctrl-g":
      case "ctrl-c":
      case "escape":
        this.#search = undefined;
        found = search.draft;
        break;
      default:
        this.#search = undefined;
        result.output += this.#redraw();
        this.#feedKey(key, result);
        return;
    }
    if (found !== undefined) this.#line.set(found);
    result.output += this.#redraw();
  }

  #shownPrompt(): string {
    const prompt = this.#search
      ? `history "${this.#search.query}": `
      : this.#prompt;
    return displayWidth(prompt) * 2 <= this.#columns ? prompt : NARROW_PROMPT;
  }

  #hintThatFits(column: number): string {
    if (this.#search || !this.#line.atEnd) return "";
    return truncate(this.#hint(this.text), this.#columns - column - 1);
  }

  #redraw(): string {
    return this.erase() + this.draw();
  }
}

function up(rows: number): string {
  return rows > 0 ? `\x1b[${rows}A` : "";
}

function right(columns: number): string {
  return columns > 0 ? `\x1b[${columns}C` : "";
}
