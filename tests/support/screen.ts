/**
 * A terminal in memory: enough of ECMA-48 to see what a user sees. It wraps
 * as xterm does (a full row keeps the cursor until the next character comes)
 * and re-wraps its lines on resize as tmux does.
 *
 * @module
 */

import { displayWidth, graphemes } from "../../src/cli/text.ts";

interface Row {
  /** One entry per column; the second half of a wide character is "". */
  cells: string[];
  /** Whether the next row goes on with the same line. */
  wrapped: boolean;
}

/** A screen of `columns` by `rows`, with everything that scrolled off above. */
export class Screen {
  columns: number;
  rows: number;
  #lines: Row[] = [newRow()];
  /** Index of the screen's first row in `#lines`. */
  #top = 0;
  #row = 0;
  #column = 0;

  constructor(columns = 80, rows = 24) {
    this.columns = columns;
    this.rows = rows;
  }

  /** Where the cursor is, counted from the screen's corner. */
  get cursor(): { row: number; column: number } {
    return {
      row: this.#row - this.#top,
      column: Math.min(this.#column, this.columns - 1),
    };
  }

  /** Whether the next character goes to the next row. */
  get pendingWrap(): boolean {
    return this.#column === this.columns;
  }

  /** Rows on the screen, without blanks at their ends. */
  get visible(): string[] {
    return this.#text(this.#lines.slice(this.#top));
  }

  /** All rows since the start, without empty ones at the end. */
  get everything(): string[] {
    return this.#text(this.#lines);
  }

  write(output: string): void {
    const tokens = output.match(
      // deno-lint-ignore no-control-regex
      /\x1b\[[0-?]*[ -/]*[@-~]|[\r\n\x07]|[^\x1b\r\n\x07]+|./gsu,
    ) ?? [];
    for (const token of tokens) this.#handle(token);
  }

  /** Changes the size; lines that were wrapped are wrapped anew. */
  resize(columns: number, rows: number): void {
    const cursorLine = this.#row;
    const lines = this.#lines;
    const column = this.#column;
    this.columns = columns;
    this.rows = rows;
    this.#lines = [];
    for (let index = 0; index < lines.length; index++) {
      const cells: string[] = [];
      let cursorAt = -1;
      for (;; index++) {
        if (index === cursorLine) cursorAt = cells.length + column;
        cells.push(...lines[index]!.cells);
        if (!lines[index]!.wrapped) break;
      }
      while (cells.length < cursorAt) cells.push(" ");
      this.#rewrap(cells, cursorAt);
    }
    this.#top = Math.max(0, this.#lines.length - this.rows);
  }

  #rewrap(cells: string[], cursorAt: number): void {
    let row = newRow();
    this.#lines.push(row);
    for (const [index, cell] of cells.entries()) {
      const width = cells[index + 1] === "" ? 2 : 1;
      if (cell !== "" && row.cells.length + width > this.columns) {
        row.wrapped = true;
        row = newRow();
        this.#lines.push(row);
      }
      if (index === cursorAt) this.#place(row.cells.length);
      row.cells.push(cell);
    }
    if (cursorAt >= cells.length) this.#place(row.cells.length);
  }

  #place(column: number): void {
    this.#row = this.#lines.length - 1;
    this.#column = column;
  }

  #handle(token: string): void {
    if (token === "\r") this.#column = 0;
    else if (token === "\n") this.#lineFeed();
    else if (token === "\x07") return;
    else if (token.startsWith("\x1b[")) this.#control(token);
    else if (token < " " || token === "\x7f" || token.startsWith("\x1b")) {
      throw new Error(`Cannot show ${JSON.stringify(token)}`);
    } else for (const character of graphemes(token)) this.#put(character);
  }

  #put(character: string): void {
    const width = displayWidth(character);
    if (width === 0) {
      const { cells } = this.#lines[this.#row]!;
      if (this.#column > 0) cells[this.#column - 1] += character;
      return;
    }
    if (this.#column + width > this.columns) {
      this.#lines[this.#row]!.wrapped = true;
      this.#lineFeed();
      this.#column = 0;
    }
    const { cells } = this.#lines[this.#row]!;
    while (cells.length < this.#column) cells.push(" ");
    cells[this.#column] = character;
    if (width === 2) cells[this.#column + 1] = "";
    this.#column += width;
  }

  #lineFeed(): void {
    this.#row++;
    if (this.#row === this.#lines.length) this.#lines.push(newRow());
    this.#top = Math.max(this.#top, this.#row - this.rows + 1);
  }

  #control(sequence: string): void {
    const final = sequence.at(-1);
    const count = Number(sequence.slice(2, -1)) || 1;
    const column = Math.min(this.#column, this.columns - 1);
    if (final === "A") {
      this.#row = Math.max(this.#top, this.#row - count);
      this.#column = column;
    } else if (final === "B") {
      const bottom = Math.min(this.#top + this.rows, this.#lines.length) - 1;
      this.#row = Math.min(bottom, this.#row + count);
      this.#column = column;
    } else if (final === "C") {
      this.#column = Math.min(this.columns - 1, column + count);
    } else if (final === "H") {
      this.#row = this.#top;
      this.#column = 0;
    } else if (final === "K") {
      this.#eraseRow();
    } else if (sequence === "\x1b[2J") {
      // What is cleared goes up, as in tmux and most others.
      this.#top = this.#row = this.#lines.length;
      this.#lines.push(newRow());
    } else if (final === "J") {
      this.#eraseRow();
      this.#lines.length = this.#row + 1;
    } else if (final !== "m" && final !== "h" && final !== "l") {
      throw new Error(`Cannot show ${JSON.stringify(sequence)}`);
    }
  }

  #eraseRow(): void {
    const row = this.#lines[this.#row]!;
    row.cells.length = Math.min(row.cells.length, this.#column);
    row.wrapped = false;
  }

  #text(rows: Row[]): string[] {
    const texts = rows.map((row) => row.cells.join("").trimEnd());
    while (texts.at(-1) === "") texts.pop();
    return texts;
  }
}

function newRow(): Row {
  return { cells: [], wrapped: false };
}
