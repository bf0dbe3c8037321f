import { assertEquals } from "@std/assert";
import { commonPrefix, listInColumns } from "../../../src/cli/completion.ts";

Deno.test("commonPrefix() is what all texts begin with", () => {
  assertEquals(commonPrefix([]), "");
  assertEquals(commonPrefix(["/ping"]), "/ping");
  assertEquals(commonPrefix(["/stats", "/stop", "/st"]), "/st");
  assertEquals(commonPrefix(["a", "b"]), "");
});

Deno.test("listInColumns() fills rows as far as they go", () => {
  assertEquals(listInColumns(["aa", "b", "港港", "d"], 13), "aa    b\n港港  d");
  assertEquals(listInColumns(["longer than that"], 5), "longer than that");
  assertEquals(listInColumns([], 5), "");
});
