import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  ImpairedLink,
  type LinkFlow,
  type LinkPacket,
  MAX_HELD_BYTES,
} from "../../../../src/proto/link/impaired_link.ts";
import {
  completeImpairments,
  type Impairments,
} from "../../../../src/proto/link/impairments.ts";

interface Arrival {
  atMs: number;
  packet: LinkPacket<LinkFlow>;
}

/** A link in virtual time. */
class Bench {
  nowMs = 0;
  readonly arrived: Arrival[] = [];
  readonly flow: LinkFlow = { lastArrivalMs: 0 };
  readonly link: ImpairedLink<LinkFlow>;

  constructor(
    impairments: Impairments,
    { isReliable = false, seed = 1 }: { isReliable?: boolean; seed?: number } =
      {},
  ) {
    this.link = new ImpairedLink({
      impairments: completeImpairments(impairments),
      isReliable,
      seed,
      nowMs: 0,
      deliver: (packet) => this.arrived.push({ atMs: this.nowMs, packet }),
    });
  }

  send(
    size: number,
    { kind = "data", mark = 0, flow = this.flow }: {
      kind?: LinkPacket<LinkFlow>["kind"];
      mark?: number;
      flow?: LinkFlow;
    } = {},
  ): boolean {
    const bytes = new Uint8Array(size).fill(mark);
    return this.link.push({ kind, bytes, flow }, this.nowMs);
  }

  /** Lets time pass, stopping whenever something is due. */
  run(untilMs = Infinity): void {
    for (; this.link.dueMs <= untilMs && this.link.dueMs < Infinity;) {
      this.nowMs = this.link.dueMs;
      this.link.advance(this.nowMs);
    }
    if (untilMs !== Infinity) this.nowMs = untilMs;
  }

  change(impairments: Impairments): void {
    this.link.change(completeImpairments(impairments), this.nowMs);
  }

  get times(): number[] {
    return this.arrived.map(({ atMs }) => atMs);
  }

  get marks(): number[] {
    return this.arrived.map(({ packet }) => packet.bytes[0]!);
  }
}

Deno.test("ImpairedLink passes everything on at once when nothing is impaired", () => {
  const bench = new Bench({});
  for (let mark = 0; mark < 3; mark++) bench.send(1000, { mark });
  assertEquals(bench.marks, [0, 1, 2]);
  assertEquals(bench.link.heldBytes, 0);
});

Deno.test("ImpairedLink delays by its latency, and by up to its jitter without reordering", () => {
  const bench = new Bench({ latencyMs: 50, jitterMs: 40 });
  for (let mark = 0; mark < 100; mark++) bench.send(10, { mark });
  bench.run();
  assertEquals(bench.marks, Array.from({ length: 100 }, (_, at) => at));
  assert(bench.times.every((ms) => ms >= 50 && ms < 90));
  assert(bench.times.at(-1)! > 85, "jitter is used");
});

Deno.test("ImpairedLink lets jitter reorder if told to", () => {
  const bench = new Bench({ jitterMs: 40, jitterReorders: true });
  for (let mark = 0; mark < 100; mark++) bench.send(10, { mark });
  bench.run();
  assert(bench.marks.some((mark, at) => mark !== at));
  assertEquals(
    bench.marks.toSorted((a, b) => a - b),
    Array.from({ length: 100 }, (_, at) => at),
  );
});

Deno.test("ImpairedLink keeps its rate, and loses what its queue has no room for", () => {
  const bench = new Bench({ bytesPerSecond: 100_000, queueBytes: 10_000 });
  for (let sent = 0; sent < 20; sent++) bench.send(1000);
  bench.run();
  // 1,500 bytes pass at once, 10,000 wait.
  assertEquals(bench.link.counters.dropped, 9);
  assertEquals(bench.arrived.length, 11);
  assertAlmostEquals(bench.times.at(-1)!, 95, 0.001);
  bench.run(bench.nowMs + 1000);
  bench.arrived.length = 0;
  bench.send(1500);
  assertEquals(bench.arrived.length, 1, "an idle link passes a burst at once");
});

Deno.test("ImpairedLink takes a packet larger than its burst", () => {
  const bench = new Bench({ bytesPerSecond: 1000, burstBytes: 10 });
  bench.send(1010);
  bench.run();
  assertAlmostEquals(bench.times[0]!, 1000, 0.001);
});

Deno.test("ImpairedLink follows a change of rate with what waits", () => {
  const bench = new Bench({ bytesPerSecond: 1 });
  bench.send(1500);
  bench.send(1500);
  bench.send(1500);
  bench.run(1000);
  assertEquals(bench.arrived.length, 1);
  bench.change({ bytesPerSecond: 1500 });
  bench.run();
  assertAlmostEquals(bench.times[1]!, 2000, 1);
  assertAlmostEquals(bench.times[2]!, 3000, 1);
});

Deno.test("ImpairedLink lets pass what a trace lets pass, and wastes what nobody uses", () => {
  const bench = new Bench({ trace: [10, 10, 30] });
  bench.run(5);
  for (let mark = 0; mark < 4; mark++) bench.send(1500, { mark });
  bench.run();
  // The trace begins anew at 30: 10 and 30 become 40 and 60.
  assertEquals(bench.times, [10, 10, 30, 40]);
  bench.run(1000);
  bench.arrived.length = 0;
  for (let sent = 0; sent < 4; sent++) bench.send(750);
  bench.run();
  assertEquals(bench.times, [1000, 1000, 1000, 1000]);
});

Deno.test("ImpairedLink counts a trace by bytes: several small packets share an opportunity", () => {
  const bench = new Bench({ trace: [10] });
  for (let sent = 0; sent < 4; sent++) bench.send(500);
  bench.send(3000);
  bench.run();
  assertEquals(bench.times, [10, 10, 10, 20, 40]);
});

Deno.test("ImpairedLink loses about as many packets as it is told, in bursts as long as it is told", () => {
  const bench = new Bench({ burstEnterRate: 0.01, burstLeaveRate: 0.25 });
  let runs = 0;
  let wasLost = false;
  for (let sent = 0; sent < 20_000; sent++) {
    const before = bench.link.counters.lost;
    bench.send(1);
    const isLost = bench.link.counters.lost > before;
    if (isLost && !wasLost) runs++;
    wasLost = isLost;
  }
  const { lost } = bench.link.counters;
  // Gilbert: p / (p + r) of them, 1 / r at a time.
  assertAlmostEquals(lost / 20_000, 0.01 / 0.26, 0.01);
  assertAlmostEquals(lost / runs, 4, 0.7);
});

Deno.test("ImpairedLink duplicates, corrupts and reorders datagrams", () => {
  const bench = new Bench({
    duplicateRate: 0.1,
    corruptRate: 0.1,
    reorderRate: 0.1,
    reorderMs: 5,
  });
  for (let sent = 0; sent < 1000; sent++) {
    bench.nowMs = sent;
    bench.send(8);
    bench.run(sent + 0.5);
  }
  bench.run();
  const { duplicated, corrupted, reordered, deliveredPackets } =
    bench.link.counters;
  for (const count of [duplicated, corrupted, reordered]) {
    assert(count > 60 && count < 140, String(count));
  }
  assertEquals(deliveredPackets, 1000 + duplicated);
  const flipped = bench.arrived.filter(({ packet }) =>
    packet.bytes.some((byte) => byte !== 0)
  );
  assert(flipped.length >= corrupted);
  for (const { packet } of flipped) {
    const bits = packet.bytes.reduce(
      (sum, byte) => sum + byte.toString(2).replaceAll("0", "").length,
      0,
    );
    assertEquals(bits, 1);
  }
});

Deno.test("ImpairedLink sends a stream's lost segments again, in order", () => {
  const bench = new Bench({ lossRate: 0.3, latencyMs: 10, jitterMs: 10 }, {
    isReliable: true,
  });
  for (let mark = 0; mark < 100; mark++) bench.send(10, { mark });
  bench.send(0, { kind: "end" });
  bench.run();
  assertEquals(
    bench.marks.slice(0, 100),
    bench.marks.slice(0, 100).toSorted((a, b) => a - b),
  );
  assertEquals(bench.arrived.length, 101);
  assertEquals(bench.arrived.at(-1)!.packet.kind, "end");
  assert(bench.link.counters.lost > 20);
  assert(bench.times[99]! >= 210, "a retransmission takes 200 ms");
});

Deno.test("ImpairedLink keeps a stream standing still during an outage, and loses datagrams", () => {
  const stream = new Bench({ offline: true }, { isReliable: true });
  stream.send(10);
  assertEquals(stream.link.dueMs, Infinity);
  stream.nowMs = 500;
  stream.change({});
  assertEquals(stream.times, [500]);
  const datagrams = new Bench({ offline: true });
  datagrams.send(10);
  datagrams.change({});
  assertEquals(datagrams.arrived.length, 0);
  assertEquals(datagrams.link.counters.lost, 1);
});

Deno.test("ImpairedLink swallows all in a black hole, and says so", () => {
  const bench = new Bench({ blackHole: true }, { isReliable: true });
  assertEquals(bench.send(10), false);
  assertEquals(bench.send(0, { kind: "end" }), false);
  bench.change({});
  assertEquals(bench.send(10), true);
  assertEquals(bench.arrived.length, 1);
  assertEquals(bench.link.counters.swallowedBytes, 10);
});

Deno.test("ImpairedLink spaces slices, and ends late if told to", () => {
  const bench = new Bench({ sliceDelayMs: 7, slowCloseMs: 100 }, {
    isReliable: true,
  });
  for (let sent = 0; sent < 3; sent++) bench.send(1);
  bench.send(0, { kind: "end" });
  bench.run();
  assertEquals(bench.times, [7, 14, 21, 100]);
});

Deno.test("ImpairedLink keeps the order within each flow alone", () => {
  const bench = new Bench({ jitterMs: 100 });
  const flows = [{ lastArrivalMs: 0 }, { lastArrivalMs: 0 }];
  for (let mark = 0; mark < 100; mark++) {
    bench.send(1, { mark, flow: flows[mark % 2]! });
  }
  bench.run();
  assert(bench.marks.some((mark, at) => mark !== at));
  for (const odd of [0, 1]) {
    const marks = bench.marks.filter((mark) => mark % 2 === odd);
    assertEquals(marks, marks.toSorted((a, b) => a - b));
  }
});

Deno.test("ImpairedLink holds a bounded number of bytes", () => {
  const bench = new Bench({ latencyMs: 1e6 });
  for (let sent = 0; sent < 2000; sent++) bench.send(65_000);
  assert(bench.link.heldBytes <= MAX_HELD_BYTES);
  assert(bench.link.counters.dropped > 900);
});

Deno.test("ImpairedLink decides alike by the same seed, and otherwise by another", () => {
  const decisions = (seed: number, latencyMs: number) => {
    const bench = new Bench({
      lossRate: 0.2,
      duplicateRate: 0.1,
      corruptRate: 0.1,
      latencyMs,
    }, { seed });
    for (let mark = 0; mark < 200; mark++) bench.send(4, { mark });
    bench.run();
    return bench.arrived.map(({ packet }) => [...packet.bytes]);
  };
  assertEquals(decisions(5, 0), decisions(5, 0));
  assertEquals(decisions(5, 0), decisions(5, 80));
  assert(
    JSON.stringify(decisions(5, 0)) !== JSON.stringify(decisions(6, 0)),
  );
});
