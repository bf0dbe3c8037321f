/**
 * Command lines: the standard library's `@std/cli`, with types. The npm copy
 * of `unicodeWidth` lacks its data file: `string-width` does that work.
 *
 * @module
 */

import stringWidth from "npm:string-width@9.0.0";

// @ts-types="./cli.d.ts"
export { parseArgs } from "npm:deno-std@1.4.0/cli/parse_args.js";
// @ts-types="./cli.d.ts"
export { promptSecret } from "npm:deno-std@1.4.0/cli/prompt_secret.js";
export type { Args, ParseOptions, PromptSecretOptions } from "./cli.d.ts";

/**
 * Columns of the terminal that `text` takes; escape sequences take none.
 *
 * @example
 * ```ts
 * import { unicodeWidth } from "./cli.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(unicodeWidth("日本"), 4);
 * ```
 */
export function unicodeWidth(text: string): number {
  return stringWidth(text);
}
