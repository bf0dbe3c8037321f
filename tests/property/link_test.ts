import { assert, assertEquals } from "@std/assert";
import {
  ImpairedLink,
  type LinkFlow,
} from "../../src/proto/link/impaired_link.ts";
import {
  completeImpairments,
  type Impairments,
} from "../../src/proto/link/impairments.ts";
import { checkProperty, fc } from "../support/property.ts";

const share = fc.oneof(
  fc.constant(0),
  fc.double({ min: 0, max: 0.9, noNaN: true }),
);
const durationMs = fc.oneof(
  fc.constant(0),
  fc.double({ min: 0, max: 500, noNaN: true }),
);

const impairments: fc.Arbitrary<Impairments> = fc.record({
  latencyMs: durationMs,
  jitterMs: durationMs,
  jitterReorders: fc.boolean(),
  bytesPerSecond: fc.oneof(
    fc.constant(Infinity),
    fc.integer({ min: 10, max: 1e7 }),
  ),
  burstBytes: fc.integer({ min: 1, max: 10_000 }),
  queueBytes: fc.integer({ min: 1, max: 100_000 }),
  trace: fc.oneof(
    fc.constant([]),
    fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 })
      .map((times) => times.toSorted((a, b) => a - b)),
  ),
  lossRate: share,
  burstEnterRate: share,
  duplicateRate: share,
  reorderRate: share,
  sliceDelayMs: fc.oneof(fc.constant(0), durationMs),
  offline: fc.boolean(),
}, { requiredKeys: [] });

type Step = { send: number; flow: number } | { wait: number } | {
  change: Impairments;
};

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        send: fc.integer({ min: 0, max: 3000 }),
        flow: fc.integer({ min: 0, max: 2 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ wait: durationMs }) },
    { weight: 1, arbitrary: fc.record({ change: impairments }) },
  ),
  { maxLength: 60, size: "max" },
);

interface Run {
  sent: number[][];
  arrived: number[][];
  early: number;
  link: ImpairedLink<LinkFlow & { index: number }>;
}

/** Plays the steps, ends every outage, and lets all arrive. */
function play(isReliable: boolean, seed: number, all: Step[]): Run {
  let nowMs = 0;
  let latencyMs = 0;
  const flows = [0, 1, 2].map((index) => ({ index, lastArrivalMs: 0 }));
  const sentAt: number[] = [];
  const run: Run = {
    sent: [[], [], []],
    arrived: [[], [], []],
    early: 0,
    link: new ImpairedLink({
      impairments: completeImpairments({}),
      isReliable,
      seed,
      nowMs,
      deliver({ flow, bytes }) {
        const number = new DataView(bytes.buffer).getUint32(0);
        run.arrived[flow.index]!.push(number);
        if (nowMs < sentAt[number]! + latencyMs) run.early++;
      },
    }),
  };
  const { link } = run;
  const advance = (untilMs: number) => {
    while (link.dueMs <= untilMs && link.dueMs < Infinity) {
      nowMs = Math.max(nowMs, link.dueMs);
      link.advance(nowMs);
    }
    if (untilMs !== Infinity) nowMs = untilMs;
  };
  for (const step of all) {
    if ("wait" in step) advance(nowMs + step.wait);
    else if ("send" in step) {
      const bytes = new Uint8Array(4 + step.send);
      new DataView(bytes.buffer).setUint32(0, sentAt.length);
      run.sent[step.flow]!.push(sentAt.length);
      sentAt.push(nowMs);
      link.push({ kind: "data", bytes, flow: flows[step.flow]! }, nowMs);
    } else {
      // What is under way keeps the latency that it left with.
      latencyMs = Math.min(latencyMs, step.change.latencyMs ?? 0);
      link.change(completeImpairments(step.change), nowMs);
    }
  }
  link.change(completeImpairments({}), nowMs);
  advance(Infinity);
  return run;
}

Deno.test("ImpairedLink delivers all of every stream, in order and never early, whatever is done to it", () => {
  checkProperty(fc.tuple(fc.integer(), steps), ([seed, all]) => {
    const { sent, arrived, early, link } = play(true, seed, all);
    assertEquals(arrived, sent);
    assertEquals(early, 0);
    assertEquals(link.heldBytes, 0);
  });
});

Deno.test("ImpairedLink accounts for every datagram: delivered, lost, dropped or twice", () => {
  checkProperty(fc.tuple(fc.integer(), steps), ([seed, all]) => {
    const { sent, arrived, early, link } = play(false, seed, all);
    const { packets, lost, dropped, duplicated, deliveredPackets } =
      link.counters;
    assertEquals(packets, sent.flat().length);
    assertEquals(packets - lost - dropped + duplicated, deliveredPackets);
    assertEquals(arrived.flat().length, deliveredPackets);
    const wereSent = new Set(sent.flat());
    assert(arrived.flat().every((number) => wereSent.has(number)));
    assertEquals(early, 0);
    assertEquals(link.heldBytes, 0);
  });
});

Deno.test("ImpairedLink does the same again by the same seed", () => {
  checkProperty(
    fc.tuple(fc.boolean(), fc.integer(), steps),
    ([isReliable, seed, all]) => {
      const one = play(isReliable, seed, all);
      const two = play(isReliable, seed, all);
      assertEquals(one.arrived, two.arrived);
      assertEquals(one.link.counters, two.link.counters);
    },
    100,
  );
});
