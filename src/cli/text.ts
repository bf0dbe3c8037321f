/**
 * Text as a terminal shows it: what a reader sees as one character, and how
 * many columns it takes.
 *
 * @module
 */

import { unicodeWidth } from "../std/cli.ts";

const PRINTABLE_ASCII_REGEXP = /^[\x20-\x7e]*$/;
const ESCAPE = "\x1b";
const SGR_REGEXP = new RegExp(`${ESCAPE}\\[[0-9;]*m`, "g");
const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });

/**
 * Splits `text` into grapheme clusters: what a reader calls characters.
 *
 * @example
 * ```ts
 * import { graphemes } from "./text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(graphemes("e\u0301中"), ["e\u0301", "中"]);
 * ```
 */
export function graphemes(text: string): string[] {
  if (PRINTABLE_ASCII_REGEXP.test(text)) return text.split("");
  return Array.from(segmenter.segment(text), (part) => part.segment);
}

/**
 * Columns that `text` takes on a terminal; colours take none.
 *
 * @example
 * ```ts
 * import { displayWidth } from "./text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(displayWidth("\x1b[1m中\x1b[0m!"), 3);
 * ```
 */
export function displayWidth(text: string): number {
  return PRINTABLE_ASCII_REGEXP.test(text) ? text.length : unicodeWidth(text);
}

/**
 * Removes the colours that {@linkcode Style} adds.
 *
 * @example
 * ```ts
 * import { stripStyle } from "./text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(stripStyle("\x1b[1mbold\x1b[22m"), "bold");
 * ```
 */
export function stripStyle(text: string): string {
  return text.replace(SGR_REGEXP, "");
}

/**
 * Cuts unstyled `text` so that it takes at most `columns`; a cut text ends in
 * `ending`.
 *
 * @example
 * ```ts
 * import { truncate } from "./text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(truncate("harbour", 5), "harb…");
 * assertEquals(truncate("port", 5), "port");
 * ```
 */
export function truncate(text: string, columns: number, ending = "…"): string {
  if (displayWidth(text) <= columns) return text;
  const room = columns - displayWidth(ending);
  let width = 0;
  let kept = "";
  for (const grapheme of graphemes(text)) {
    width += displayWidth(grapheme);
    if (width > room) break;
    kept += grapheme;
  }
  return room < 0 ? "" : kept + ending;
}

/**
 * Fills `text` with spaces up to `columns`; a longer text stays as it is.
 *
 * @example
 * ```ts
 * import { pad } from "./text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(pad("中", 4), "中  ");
 * assertEquals(pad("7", 3, "right"), "  7");
 * ```
 */
export function pad(
  text: string,
  columns: number,
  align: "left" | "right" = "left",
): string {
  const spaces = " ".repeat(Math.max(0, columns - displayWidth(text)));
  return align === "left" ? text + spaces : spaces + text;
}
