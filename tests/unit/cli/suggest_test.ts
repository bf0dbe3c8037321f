import { assertEquals } from "@std/assert";
import { closestMatch } from "../../../src/cli/suggest.ts";

const commands = ["/ping", "/echo", "/broadcast", "/stats", "/to", "/join"];

Deno.test("closestMatch() finds what differs by a slip", () => {
  assertEquals(closestMatch("/pong", commands), "/ping");
  assertEquals(closestMatch("/brodcast", commands), "/broadcast");
  assertEquals(closestMatch("/jion", commands), "/join");
  assertEquals(closestMatch("/statss", commands), "/stats");
});

Deno.test("closestMatch() finds what was begun", () => {
  assertEquals(closestMatch("/broad", commands), "/broadcast");
  assertEquals(closestMatch("--m", ["--max-a", "--max-b"]), undefined);
});

Deno.test("closestMatch() finds nothing where nothing is near", () => {
  assertEquals(closestMatch("/subscribe", commands), undefined);
  assertEquals(closestMatch("x", []), undefined);
});
