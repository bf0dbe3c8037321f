/**
 * Completion of what is being typed.
 *
 * @module
 */

import { displayWidth, pad } from "./text.ts";

/** What could be written at the cursor. */
export interface Completion {
  /** Index in the given text from which on a candidate replaces it. */
  from: number;
  /** What could stand there, each with the space that should follow it. */
  candidates: readonly string[];
}

/**
 * The longest beginning that all of `texts` share.
 *
 * @example
 * ```ts
 * import { commonPrefix } from "./completion.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(commonPrefix(["/stats", "/status"]), "/stat");
 * ```
 */
export function commonPrefix(texts: readonly string[]): string {
  let prefix = texts[0] ?? "";
  for (const text of texts) {
    while (!text.startsWith(prefix)) prefix = prefix.slice(0, -1);
  }
  return prefix;
}

/**
 * Lays out short texts in as many columns as fit, as a shell lists files.
 *
 * @example
 * ```ts
 * import { listInColumns } from "./completion.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(listInColumns(["/to", "/list", "/me"], 14), "/to    /list\n/me");
 * ```
 */
export function listInColumns(
  texts: readonly string[],
  columns: number,
): string {
  const width = Math.max(0, ...texts.map(displayWidth)) + 2;
  const perRow = Math.max(1, Math.floor(columns / width));
  const rows: string[] = [];
  for (let index = 0; index < texts.length; index += perRow) {
    const row = texts.slice(index, index + perRow);
    rows.push(row.map((text) => pad(text, width)).join("").trimEnd());
  }
  return rows.join("\n");
}
