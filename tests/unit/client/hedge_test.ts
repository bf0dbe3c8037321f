import { assertEquals, assertRejects } from "@std/assert";
import { hedge, type HedgeOptions } from "../../../src/client/hedge.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { turns } from "../../support/wait.ts";

/** Attempts that end when a test says so. */
function attempts(options: Partial<HedgeOptions> = {}) {
  const clock = new VirtualClock();
  const ends: PromiseWithResolvers<string>[] = [];
  const signals: AbortSignal[] = [];
  const result = hedge((signal, index) => {
    assertEquals(index, signals.length);
    signals.push(signal);
    ends.push(Promise.withResolvers());
    return ends[index]!.promise;
  }, { delayMs: 100, clock, ...options });
  return { clock, ends, signals, result };
}

Deno.test("hedge() makes one attempt if that ends in time", async () => {
  const { clock, ends, signals, result } = attempts();
  await clock.advance(99);
  ends[0]!.resolve("first");
  assertEquals(await result, "first");
  await clock.advance(1000);
  assertEquals(signals.map(({ aborted }) => aborted), [false]);
  assertEquals(clock.armed, 0);
});

Deno.test("hedge() takes the faster of two and aborts the other", async () => {
  for (const winner of [0, 1]) {
    const { clock, ends, signals, result } = attempts();
    await clock.advance(100);
    assertEquals(signals.length, 2);
    ends[winner]!.resolve("fast");
    assertEquals(await result, "fast");
    assertEquals(signals[winner]!.aborted, false);
    assertEquals(signals[1 - winner]!.aborted, true);
    ends[1 - winner]!.reject(new Error("Ignored"));
    await turns();
  }
});

Deno.test("hedge() fails as the first attempt if that ends before the delay", async () => {
  const { clock, ends, signals, result } = attempts();
  ends[0]!.reject(new Error("First"));
  await assertRejects(() => result, Error, "First");
  await clock.advance(1000);
  assertEquals(signals.length, 1);
});

Deno.test("hedge() outlives the failure of one attempt, not of both", async () => {
  const one = attempts();
  await one.clock.advance(100);
  one.ends[0]!.reject(new Error("First"));
  await turns();
  one.ends[1]!.resolve("second");
  assertEquals(await one.result, "second");

  const both = attempts();
  await both.clock.advance(100);
  both.ends[1]!.reject(new Error("Second"));
  await turns();
  both.ends[0]!.reject(new Error("First"));
  await assertRejects(() => both.result, Error, "First");
});

Deno.test("hedge() makes no second attempt that nobody pays for", async () => {
  let asked = 0;
  const mayHedge = () => ++asked > 1;
  const { clock, ends, signals, result } = attempts({ mayHedge });
  await clock.advance(1000);
  assertEquals([asked, signals.length], [1, 1]);
  ends[0]!.resolve("first");
  assertEquals(await result, "first");
});

Deno.test("hedge() aborts both attempts with its signal", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const { clock, signals, result } = attempts({ signal });
  await clock.advance(100);
  controller.abort(new Error("Enough"));
  await assertRejects(() => result, Error, "Enough");
  assertEquals(signals.map(({ reason }) => reason.message), [
    "Enough",
    "Enough",
  ]);
  const never = () => {
    throw new Error("Called");
  };
  await assertRejects(
    () => hedge(never, { delayMs: 1, signal }),
    Error,
    "Enough",
  );
});
