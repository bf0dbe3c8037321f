import { assert, assertEquals } from "@std/assert";
import { Inbox } from "../../../src/io/inbox.ts";

/** Reads `count` bytes as a socket would: no more than there is room for. */
function read(inbox: Inbox, count: number, wanted = 0): number {
  const space = inbox.space(wanted);
  const taken = Math.min(count, space.length);
  space.subarray(0, taken).fill(7);
  inbox.received(taken);
  return taken;
}

function consume(inbox: Inbox): void {
  inbox.from = inbox.to;
}

Deno.test("Inbox starts with a small buffer and stays there for small reads", () => {
  const inbox = new Inbox();
  for (let i = 0; i < 1000; i++) {
    read(inbox, 40);
    consume(inbox);
  }
  assertEquals(inbox.bytes.length, 64);
  inbox.release();
});

Deno.test("Inbox grows when a read fills it, up to the largest pooled size", () => {
  const inbox = new Inbox();
  const sizes = new Set<number>();
  for (let i = 0; i < 10; i++) {
    read(inbox, Infinity);
    consume(inbox);
    sizes.add(inbox.bytes.length);
  }
  assertEquals([...sizes], [64, 512, 4096, 65536]);
  inbox.release();
});

Deno.test("Inbox does not believe a header that promises much", () => {
  const inbox = new Inbox();
  for (let i = 0; i < 10; i++) {
    read(inbox, 4, 1 << 30);
    consume(inbox);
  }
  assertEquals(inbox.bytes.length, 64);
  inbox.release();
});

Deno.test("Inbox takes a frame beyond the largest pooled size, growing as it comes", () => {
  const inbox = new Inbox();
  const frame = 1 << 20;
  let largest = 0;
  for (let at = 0; at < frame;) {
    at += read(inbox, frame - at, frame);
    assert(inbox.bytes.length <= Math.max(2 * at, 65536), `${at}`);
    largest = Math.max(largest, inbox.bytes.length);
  }
  assertEquals(inbox.to, frame);
  assert(inbox.bytes.subarray(0, frame).every((byte) => byte === 7));
  assert(largest <= 2 * frame);
  inbox.release();
});

Deno.test("Inbox keeps what is not consumed, at its start", () => {
  const inbox = new Inbox();
  inbox.space(0).set([1, 2, 3, 4, 5]);
  inbox.received(5);
  inbox.from = 3;
  inbox.space(0).set([6]);
  inbox.received(1);
  assertEquals([...inbox.bytes.subarray(inbox.from, inbox.to)], [4, 5, 6]);
  inbox.release();
});

Deno.test("Inbox shrinks again, step by step, when the traffic does", () => {
  const inbox = new Inbox();
  for (let i = 0; i < 4; i++) {
    read(inbox, Infinity);
    consume(inbox);
  }
  assertEquals(inbox.bytes.length, 65536);
  const sizes: number[] = [];
  for (let i = 0; i < 2000; i++) {
    read(inbox, 20);
    consume(inbox);
    if (sizes.at(-1) !== inbox.bytes.length) sizes.push(inbox.bytes.length);
  }
  assertEquals(sizes, [65536, 4096, 512, 64]);
  inbox.release();
});

Deno.test("Inbox does not shrink while a frame is half read", () => {
  const inbox = new Inbox();
  for (let i = 0; i < 4; i++) {
    read(inbox, Infinity);
    consume(inbox);
  }
  read(inbox, 100);
  for (let i = 0; i < 1000; i++) read(inbox, 1);
  assertEquals(inbox.bytes.length, 65536);
  assertEquals(inbox.to - inbox.from, 1100);
  inbox.release();
});

Deno.test("Inbox.release() leaves nothing", () => {
  const inbox = new Inbox();
  read(inbox, 10);
  inbox.release();
  assertEquals([inbox.from, inbox.to, inbox.bytes.length], [0, 0, 0]);
});
