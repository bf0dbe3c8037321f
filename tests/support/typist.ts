/**
 * Somebody at a keyboard: raw bytes into a line editor, its output on a
 * screen.
 *
 * @module
 */

import { KeyParser } from "../../src/cli/key_parser.ts";
import {
  LineEditor,
  type LineEditorEvent,
  type LineEditorOptions,
} from "../../src/cli/line_editor.ts";
import { Screen } from "./screen.ts";

const encoder = new TextEncoder();

/** A line editor on a screen of its own. */
export class Typist {
  readonly screen: Screen;
  readonly editor: LineEditor;
  readonly #parser = new KeyParser();

  constructor(options: LineEditorOptions = {}) {
    this.screen = new Screen(options.columns ?? 80, options.rows ?? 24);
    this.editor = new LineEditor(options);
    this.screen.write(this.editor.draw());
  }

  /** Types what a terminal would send; returns what the program is told. */
  type(input: string): LineEditorEvent[] {
    const keys = this.#parser.feed(encoder.encode(input));
    const { output, events } = this.editor.feed(keys);
    this.screen.write(output);
    return events;
  }

  /** Shows a message above the line. */
  message(text: string): void {
    this.screen.write(this.editor.printAbove(text));
  }

  /** Changes the size of the screen and tells the editor. */
  resize(columns: number, rows: number): void {
    this.screen.resize(columns, rows);
    this.screen.write(this.editor.resize(columns, rows));
  }
}
