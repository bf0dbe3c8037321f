import { assertEquals } from "@std/assert";
import { History, HistorySearch } from "../../../src/cli/history.ts";

Deno.test("History.add() leaves out empty and repeated lines", () => {
  const history = new History();
  for (const line of ["a", "", "  ", "a", "b", "a"]) history.add(line);
  assertEquals(history.entries, ["a", "b", "a"]);
});

Deno.test("History keeps the last lines alone", () => {
  const history = new History(["a", "b", "c"], 2);
  assertEquals(history.entries, ["b", "c"]);
  history.add("d");
  assertEquals(history.entries, ["c", "d"]);
});

Deno.test("History.previous() and next() stop at the ends", () => {
  const history = new History(["a", "b"]);
  assertEquals(history.next(), undefined);
  assertEquals(history.previous("draft"), "b");
  assertEquals(history.previous("b"), "a");
  assertEquals(history.previous("a"), undefined);
  assertEquals(history.next(), "b");
  assertEquals(history.next(), "draft");
  assertEquals(history.next(), undefined);
});

Deno.test("History.add() returns to the newest line", () => {
  const history = new History(["a", "b"]);
  history.previous("");
  history.previous("b");
  history.add("a");
  assertEquals(history.previous(""), "a");
});

Deno.test("HistorySearch goes back from match to match", () => {
  const search = new HistorySearch(["/echo 1", "/ping", "/echo 2"], "");
  assertEquals(search.find("e"), "/echo 2");
  assertEquals(search.find("echo"), "/echo 2");
  assertEquals(search.older(), "/echo 1");
  assertEquals(search.older(), undefined);
  assertEquals(search.find("ping"), "/ping");
  assertEquals(search.find("stats"), undefined);
  assertEquals(search.find(""), undefined);
});
