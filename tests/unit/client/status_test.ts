import { assertEquals } from "@std/assert";
import { type ClientStatus, StatusFeed } from "../../../src/client/status.ts";

const come = (inMs: number): ClientStatus => ({ type: "come back", inMs });
const CLOSED: ClientStatus = { type: "closed", reason: "over" };

Deno.test("StatusFeed.read() yields what happens from the call on, to the end", async () => {
  const feed = new StatusFeed();
  feed.tell(come(1));
  const early = feed.read();
  feed.tell(come(2));
  const late = feed.read();
  const waiting = late.next();
  feed.tell(come(3));
  assertEquals((await waiting).value, come(3));
  feed.tell(CLOSED);
  feed.tell(come(4));
  assertEquals(await Array.fromAsync(early), [come(2), come(3), CLOSED]);
  assertEquals(await Array.fromAsync(late), [CLOSED]);
  assertEquals(await Array.fromAsync(feed.read()), []);
});

Deno.test("StatusFeed.read() drops the oldest for who falls behind, never the end", async () => {
  const feed = new StatusFeed();
  const behind = feed.read();
  for (let told = 1; told <= 1000; told++) feed.tell(come(told));
  feed.tell(CLOSED);
  const read = await Array.fromAsync(behind);
  assertEquals(read.length, 256);
  assertEquals([read[0], read[254], read[255]], [
    come(746),
    come(1000),
    CLOSED,
  ]);
});

Deno.test("StatusFeed.read() ends for a reader that has enough", async () => {
  const feed = new StatusFeed();
  const statuses = feed.read();
  feed.tell(come(1));
  for await (const status of statuses) {
    assertEquals(status, come(1));
    break;
  }
  feed.tell(come(2));
  assertEquals((await statuses.next()).done, true);
});
