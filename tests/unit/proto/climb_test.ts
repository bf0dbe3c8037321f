import { assertEquals } from "@std/assert";
import { Climb, WinnerMemory } from "../../../src/proto/climb.ts";

Deno.test("Climb begins one road after the other, each after a head start", () => {
  const climb = new Climb(3, undefined, 250, 1000);
  assertEquals([climb.next(1000), climb.next(1000)], [0, undefined]);
  assertEquals(climb.waitMs(1100), 150);
  assertEquals(climb.next(1249), undefined);
  assertEquals([climb.next(1250), climb.next(1250)], [1, undefined]);
  // Time that was overslept is not made up for.
  assertEquals([climb.next(5000), climb.next(5000)], [2, undefined]);
  assertEquals(climb.waitMs(5000), undefined);
  assertEquals(climb.isLost, false);
});

Deno.test("Climb begins with the road that is preferred", () => {
  const climb = new Climb(3, 1, 100, 0);
  assertEquals([0, 100, 200].map((nowMs) => climb.next(nowMs)), [1, 0, 2]);
});

Deno.test("Climb begins the next road at once when all that were begun have failed", () => {
  const climb = new Climb(3, undefined, 250, 0);
  assertEquals(climb.next(0), 0);
  climb.failed(10);
  assertEquals([climb.waitMs(10), climb.next(10)], [0, 1]);
  assertEquals(climb.waitMs(10), 250);
  assertEquals(climb.next(260), 2);
  climb.failed(270);
  assertEquals(climb.isLost, false);
  climb.failed(280);
  assertEquals(climb.isLost, true);
});

Deno.test("Climb keeps the head start of the next road while one is under way", () => {
  const climb = new Climb(3, undefined, 250, 0);
  assertEquals([climb.next(0), climb.next(250)], [0, 1]);
  climb.failed(300);
  assertEquals([climb.waitMs(300), climb.next(300)], [200, undefined]);
});

Deno.test("WinnerMemory remembers by network, for a while", () => {
  const memory = new WinnerMemory(1000);
  memory.remember("home", "tls", 0);
  memory.remember("office", "quic", 500);
  assertEquals(memory.recall("home", 999), "tls");
  assertEquals(memory.recall("office", 999), "quic");
  assertEquals(memory.recall("train", 999), undefined);
  assertEquals(memory.recall("home", 1000), undefined);
  assertEquals(memory.recall("office", 1000), "quic");
});

Deno.test("WinnerMemory does not remember longer because a road wins again", () => {
  const memory = new WinnerMemory(1000);
  memory.remember("home", "tls", 0);
  memory.remember("home", "tls", 900);
  assertEquals(memory.recall("home", 1000), undefined);
  memory.remember("home", "quic", 1100);
  assertEquals(memory.recall("home", 2099), "quic");
});

Deno.test("WinnerMemory forgets the oldest of too many networks", () => {
  const memory = new WinnerMemory(1000, 2);
  for (const network of ["a", "b", "c"]) memory.remember(network, "tls", 0);
  assertEquals(
    ["a", "b", "c"].map((network) => memory.recall(network, 1)),
    [undefined, "tls", "tls"],
  );
});
