import { assert, assertEquals, assertThrows } from "@std/assert";
import { KeyedLimit } from "../../../../src/proto/security/keyed_limit.ts";
import { checkProperty, fc } from "../../../support/property.ts";

Deno.test("KeyedLimit.tryTake() takes nothing on credit", () => {
  const limit = new KeyedLimit({ ratePerSecond: 2, burst: 1 });
  assertEquals(limit.tryTake("ada", 0), 0);
  for (let tries = 0; tries < 1_000; tries++) {
    assertEquals(limit.tryTake("ada", 0), 500);
  }
  assertEquals(limit.tryTake("ada", 500), 0);
});

Deno.test("KeyedLimit.take() makes each taker wait for those before", () => {
  const limit = new KeyedLimit({ ratePerSecond: 10, burst: 1 });
  assertEquals([0, 0, 0].map(() => limit.take("ada", 0)), [0, 100, 200]);
});

Deno.test("KeyedLimit forgets keys that have their whole allowance back", () => {
  const limit = new KeyedLimit({ ratePerSecond: 1, burst: 1, maxKeys: 100 });
  for (let second = 0; second < 10_000; second++) {
    limit.tryTake(`key ${second}`, second * 1_000);
  }
  assert(limit.size < 10, `${limit.size}`);
});

Deno.test("KeyedLimit forgets nobody who is owed time, however many keys come", () => {
  const limit = new KeyedLimit({ ratePerSecond: 0.01, burst: 2, maxKeys: 50 });
  assertEquals(limit.tryTake("mallory", 0), 0);
  assertEquals(limit.tryTake("mallory", 0), 0);
  let taken = 0;
  for (let n = 0; n < 10_000; n++) {
    if (limit.tryTake(`other ${n}`, n / 100) === 0) taken++;
  }
  assertEquals(limit.size, 50);
  assert(limit.tryTake("mallory", 100) > 0, "its bucket was not made new");
  // 49 keys with a bucket of their own, and one allowance for all others.
  assert(taken <= 49 + 3, `${taken}`);
});

Deno.test("KeyedLimit refuses options that make no limit", () => {
  for (const ratePerSecond of [0, -1, NaN, Infinity]) {
    assertThrows(
      () => new KeyedLimit({ ratePerSecond }),
      RangeError,
      "'ratePerSecond' must be a number above 0",
    );
  }
  assertThrows(
    () => new KeyedLimit({ ratePerSecond: 1, burst: 0.5 }),
    RangeError,
    "'burst' must be 1 or more: current value is 0.5",
  );
});

Deno.test("KeyedLimit grants each key no more than its rate and burst", () => {
  const steps = fc.array(
    fc.tuple(fc.constantFrom("a", "b", "c", "d", "e", "f"), fc.nat(2_000)),
    { maxLength: 200 },
  );
  checkProperty(
    fc.tuple(steps, fc.integer({ min: 1, max: 8 })),
    ([steps, maxKeys]) => {
      const limit = new KeyedLimit({ ratePerSecond: 2, burst: 3, maxKeys });
      const granted = new Map<string, number>();
      let nowMs = 0;
      for (const [key, pauseMs] of steps) {
        nowMs += pauseMs;
        if (limit.tryTake(key, nowMs) === 0) {
          granted.set(key, (granted.get(key) ?? 0) + 1);
        }
        assert(limit.size <= maxKeys);
      }
      for (const count of granted.values()) {
        // A key may have drawn on the shared allowance and then on its own.
        const most = 2 * (3 + nowMs / 1_000 * 2);
        assert(count <= most + 1e-6, `${count} > ${most}`);
      }
    },
  );
});
