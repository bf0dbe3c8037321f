import { assertEquals } from "@std/assert";
import { byKey, inOrder } from "../../../src/client/correlation.ts";

Deno.test("inOrder() takes every message for an answer, or those it is told", () => {
  const all = inOrder<string, string>();
  assertEquals(all.ordered, true);
  assertEquals(all.reply("x"), all.request("y"));
  const some = inOrder<string, string>((line) => !line.startsWith("*"));
  assertEquals(some.reply("* news"), undefined);
  assertEquals(some.reply("250 ok"), some.request("HELO"));
});

Deno.test("byKey() takes the id from a field, of the same name or of two", () => {
  const same = byKey<{ id?: number }, { id: number }>("id");
  assertEquals(same.ordered, false);
  assertEquals(same.request({ id: 7 }), 7);
  assertEquals(same.reply({ id: 7 }), 7);
  assertEquals(same.reply({}), undefined);
  const two = byKey<{ for?: string }, { id: string }>("id", "for");
  assertEquals(two.request({ id: "a" }), two.reply({ for: "a" }));
});
