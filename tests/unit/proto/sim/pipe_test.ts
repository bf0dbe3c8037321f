import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../../../src/bytes/random.ts";
import {
  completeLink,
  DEFAULT_LINK_OPTIONS,
  Link,
  type LinkOptions,
} from "../../../../src/proto/sim/link.ts";
import {
  Pipe,
  RECEIVE_BUFFER_BYTES,
  SEND_BUFFER_BYTES,
} from "../../../../src/proto/sim/pipe.ts";

function make(options: LinkOptions = {}): { link: Link; pipe: Pipe } {
  const complete = completeLink(options, DEFAULT_LINK_OPTIONS);
  const link = new Link(complete, seededRandom(1));
  return { link, pipe: new Pipe(link) };
}

/** Lets time pass to `untilMs` and returns the kinds of what arrived, with their times. */
function pass(pipe: Pipe, untilMs: number): [number, string][] {
  const seen: [number, string][] = [];
  while (pipe.nextMs <= untilMs) {
    const nowMs = pipe.nextMs;
    for (const { kind } of pipe.advance(nowMs)) seen.push([nowMs, kind]);
  }
  return seen;
}

Deno.test("Pipe carries bytes in order, whatever the jitter", () => {
  const { pipe } = make({ latencyMs: 5, jitterMs: 50, lossRate: 0.2 });
  const sent = Uint8Array.from({ length: 20_000 }, (_, at) => at % 251);
  for (let at = 0; at < sent.length; at += 777) {
    const part = sent.subarray(at, at + 777);
    assertEquals(pipe.write(part, at), part.length);
  }
  pipe.end(20_000);
  const received: number[] = [];
  const into = new Uint8Array(1000);
  for (let nowMs = 0; !pipe.finished || pipe.unreadBytes > 0;) {
    const count = pipe.read(into, nowMs);
    if (count) received.push(...into.subarray(0, count));
    else {
      nowMs = Math.max(pipe.nextMs, nowMs);
      pipe.advance(nowMs);
    }
  }
  assertEquals(received, [...sent]);
  assertEquals(pipe.read(into, 1e6), null);
});

Deno.test("Pipe takes a copy of what is written", () => {
  const { pipe } = make();
  const bytes = Uint8Array.of(1, 2);
  pipe.write(bytes, 0);
  bytes.fill(9);
  pass(pipe, 10);
  const into = new Uint8Array(4);
  assertEquals(pipe.read(into, 10), 2);
  assertEquals([...into], [1, 2, 0, 0]);
});

Deno.test("Pipe holds two buffers and no more before it is read", () => {
  const { pipe } = make();
  const block = new Uint8Array(1 << 20);
  assertEquals(pipe.write(block, 0), SEND_BUFFER_BYTES);
  assertEquals(pipe.write(block, 0), 0);
  pass(pipe, 100);
  assertEquals(pipe.write(block, 100), pipe.unreadBytes, "arrived is room");
  pass(pipe, 200);
  assertEquals(pipe.write(block, 200), 0);
  assert(pipe.unreadBytes <= RECEIVE_BUFFER_BYTES);
  assert(pipe.unreadBytes > RECEIVE_BUFFER_BYTES - 1460);
  // What is read makes room at once.
  pipe.read(new Uint8Array(30_000), 200);
  assert(pass(pipe, 300).length > 0);
});

Deno.test("Pipe sends the end after the data, and nothing after it", () => {
  const { pipe } = make({ latencyMs: 7 });
  pipe.open(0);
  pipe.write(new Uint8Array(1500), 0);
  pipe.end(0);
  pipe.end(0);
  assertEquals(pass(pipe, 1000), [
    [7, "open"],
    [7, "data"],
    [7, "data"],
    [7, "end"],
  ]);
  assertEquals(pipe.nextMs, Infinity);
});

Deno.test("Pipe.reset() drops what has not departed, and is not sent again", () => {
  const { link, pipe } = make({ latencyMs: 7 });
  pipe.write(new Uint8Array(10), 0);
  link.up = false;
  pass(pipe, 100);
  pipe.write(new Uint8Array(10), 100);
  link.up = true;
  pipe.reset(100);
  assertEquals(pass(pipe, 10_000), [[107, "reset"]]);

  pipe.reset(10_000);
  link.up = false;
  assertEquals(pass(pipe, 20_000), []);
  link.up = true;
  assertEquals(pass(pipe, 1e6), []);
});

Deno.test("Pipe sends again what a link that is down has lost, ever more seldom", () => {
  const { link, pipe } = make({ latencyMs: 10 });
  pipe.write(new Uint8Array(10), 0);
  link.up = false;
  const attempts: number[] = [];
  while (pipe.nextMs < 10_000) {
    attempts.push(pipe.nextMs);
    assertEquals(pipe.advance(pipe.nextMs), []);
  }
  assertEquals(attempts, [10, 210, 610, 1410, 3010, 6210]);
  link.up = true;
  assertEquals(pass(pipe, 60_000), [[12_620, "data"]]);
});

Deno.test("Pipe gives up after about a quarter of an hour", () => {
  const { link, pipe } = make();
  pipe.write(new Uint8Array(10), 0);
  link.up = false;
  let nowMs = 0;
  while (pipe.nextMs !== Infinity) pipe.advance(nowMs = pipe.nextMs);
  assert(pipe.timedOut);
  assert(nowMs > 800_000 && nowMs < 1_000_000, `gave up at ${nowMs}`);
});

Deno.test("Pipe counts the attempts anew once something has arrived", () => {
  const { link, pipe } = make();
  for (let round = 0; round < 20; round++) {
    const startMs = round * 10_000;
    link.up = false;
    pipe.write(new Uint8Array(10), startMs);
    pass(pipe, startMs + 1000);
    link.up = true;
    assertEquals(pass(pipe, startMs + 9000).length, 1, `round ${round}`);
  }
  assert(!pipe.timedOut);
});
