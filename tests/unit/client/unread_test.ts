import { assert, assertEquals, assertRejects } from "@std/assert";
import { MAX_UNREAD, Unread } from "../../../src/client/unread.ts";

Deno.test("Unread hands messages on in order, waiting for them or not", async () => {
  const unread = new Unread<number>();
  unread.push(1);
  unread.push(2);
  assertEquals(unread.size, 2);
  assertEquals([await unread.receive(), await unread.receive()], [1, 2]);
  const waiting = unread.receive();
  await assertRejects(() => unread.receive(), TypeError);
  unread.push(3);
  assertEquals(await waiting, 3);
  assertEquals(unread.size, 0);
});

Deno.test("Unread makes the sender wait when there are many, until half are read", async () => {
  const unread = new Unread<number>();
  for (let i = 1; i < MAX_UNREAD; i++) assertEquals(unread.push(i), undefined);
  let more = false;
  const wait = unread.push(MAX_UNREAD);
  assert(wait !== undefined);
  void wait.then(() => more = true);
  for (let i = 1; i <= MAX_UNREAD / 2; i++) {
    assertEquals(more, false);
    assertEquals(await unread.receive(), i);
  }
  await unread.receive();
  await wait;
  assertEquals(unread.size, MAX_UNREAD / 2 - 1);
});

Deno.test("Unread.end() releases all who wait, and leaves what is there", async () => {
  const empty = new Unread<number>();
  const waiting = empty.receive();
  empty.end();
  assertEquals(await waiting, undefined);
  assertEquals(await empty.receive(), undefined);
  const full = new Unread<number>();
  let wait: Promise<void> | undefined;
  for (let i = 0; wait === undefined; i++) wait = full.push(i);
  full.end();
  await wait;
  assertEquals(await full.receive(), 0);
});
