/**
 * The line being typed: its characters, the cursor, and the changes that keys
 * make to them.
 *
 * @module
 */

import { graphemes } from "./text.ts";

const WORD_REGEXP = /[\p{L}\p{N}_]/u;
const NOT_SPACE_REGEXP = /\S/;

/** More is cut off, so that a paste by mistake stays cheap to draw. */
const MAX_CHARACTERS = 1 << 16;

/**
 * A line of text with a cursor between its characters. A character is what a
 * reader calls one: an accent stays with its letter.
 *
 * @example
 * ```ts
 * import { LineBuffer } from "./line_buffer.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const line = new LineBuffer();
 * line.insert("ahoy there");
 * line.kill(line.wordStart());
 * line.insert("ship");
 * assertEquals(line.text, "ahoy ship");
 * ```
 */
export class LineBuffer {
  /** The characters. */
  characters: string[] = [];
  /** How many characters are left of the cursor. */
  cursor = 0;
  /** What was killed last, for {@linkcode LineBuffer.insert} to bring back. */
  killed = "";

  /** The whole line. */
  get text(): string {
    return this.characters.join("");
  }

  /** The line up to the cursor. */
  get beforeCursor(): string {
    return this.characters.slice(0, this.cursor).join("");
  }

  /** Whether the cursor is at the end. */
  get atEnd(): boolean {
    return this.cursor === this.characters.length;
  }

  /** Replaces the line; the cursor goes to the end. */
  set(text: string): void {
    this.characters = graphemes(text).slice(0, MAX_CHARACTERS);
    this.cursor = this.characters.length;
  }

  /** Inserts `text` at the cursor. */
  insert(text: string): void {
    const previous = this.cursor > 0 ? this.characters[this.cursor - 1]! : "";
    const inserted = graphemes(previous + text);
    const from = previous === "" ? this.cursor : this.cursor - 1;
    const replaced = this.cursor - from;
    const room = MAX_CHARACTERS - this.characters.length + replaced;
    const kept = inserted.slice(0, room);
    this.characters = [
      ...this.characters.slice(0, from),
      ...kept,
      ...this.characters.slice(this.cursor),
    ];
    this.cursor = from + kept.length;
  }

  /** Moves the cursor to `position`, or as far as there is text. */
  moveTo(position: number): void {
    this.cursor = Math.min(Math.max(0, position), this.characters.length);
  }

  /** Deletes between the cursor and `position`; returns what it was. */
  delete(position: number): string {
    const from = Math.max(0, Math.min(this.cursor, position));
    const to = Math.max(this.cursor, position);
    this.cursor = from;
    return this.characters.splice(from, to - from).join("");
  }

  /** Deletes between the cursor and `position`, to be brought back later. */
  kill(position: number): void {
    const killed = this.delete(position);
    if (killed !== "") this.killed = killed;
  }

  /** Where the word left of the cursor starts. */
  wordStart(wordRegExp: RegExp = WORD_REGEXP): number {
    let index = this.cursor;
    while (index > 0 && !wordRegExp.test(this.characters[index - 1]!)) index--;
    while (index > 0 && wordRegExp.test(this.characters[index - 1]!)) index--;
    return index;
  }

  /** Where the word right of the cursor ends. */
  wordEnd(): number {
    const { characters } = this;
    let index = this.cursor;
    while (
      index < characters.length && !WORD_REGEXP.test(characters[index]!)
    ) index++;
    while (
      index < characters.length && WORD_REGEXP.test(characters[index]!)
    ) index++;
    return index;
  }

  /** Swaps the characters around the cursor and steps over them. */
  transpose(): void {
    const right = Math.min(this.cursor, this.characters.length - 1);
    if (right < 1 || this.cursor === 0) return;
    const [left, moved] = this.characters.slice(right - 1, right + 1);
    this.characters.splice(right - 1, 2, moved!, left!);
    this.cursor = right + 1;
  }
}

/**
 * What the editing keys do to a line, in the names of {@linkcode Key}: the
 * emacs bindings that shells have, and the arrows.
 */
export const EDITING_KEYS: Readonly<
  Record<string, (line: LineBuffer) => void>
> = {
  "left": (line) => line.moveTo(line.cursor - 1),
  "ctrl-b": (line) => line.moveTo(line.cursor - 1),
  "right": (line) => line.moveTo(line.cursor + 1),
  "ctrl-f": (line) => line.moveTo(line.cursor + 1),
  "home": (line) => line.moveTo(0),
  "ctrl-a": (line) => line.moveTo(0),
  "end": (line) => line.moveTo(Infinity),
  "ctrl-e": (line) => line.moveTo(Infinity),
  "ctrl-left": (line) => line.moveTo(line.wordStart()),
  "alt-left": (line) => line.moveTo(line.wordStart()),
  "alt-b": (line) => line.moveTo(line.wordStart()),
  "ctrl-right": (line) => line.moveTo(line.wordEnd()),
  "alt-right": (line) => line.moveTo(line.wordEnd()),
  "alt-f": (line) => line.moveTo(line.wordEnd()),
  "backspace": (line) => void line.delete(line.cursor - 1),
  "delete": (line) => void line.delete(line.cursor + 1),
  "ctrl-w": (line) => line.kill(line.wordStart(NOT_SPACE_REGEXP)),
  "alt-backspace": (line) => line.kill(line.wordStart()),
  "alt-d": (line) => line.kill(line.wordEnd()),
  "ctrl-delete": (line) => line.kill(line.wordEnd()),
  "ctrl-u": (line) => line.kill(0),
  "ctrl-k": (line) => line.kill(line.characters.length),
  "ctrl-y": (line) => line.insert(line.killed),
  "ctrl-t": (line) => line.transpose(),
};
