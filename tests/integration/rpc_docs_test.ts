import { assertEquals } from "@std/assert";
import {
  DEFAULT_DEDUPE_LIMITS,
  DEFAULT_RPC_LIMITS,
  RPC_CODES,
} from "../../mod.ts";

/** The rows of the page's tables whose first cell is a code, by that code. */
const rows = new Map(
  Array.from(
    (await Deno.readTextFile("docs/rpc.md")).matchAll(
      /^\| `([^`]+)` +\| (.*) \|$/gm,
    ),
    ([, name, cells]) => [name!, cells!.split(" | ").map((it) => it.trim())],
  ),
);

Deno.test("rpc.md has every code with its name", () => {
  for (const [name, code] of Object.entries(RPC_CODES)) {
    assertEquals(rows.get(String(code))?.[0], `\`${name}\``);
  }
});

Deno.test("rpc.md has every limit with its default", () => {
  const limits = { ...DEFAULT_RPC_LIMITS, ...DEFAULT_DEDUPE_LIMITS };
  for (const [name, value] of Object.entries(limits)) {
    assertEquals(rows.get(name)?.[0]?.replaceAll(",", ""), String(value), name);
  }
});
