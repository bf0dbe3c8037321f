import { assertEquals, assertThrows } from "@std/assert";
import { ServerList } from "../../../src/client/servers.ts";
import { seededRandom } from "../../../src/bytes/random.ts";

const URLS = ["a", "b", "c"].map((name) => `tcp://${name}:1`);

function take(list: ServerList, count: number): string[] {
  return Array.from({ length: count }, () => list.next());
}

Deno.test("ServerList goes round in the given order", () => {
  const list = new ServerList(URLS, undefined);
  assertEquals(list.size, 3);
  assertEquals(take(list, 7), [...URLS, ...URLS, URLS[0]]);
});

Deno.test("ServerList takes each once in a round, in all orders alike", () => {
  const seed = 11;
  const list = new ServerList(URLS, seededRandom(seed));
  const counts = new Map<string, number>();
  for (let round = 0; round < 6000; round++) {
    const order = take(list, 3);
    assertEquals(order.toSorted(), URLS, `seed ${seed}`);
    counts.set(order.join(), (counts.get(order.join()) ?? 0) + 1);
  }
  assertEquals(counts.size, 6);
  for (const count of counts.values()) {
    assertEquals(Math.abs(count - 1000) < 150, true, `seed ${seed}: ${count}`);
  }
});

Deno.test("ServerList.learn() adds what is new, once, and tries it in this round", () => {
  const list = new ServerList(URLS.slice(0, 1), undefined);
  const told = [URLS[0]!, URLS[1]!, "http://x", "", URLS[1]!, URLS[2]!];
  assertEquals(list.learn(told), URLS.slice(1));
  assertEquals(list.learn(told), []);
  assertEquals(take(list, 4), [...URLS, URLS[0]]);
});

Deno.test("ServerList says when it was given no server, or no URL", () => {
  assertThrows(() => new ServerList([], undefined), TypeError, "'to'");
  assertThrows(() => new ServerList(["nonsense"], undefined), SyntaxError);
});
