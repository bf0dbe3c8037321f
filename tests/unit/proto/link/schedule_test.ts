import { assertEquals, assertThrows } from "@std/assert";
import {
  MAX_CHANGES,
  outages,
  Schedule,
  type ScheduledChange,
} from "../../../../src/proto/link/schedule.ts";

function run(changes: ScheduledChange[], untilMs: number): string[] {
  const applied: string[] = [];
  let nowMs = 1000;
  const schedule = new Schedule(
    changes,
    nowMs,
    ({ set }) => applied.push(`${nowMs - 1000} ${JSON.stringify(set)}`),
  );
  while (schedule.dueMs <= 1000 + untilMs) {
    nowMs = schedule.dueMs;
    schedule.advance(nowMs);
  }
  return applied;
}

Deno.test("Schedule applies changes in order of time, once or again and again", () => {
  assertEquals(
    run([
      { atMs: 30, set: { lossRate: 0.5 } },
      { atMs: 5, everyMs: 20, set: { latencyMs: 1 } },
    ], 50),
    [
      '5 {"latencyMs":1}',
      '25 {"latencyMs":1}',
      '30 {"lossRate":0.5}',
      '45 {"latencyMs":1}',
    ],
  );
});

Deno.test("Schedule makes outages that end", () => {
  assertEquals(run(outages(10, 60), 130), [
    '50 {"offline":true}',
    '60 {"offline":false}',
    '110 {"offline":true}',
    '120 {"offline":false}',
  ]);
});

Deno.test("Schedule catches up after a pause, in order", () => {
  const states: boolean[] = [];
  const schedule = new Schedule(
    outages(10, 60),
    0,
    ({ set }) => states.push(set.offline!),
  );
  schedule.advance(125);
  assertEquals(states, [true, false, true, false]);
  assertEquals(schedule.dueMs, 170);
});

Deno.test("Schedule refuses times that make no sense, and too many of them", () => {
  const set = {};
  for (
    const change of [{ atMs: -1, set }, { atMs: NaN, set }, {
      atMs: 0,
      everyMs: 0,
      set,
    }]
  ) {
    assertThrows(() => new Schedule([change], 0, () => {}), RangeError);
  }
  const many = Array.from(
    { length: MAX_CHANGES + 1 },
    () => ({ atMs: 1, set }),
  );
  assertThrows(() => new Schedule(many, 0, () => {}), RangeError, "more than");
});
