import { assertEquals } from "@std/assert";
import { layoutLine } from "../../../src/cli/line_layout.ts";

Deno.test("layoutLine() puts the end of a full row on the next", () => {
  assertEquals(layoutLine(["a", "b"], 0, 2), [
    { row: 0, column: 0 },
    { row: 0, column: 1 },
    { row: 1, column: 0 },
  ]);
});

Deno.test("layoutLine() wraps a wide character that would be cut", () => {
  assertEquals(layoutLine(["a", "港", "b"], 0, 2), [
    { row: 0, column: 0 },
    { row: 1, column: 0 },
    { row: 2, column: 0 },
    { row: 2, column: 1 },
  ]);
});

Deno.test("layoutLine() of nothing is the end of the prompt", () => {
  assertEquals(layoutLine([], 5, 10), [{ row: 0, column: 5 }]);
});
