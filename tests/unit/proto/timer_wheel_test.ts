import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../../src/bytes/random.ts";
import { Timer, TimerWheel } from "../../../src/proto/timer_wheel.ts";

class Bell extends Timer {
  readonly rang: number[] = [];
  readonly #ring: ((bell: Bell, nowMs: number) => void) | undefined;

  constructor(ring?: (bell: Bell, nowMs: number) => void) {
    super();
    this.#ring = ring;
  }

  override expired(nowMs: number): void {
    this.rang.push(nowMs);
    this.#ring?.(this, nowMs);
  }
}

Deno.test("TimerWheel fires once, not early and at most a tick late", () => {
  for (const tickMs of [1, 7, 16]) {
    for (const delayMs of [0, 1, 15, 16, 17, 100, 999, 5000, 70_000]) {
      const wheel = new TimerWheel(3, tickMs, 64);
      const bell = new Bell();
      wheel.arm(bell, 3 + delayMs);
      for (let nowMs = 3; nowMs <= 3 + delayMs + 2 * tickMs; nowMs++) {
        wheel.advance(nowMs);
      }
      const [rangMs = NaN] = bell.rang;
      const what = `${delayMs} ms at ${tickMs} a tick rang at ${rangMs}`;
      assertEquals(bell.rang.length, 1, what);
      assert(rangMs >= 3 + delayMs && rangMs <= 3 + delayMs + tickMs, what);
      assertEquals(wheel.size, 0);
    }
  }
});

Deno.test("TimerWheel.arm() moves a timer that is armed", () => {
  const wheel = new TimerWheel(0, 1, 16);
  const bell = new Bell();
  wheel.arm(bell, 5);
  wheel.arm(bell, 40);
  assertEquals(wheel.size, 1);
  wheel.advance(39);
  assertEquals(bell.rang, []);
  wheel.arm(bell, 41);
  wheel.advance(50);
  assertEquals(bell.rang, [50]);
});

Deno.test("TimerWheel.arm() fires what is overdue at the next visit", () => {
  const wheel = new TimerWheel(1000, 16, 16);
  wheel.advance(1008);
  const bell = new Bell();
  wheel.arm(bell, 500);
  wheel.advance(1009);
  wheel.advance(1008 + 16);
  assertEquals(bell.rang.length, 1);
});

Deno.test("TimerWheel.cancel() does nothing to a timer that is not armed", () => {
  const wheel = new TimerWheel(0, 1, 16);
  const bell = new Bell();
  wheel.cancel(bell);
  wheel.arm(bell, 3);
  wheel.cancel(bell);
  wheel.cancel(bell);
  assertEquals(wheel.size, 0);
  wheel.advance(100);
  assertEquals(bell.rang, []);
});

Deno.test("TimerWheel lets a callback cancel a timer that is due in the same turn", () => {
  const wheel = new TimerWheel(0, 16, 16);
  const second = new Bell();
  const first = new Bell(() => wheel.cancel(second));
  wheel.arm(first, 10);
  wheel.arm(second, 10);
  wheel.advance(100);
  assertEquals([first.rang.length, second.rang.length], [1, 0]);
  assertEquals(wheel.size, 0);
});

Deno.test("TimerWheel lets a callback arm timers, itself included", () => {
  const wheel = new TimerWheel(0, 1, 16);
  const other = new Bell();
  const bell = new Bell((bell, nowMs) => {
    if (bell.rang.length < 3) wheel.arm(bell, nowMs + 100);
    wheel.arm(other, nowMs + 1);
  });
  wheel.arm(bell, 100);
  for (let nowMs = 0; nowMs < 1000; nowMs++) wheel.advance(nowMs);
  assertEquals(bell.rang, [100, 200, 300]);
  assertEquals(other.rang, [101, 201, 301]);
});

Deno.test("TimerWheel.advance() catches up after a pause of many turns", () => {
  const wheel = new TimerWheel(0, 16, 8);
  const bells = Array.from({ length: 50 }, () => new Bell());
  for (const [index, bell] of bells.entries()) wheel.arm(bell, index * 37);
  const later = new Bell();
  wheel.arm(later, 1_000_001);
  wheel.advance(1_000_000);
  assert(bells.every((bell) => bell.rang.length === 1));
  assertEquals(later.rang, []);
  wheel.advance(1_000_016);
  assertEquals(later.rang.length, 1);
});

Deno.test("TimerWheel.waitMs() never sleeps past a deadline", () => {
  const wheel = new TimerWheel(0, 16, 64);
  assertEquals(wheel.waitMs(0), undefined);
  const bell = new Bell();
  wheel.arm(bell, 5000);
  let nowMs = 0;
  for (let visits = 0; bell.rang.length === 0; visits++) {
    assert(visits < 1000, "the wheel never gets there");
    nowMs += Math.max(wheel.waitMs(nowMs)!, 1);
    wheel.advance(nowMs);
  }
  assert(nowMs >= 5000 && nowMs <= 5016, `rang at ${nowMs}`);
});

Deno.test("TimerWheel agrees with a sorted list under random use", () => {
  const seed = Number(Deno.env.get("PORTOLAN_SEED") ?? 20_240_607);
  const random = seededRandom(seed);
  const draw = (below: number): number => Math.floor(random() * below);
  const wheel = new TimerWheel(0, 4, 32);
  const bells = Array.from({ length: 40 }, () => new Bell());
  const dueMs = new Map<Bell, number>();
  for (let nowMs = 0; nowMs < 20_000; nowMs += draw(20)) {
    const bell = bells[draw(bells.length)]!;
    if (draw(4) === 0) {
      wheel.cancel(bell);
      dueMs.delete(bell);
    } else {
      const atMs = nowMs + draw(1000);
      wheel.arm(bell, atMs);
      dueMs.set(bell, atMs);
    }
    for (const bell of bells) bell.rang.length = 0;
    wheel.advance(nowMs);
    for (const bell of bells) {
      const atMs = dueMs.get(bell);
      if (bell.rang.length > 0) {
        assert(atMs !== undefined && atMs <= nowMs, `early, seed ${seed}`);
        dueMs.delete(bell);
      } else {
        const late = atMs !== undefined && atMs + wheel.tickMs < nowMs;
        assert(!late, `late, seed ${seed}`);
      }
    }
    assertEquals(wheel.size, dueMs.size, `seed ${seed}`);
  }
});
