/**
 * Text of strangers, made harmless: nothing that a peer sends may move the
 * cursor, change colours or titles, answer on the user's behalf or show words
 * in another order than they were written.
 *
 * @module
 */

const ESC = "\x1b";
const BEL = "\x07";
const STRING_TERMINATOR = "\x9c";
const STRING_STARTS = "\x90\x98\x9d-\x9f";
const CSI = "\x9b";

/**
 * Whole escape sequences, with what they carry: strings (OSC, DCS, SOS, PM,
 * APC) up to their terminator, CSI up to its final byte, and the short ones.
 * One without an end reaches to the end of the text. Source: ECMA-48,
 * sections 5.3 to 5.6.
 */
const ESCAPE_SEQUENCE_REGEXP = new RegExp(
  [
    `(?:${ESC}[\\]PX^_]|[${STRING_STARTS}])[^${BEL}${ESC}${STRING_TERMINATOR}]*` +
    `(?:${BEL}|${ESC}\\\\|${STRING_TERMINATOR})?`,
    `(?:${ESC}\\[|${CSI})[ -?]*[@-~]?`,
    `${ESC}[ -/]*[0-~]?`,
  ].join("|"),
  "g",
);

const LINE_BREAK_REGEXP = /\r\n|[\n\r\u0085\u2028\u2029]/g;

/**
 * Controls (C0, DEL, C1) but for the line feed; what changes the direction of
 * writing; what takes no room and hides in words.
 */
const CONTROL_REGEXP =
  /(?!\n)[\p{Cc}\p{Bidi_Control}\u200b\u2060\ufeff\ufff9-\ufffb]/gu;

/** Options of {@linkcode sanitize}. */
export interface SanitizeOptions {
  /**
   * What a line break becomes. The default keeps one text on one line; take
   * `"\n"` where more lines are welcome.
   *
   * @default {" "}
   */
  lineBreak?: string;
}

/**
 * Makes `text` safe to show in a terminal: no escape sequences, no control
 * characters, no direction overrides, no lone surrogates. A tab becomes a
 * space.
 *
 * @example
 * ```ts
 * import { sanitize } from "./sanitize.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(sanitize("\x1b[2J\x1b]0;owned\x07hello\r\n\u202eworld"), "hello world");
 * ```
 */
export function sanitize(text: string, options: SanitizeOptions = {}): string {
  const { lineBreak = " " } = options;
  return text
    .replace(ESCAPE_SEQUENCE_REGEXP, "")
    .replace(LINE_BREAK_REGEXP, "\n")
    .replaceAll("\t", " ")
    .replace(CONTROL_REGEXP, "")
    .replaceAll("\n", lineBreak)
    .toWellFormed();
}
