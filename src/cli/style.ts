/**
 * Colours of a terminal, or none.
 *
 * @module
 */

/** Wraps texts in colours; without colours every function returns its text. */
export interface Style {
  /** Heavy letters. */
  bold(text: string): string;
  /** Faint letters, for what matters less. */
  dim(text: string): string;
  /** For failures. */
  red(text: string): string;
  /** For what went well. */
  green(text: string): string;
  /** For warnings. */
  yellow(text: string): string;
  /** For what points elsewhere. */
  blue(text: string): string;
  /** For names. */
  magenta(text: string): string;
  /** For what can be typed. */
  cyan(text: string): string;
}

/**
 * Makes a style. Only the sixteen colours that users set for themselves are
 * used, so that both light and dark screens stay legible.
 *
 * @example
 * ```ts
 * import { createStyle } from "./style.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(createStyle(true).red("no"), "\x1b[31mno\x1b[39m");
 * assertEquals(createStyle(false).red("no"), "no");
 * ```
 */
export function createStyle(color: boolean): Style {
  const sgr = (on: number, off: number) => (text: string): string =>
    color && text !== "" ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return {
    bold: sgr(1, 22),
    dim: sgr(2, 22),
    red: sgr(31, 39),
    green: sgr(32, 39),
    yellow: sgr(33, 39),
    blue: sgr(34, 39),
    magenta: sgr(35, 39),
    cyan: sgr(36, 39),
  };
}
