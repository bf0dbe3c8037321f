import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Counters } from "../../../src/io/counters.ts";
import { memoryPair } from "../../../src/io/memory.ts";
import { Outbox } from "../../../src/io/outbox.ts";
import type { Conn } from "../../../src/io/transport.ts";
import { flushAtEndOfTurn } from "../../../src/io/turn.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { utf8 } from "../../support/three_ways.ts";
import { turns } from "../../support/wait.ts";

/** A connection whose writes a test lets through, one by one. */
class GatedConn {
  readonly writes: Uint8Array[] = [];
  readonly conn: Conn;
  #waiting: PromiseWithResolvers<number> | undefined;

  constructor() {
    const [conn] = memoryPair("gated");
    this.conn = {
      ...conn,
      write: (bytes) => {
        this.writes.push(bytes);
        this.#waiting = Promise.withResolvers();
        return this.#waiting.promise;
      },
    } as Conn;
  }

  /** The write in flight takes `count` bytes, or all. */
  async take(count = this.writes.at(-1)!.length): Promise<void> {
    this.#waiting!.resolve(count);
    await turns(1);
  }

  async fail(error: Error): Promise<void> {
    this.#waiting!.reject(error);
    await turns(1);
  }

  /** What was offered in the last write, as text. */
  get last(): string {
    return new TextDecoder().decode(this.writes.at(-1));
  }
}

class Bench {
  readonly gated = new GatedConn();
  readonly clock = new VirtualClock();
  readonly counters = new Counters();
  readonly told: unknown[] = [];
  readonly outbox: Outbox;

  constructor() {
    this.outbox = new Outbox(
      this.gated.conn,
      {
        outboxDrained: () => void this.told.push("drained"),
        outboxFailed: (error) => void this.told.push(error),
      },
      this.clock,
      this.counters,
    );
  }

  append(text: string): void {
    const bytes = utf8(text);
    this.outbox.writer.set(bytes);
    this.outbox.appended(bytes.length);
  }
}

Deno.test("Outbox writes all that was appended in one go", async () => {
  const bench = new Bench();
  const { outbox, gated, counters } = bench;
  bench.append("a");
  bench.append("b");
  flushAtEndOfTurn(outbox);
  flushAtEndOfTurn(outbox);
  assertEquals(gated.writes.length, 0);
  await turns(1);
  assertEquals([gated.writes.length, gated.last], [1, "ab"]);
  assertEquals(outbox.buffered, 2);
  await gated.take();
  assertEquals([outbox.buffered, counters.bytesOut], [0, 2]);
});

Deno.test("Outbox goes on where a write left off", async () => {
  const bench = new Bench();
  const { outbox, gated, counters } = bench;
  bench.append("abcdef");
  void outbox.flush();
  await gated.take(2);
  assertEquals([gated.last, outbox.buffered], ["cdef", 4]);
  await gated.take(3);
  assertEquals([gated.last, outbox.buffered], ["f", 1]);
  await gated.take();
  assertEquals([gated.writes.length, counters.bytesOut], [3, 6]);
});

Deno.test("Outbox writes what came meanwhile in the next go", async () => {
  const bench = new Bench();
  const { outbox, gated } = bench;
  bench.append("a");
  const first = outbox.flush();
  assert(first !== undefined);
  bench.append("b");
  assertEquals(outbox.flush(), undefined);
  bench.append("c");
  assertEquals(gated.writes.length, 1);
  await gated.take();
  // What was there at the time is written, and nothing else is waited for.
  await first;
  assertEquals(gated.last, "bc");
  await gated.take();
  assertEquals(outbox.flush(), undefined);
});

Deno.test("Outbox keeps the order of what is appended and what is shared", async () => {
  const bench = new Bench();
  const { outbox, gated } = bench;
  const large = utf8("L".repeat(100_000));
  bench.append("a");
  outbox.share(utf8("b"));
  bench.append("c");
  outbox.share(large);
  bench.append("d");
  outbox.share(utf8("e"));
  outbox.share(utf8("f"));
  void outbox.flush();
  const seen: string[] = [];
  while (outbox.buffered > 0) {
    seen.push(gated.last);
    await gated.take();
  }
  assertEquals(seen.join(""), `abc${"L".repeat(100_000)}def`);
});

Deno.test("Outbox writes a large shared chunk from where it is", async () => {
  const bench = new Bench();
  const { outbox, gated } = bench;
  const large = new Uint8Array(100_000);
  outbox.share(large);
  void outbox.flush();
  assertStrictEquals(gated.writes[0]?.buffer, large.buffer);
  await gated.take();
});

Deno.test("Outbox joins small shared chunks into one write", async () => {
  const bench = new Bench();
  const { outbox, gated } = bench;
  for (let i = 0; i < 100; i++) outbox.share(utf8(`${i % 10}`));
  void outbox.flush();
  assertEquals(gated.last, "0123456789".repeat(10));
  await gated.take();
  assertEquals(outbox.buffered, 0);
});

Deno.test("Outbox tells once when it has fallen to the mark", async () => {
  const bench = new Bench();
  const { outbox, gated, told } = bench;
  bench.append("a".repeat(10));
  void outbox.flush();
  bench.append("b".repeat(10));
  outbox.notifyAt(5);
  await gated.take();
  assertEquals([told, outbox.buffered], [[], 10]);
  await gated.take(5);
  await gated.take();
  assertEquals(told, ["drained"]);
  bench.append("c");
  void outbox.flush();
  await gated.take();
  assertEquals(told, ["drained"]);
});

Deno.test("Outbox.flushed() waits for everything, and for nothing when there is nothing", async () => {
  const bench = new Bench();
  const { outbox, gated } = bench;
  await outbox.flushed();
  bench.append("a");
  let done = false;
  const flushed = outbox.flushed().then(() => done = true);
  bench.append("b");
  await gated.take();
  assertEquals(done, false);
  await gated.take();
  await flushed;
});

Deno.test("Outbox tells of a failed write once, and forgets what is queued", async () => {
  const bench = new Bench();
  const { outbox, gated, told } = bench;
  bench.append("a");
  const flushed = outbox.flushed();
  bench.append("b");
  const error = new Deno.errors.BrokenPipe("gone");
  await gated.fail(error);
  await flushed;
  assertEquals(told, [error]);
  assertEquals([outbox.buffered, outbox.progressMs], [0, 0]);
  bench.append("c");
  assertEquals(outbox.flush(), undefined);
  assertEquals(gated.writes.length, 1);
});

Deno.test("Outbox.fail() is not undone by a write that ends later", async () => {
  for (const how of ["taken", "failed"]) {
    const bench = new Bench();
    const { outbox, gated, told } = bench;
    bench.append("abc");
    outbox.notifyAt(0);
    void outbox.flush();
    outbox.fail();
    await outbox.flushed();
    assertEquals(outbox.buffered, 0);
    if (how === "taken") await gated.take();
    else await gated.fail(new Deno.errors.BadResource("closed"));
    assertEquals([outbox.buffered, told], [0, []], how);
  }
});

Deno.test("Outbox knows when a write last made progress", async () => {
  const bench = new Bench();
  const { outbox, gated, clock } = bench;
  bench.append("abc");
  assertEquals(outbox.progressMs, 0);
  void outbox.flush();
  assertEquals(outbox.progressMs, 1000);
  await clock.advance(500);
  assertEquals(outbox.progressMs, 1000);
  await gated.take(1);
  assertEquals(outbox.progressMs, 1500);
  await gated.take();
  assertEquals(outbox.progressMs, 0);
});
