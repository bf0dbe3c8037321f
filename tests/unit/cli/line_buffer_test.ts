import { assertEquals } from "@std/assert";
import { EDITING_KEYS, LineBuffer } from "../../../src/cli/line_buffer.ts";

/** A line written with its cursor as `|`, after some keys. */
function after(start: string, ...keys: string[]): string {
  const [left = "", right = ""] = start.split("|");
  const line = new LineBuffer();
  line.set(left + right);
  line.moveTo([...left].length);
  for (const key of keys) EDITING_KEYS[key]!(line);
  return `${line.beforeCursor}|${line.text.slice(line.beforeCursor.length)}`;
}

Deno.test("EDITING_KEYS move the cursor as far as there is text", () => {
  assertEquals(after("a|b", "left", "ctrl-b"), "|ab");
  assertEquals(after("a|b", "right", "ctrl-f"), "ab|");
  assertEquals(after("ab|c", "home"), "|abc");
  assertEquals(after("a|bc", "ctrl-e"), "abc|");
});

Deno.test("EDITING_KEYS move over words and what is between them", () => {
  assertEquals(after("/to ann, see|", "alt-b"), "/to ann, |see");
  assertEquals(after("/to ann, |see", "ctrl-left"), "/to |ann, see");
  assertEquals(after("/|to ann", "alt-f"), "/to| ann");
  assertEquals(after("/to| ann, x", "ctrl-right"), "/to ann|, x");
});

Deno.test("EDITING_KEYS delete", () => {
  assertEquals(after("a|b", "backspace"), "|b");
  assertEquals(after("|b", "backspace"), "|b");
  assertEquals(after("a|b", "delete", "delete"), "a|");
  assertEquals(after("a b-c| d", "ctrl-w"), "a | d");
  assertEquals(after("a b-c| d", "alt-backspace"), "a b-| d");
  assertEquals(after("a| bc d", "alt-d"), "a| d");
  assertEquals(after("ab|cd", "ctrl-u"), "|cd");
  assertEquals(after("ab|cd", "ctrl-k"), "ab|");
});

Deno.test("EDITING_KEYS bring back what was killed last", () => {
  assertEquals(after("ab|cd", "ctrl-k", "home", "ctrl-y"), "cd|ab");
  assertEquals(after("ab|", "ctrl-u", "ctrl-u", "ctrl-y", "ctrl-y"), "abab|");
  assertEquals(after("ab|", "backspace", "ctrl-y"), "a|");
});

Deno.test("EDITING_KEYS swap two characters", () => {
  assertEquals(after("a|b", "ctrl-t"), "ba|");
  assertEquals(after("ab|", "ctrl-t"), "ba|");
  assertEquals(after("a|", "ctrl-t"), "a|");
  assertEquals(after("|ab", "ctrl-t"), "|ab");
});
