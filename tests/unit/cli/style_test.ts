import { assertEquals } from "@std/assert";
import { createStyle } from "../../../src/cli/style.ts";

Deno.test("createStyle() nests, and ends each colour by itself", () => {
  const { bold, red } = createStyle(true);
  assertEquals(bold(`a${red("b")}c`), "\x1b[1ma\x1b[31mb\x1b[39mc\x1b[22m");
  assertEquals(red(""), "");
});

Deno.test("createStyle() without colours changes nothing", () => {
  for (const paint of Object.values(createStyle(false))) {
    assertEquals(paint("text"), "text");
  }
});
