import { setImmediate } from "node:timers";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { alarm, sleep } from "../../../src/io/clock.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";

Deno.test("VirtualClock fires timers in order, at their time", async () => {
  const clock = new VirtualClock(0);
  const rang: [string, number][] = [];
  for (const delayMs of [5000, 1, 70_000, 5000, 0, 12.5]) {
    alarm(clock, delayMs, () => rang.push([`${delayMs}`, clock.now()]));
  }
  await clock.advance(69_999);
  assertEquals(rang, [
    ["0", 0],
    ["1", 1],
    ["12.5", 13],
    ["5000", 5000],
    ["5000", 5000],
  ]);
  assertEquals(clock.now(), 69_999);
  assertEquals(clock.armed, 1);
  await clock.advance(1);
  assertEquals(rang.at(-1), ["70000", 70_000]);
  assertEquals(clock.armed, 0);
});

Deno.test("VirtualClock lets all that a timer sets off happen before the next", async () => {
  const clock = new VirtualClock(0);
  const log: string[] = [];
  alarm(clock, 10, async () => {
    for (let step = 0; step < 100; step++) await undefined;
    await new Promise((resolve) => setImmediate(resolve));
    log.push(`promises at ${clock.now()}`);
    await sleep(clock, 1);
    log.push(`slept until ${clock.now()}`);
  });
  alarm(clock, 12, () => log.push(`timer at ${clock.now()}`));
  await clock.advance(20);
  assertEquals(log, ["promises at 10", "slept until 11", "timer at 12"]);
});

Deno.test("VirtualClock waits for turns of the event loop as long as they arm timers", async () => {
  const clock = new VirtualClock(0);
  let turns = 0;
  const turn = () => {
    clock.cancel(alarm(clock, 1, () => {}));
    if (++turns < 50) setImmediate(turn);
  };
  alarm(clock, 5, turn);
  alarm(clock, 6, () => assertEquals(turns, 50));
  await clock.advance(10);
  assertEquals(turns, 50);
});

Deno.test("VirtualClock.cancel() disarms a timer, and arm() moves it", async () => {
  const clock = new VirtualClock();
  let rang = 0;
  const timer = alarm(clock, 5, () => rang++);
  clock.cancel(timer);
  clock.cancel(timer);
  await clock.advance(10);
  assertEquals(rang, 0);
  clock.arm(timer, 5);
  clock.arm(timer, 50);
  await clock.advance(49);
  assertEquals(rang, 0);
  await clock.advance(1);
  assertEquals(rang, 1);
});

Deno.test("VirtualClock.runUntil() returns what the promise is resolved with, and when", async () => {
  const clock = new VirtualClock(0);
  const work = async () => {
    await clock.sleep(3_000_000);
    return "much later";
  };
  const limitMs = 3_000_001;
  assertEquals(await clock.runUntil(work(), { limitMs }), "much later");
  assertEquals(clock.now(), 3_000_000);
  assertEquals(await clock.runUntil(Promise.resolve(1)), 1);
  assertEquals(clock.now(), 3_000_000);
});

Deno.test("VirtualClock.runUntil() rejects as the promise does", async () => {
  const clock = new VirtualClock();
  const work = async () => {
    await clock.sleep(5);
    throw new TypeError("Cannot do it");
  };
  await assertRejects(() => clock.runUntil(work()), TypeError, "Cannot do it");
});

Deno.test("VirtualClock.runUntil() tells a promise that nothing can settle", async () => {
  const clock = new VirtualClock(0);
  await assertRejects(
    () => clock.runUntil(new Promise(() => {})),
    Error,
    "Cannot go on: the promise is pending and no timer is armed: current value of the clock is 0",
  );
  const beat = () => void alarm(clock, 1000, beat);
  beat();
  await assertRejects(
    () => clock.runUntil(new Promise(() => {}), { limitMs: 10_500 }),
    Error,
    "Cannot go on: the promise is pending after 10500 ms: current value of the clock is 10000",
  );
});

Deno.test("VirtualClock refuses to be driven twice at once", async () => {
  const clock = new VirtualClock();
  const advancing = clock.advance(5);
  await assertRejects(() => clock.advance(5), TypeError, "sleep()");
  await advancing;
  await clock.advance(5);
});

Deno.test("VirtualClock.jump() makes what was due meanwhile late", async () => {
  const clock = new VirtualClock(0);
  const rang: number[] = [];
  for (const delayMs of [10, 2000, 500_000]) {
    alarm(clock, delayMs, () => rang.push(clock.now()));
  }
  clock.jump(3000);
  assertEquals(rang, []);
  await clock.advance(0);
  assertEquals(rang, [3000, 3000]);
  const sleeping = clock.runUntil(clock.sleep(1000));
  clock.jump(600_000);
  await sleeping;
  assertEquals(rang, [3000, 3000, 603_000]);
  assertThrows(() => clock.jump(-1), RangeError, "current value is -1");
});

Deno.test("VirtualClock.sleep() ends early when its signal is aborted", async () => {
  const clock = new VirtualClock(0);
  const controller = new AbortController();
  const sleeping = clock.sleep(1000, controller.signal);
  alarm(clock, 10, () => controller.abort());
  await clock.runUntil(sleeping);
  assertEquals(clock.now(), 10);
  assertEquals(clock.armed, 0);
});
