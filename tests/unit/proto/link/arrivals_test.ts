import { assertEquals } from "@std/assert";
import { seededRandom } from "../../../../src/bytes/random.ts";
import { Arrivals } from "../../../../src/proto/link/arrivals.ts";

Deno.test("Arrivals gives back in order of time, and of adding where times are equal", () => {
  const random = seededRandom(3);
  const arrivals = new Arrivals<{ atMs: number; order: number }>();
  const all: { atMs: number; order: number }[] = [];
  const taken: { atMs: number; order: number }[] = [];
  for (let order = 0; order < 2000; order++) {
    const item = { atMs: 1000 + Math.floor(random() * 50), order };
    all.push(item);
    arrivals.add(item, item.atMs);
  }
  assertEquals(arrivals.size, 2000);
  while (arrivals.nextMs < Infinity) taken.push(arrivals.take());
  assertEquals(
    taken,
    all.toSorted((a, b) => a.atMs - b.atMs || a.order - b.order),
  );
});

Deno.test("Arrivals may be added to while it is emptied", () => {
  const arrivals = new Arrivals<number>();
  const taken: number[] = [];
  for (const ms of [5, 1, 3]) arrivals.add(ms, ms);
  taken.push(arrivals.take());
  arrivals.add(2, 2);
  while (arrivals.size > 0) taken.push(arrivals.take());
  assertEquals(taken, [1, 2, 3, 5]);
  assertEquals(arrivals.nextMs, Infinity);
});
