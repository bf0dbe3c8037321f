import { assert, assertEquals } from "@std/assert";
import { alarm, sleep, systemClock } from "../../../src/io/clock.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { turns, within } from "../../support/wait.ts";

Deno.test("alarm() rings once, unless it is cancelled", async () => {
  const clock = new VirtualClock();
  const rang: string[] = [];
  alarm(clock, 10, () => rang.push("a"));
  const cancelled = alarm(clock, 10, () => rang.push("b"));
  clock.cancel(cancelled);
  await clock.advance(9);
  assertEquals(rang, []);
  await clock.advance(100);
  assertEquals(rang, ["a"]);
  assertEquals(clock.armed, 0);
});

Deno.test("alarm() never rings after an endless delay", async () => {
  for (const clock of [new VirtualClock(), systemClock]) {
    const timer = alarm(clock, Infinity, () => {
      throw new Error("It rang");
    });
    await turns();
    clock.cancel(timer);
  }
});

Deno.test("sleep() resolves after its delay and not before", async () => {
  const clock = new VirtualClock();
  let awake = false;
  void sleep(clock, 1000).then(() => awake = true);
  await clock.advance(999);
  assertEquals(awake, false);
  await clock.advance(1);
  assertEquals(awake, true);
});

Deno.test("systemClock keeps deadlines in order, whatever order they came in", async () => {
  const startMs = systemClock.now();
  const rang: number[] = [];
  const delays = [120, 0, 60, 30, 90];
  const timers = delays.map((delayMs) =>
    new Promise<void>((resolve) => {
      alarm(systemClock, delayMs, () => {
        const tookMs = systemClock.now() - startMs;
        assert(tookMs >= delayMs, `${delayMs} rang after ${tookMs}`);
        rang.push(delayMs);
        resolve();
      });
    })
  );
  // What it guards keeps a process alive, not the clock.
  await within("five alarms", Promise.all(timers));
  assertEquals(rang, [0, 30, 60, 90, 120]);
});

Deno.test("systemClock leaves no timer behind when all are cancelled", () => {
  const timers = [5, 5000, 50].map((delayMs) =>
    alarm(systemClock, delayMs, () => {})
  );
  for (const timer of timers) systemClock.cancel(timer);
  for (const timer of timers) systemClock.cancel(timer);
});
