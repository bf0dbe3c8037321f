import { assertEquals } from "@std/assert";
import {
  displayWidth,
  graphemes,
  pad,
  stripStyle,
  truncate,
} from "../../../src/cli/text.ts";

Deno.test("graphemes() keeps what a reader calls one character together", () => {
  assertEquals(graphemes(""), []);
  assertEquals(graphemes("ab"), ["a", "b"]);
  assertEquals(graphemes("e\u0301x"), ["e\u0301", "x"]);
  assertEquals(graphemes("👨‍👩‍👧中"), ["👨‍👩‍👧", "中"]);
});

Deno.test("displayWidth() counts columns", () => {
  assertEquals(displayWidth(""), 0);
  assertEquals(displayWidth("port"), 4);
  assertEquals(displayWidth("港口"), 4);
  assertEquals(displayWidth("e\u0301"), 1);
  assertEquals(displayWidth("🚢"), 2);
  assertEquals(displayWidth("\x1b[1m港\x1b[22m"), 2);
});

Deno.test("stripStyle() removes colours alone", () => {
  assertEquals(stripStyle("\x1b[1;31mred\x1b[0m [1m"), "red [1m");
});

Deno.test("truncate() never cuts a wide character in half", () => {
  assertEquals(truncate("港口港口", 8), "港口港口");
  assertEquals(truncate("港口港口", 7), "港口港…");
  assertEquals(truncate("港口港口", 6), "港口…");
  assertEquals(truncate("port", 3, "..."), "...");
  assertEquals(truncate("port", 2, "..."), "");
  assertEquals(truncate("port", 0), "");
});

Deno.test("pad() aligns by columns", () => {
  assertEquals(pad("港", 3), "港 ");
  assertEquals(pad("12", 4, "right"), "  12");
  assertEquals(pad("longer", 3), "longer");
});
