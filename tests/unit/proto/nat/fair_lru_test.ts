import { assertEquals } from "@std/assert";
import { FairLru, type Used } from "../../../../src/proto/nat/fair_lru.ts";

class Entry implements Used<string> {
  rankMs = 0;
  constructor(readonly owner: string, public lastMs: number) {}
}

Deno.test("FairLru.oldestOf() finds the entry that was not used for longest", () => {
  const lru = new FairLru<string, Entry>();
  const entries = [1, 2, 3].map((ms) => new Entry("a", ms));
  for (const entry of entries) lru.add(entry);
  assertEquals(lru.oldestOf("a"), entries[0]);
  entries[0]!.lastMs = 4;
  assertEquals(lru.oldestOf("a"), entries[1]);
  lru.delete(entries[1]!);
  assertEquals(lru.oldestOf("a"), entries[2]);
  assertEquals(lru.oldestOf("b"), undefined);
});

Deno.test("FairLru.greediest is who has the most, at any time", () => {
  const lru = new FairLru<string, Entry>();
  assertEquals(lru.greediest, undefined);
  const a = [1, 2, 3].map((ms) => new Entry("a", ms));
  const b = [1, 2].map((ms) => new Entry("b", ms));
  for (const entry of [...b, ...a]) lru.add(entry);
  assertEquals([lru.greediest, lru.count("a"), lru.count("b")], ["a", 3, 2]);
  lru.delete(a[0]!);
  lru.delete(a[0]!);
  lru.delete(a[1]!);
  assertEquals([lru.greediest, lru.count("a")], ["b", 1]);
  for (const entry of [...b, a[2]!]) lru.delete(entry);
  assertEquals(lru.greediest, undefined);
});
