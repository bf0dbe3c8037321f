import { parseRules, type Rules } from "../proto/security/rules.ts";

/**
 * Reads rules from a JSON file.
 *
 * @throws {SyntaxError} If it is no JSON.
 * @throws {TypeError} If something in it is no rule; the message names the file and the place.
 * @throws {Error} If the file cannot be read; `cause` says why.
 *
 * @example Usage
 * ```ts
 * import { readRules } from "./rules_file.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile({ suffix: ".json" });
 * await Deno.writeTextFile(path, '[{"allow": ["user"], "types": ["say"]}]');
 * const rules = await readRules(path);
 * assertEquals(rules.decide({ roles: ["user"] }, { type: "say" }).allowed, true);
 * await Deno.remove(path);
 * ```
 */
export async function readRules(path: string): Promise<Rules> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    throw new Error(`Cannot read the rules ${path}`, { cause });
  }
  return parseRules(text, path);
}
