import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../../../src/bytes/random.ts";
import type { Outcome } from "../../../../src/proto/resilience/health.ts";
import { RetryBudget } from "../../../../src/proto/resilience/retry_budget.ts";

const OK: Outcome = { ok: true, latencyMs: 1, kind: "answered" };
const FAILED: Outcome = { ok: false, latencyMs: 1, kind: "refused" };

Deno.test("RetryBudget lets a fifth of the successes pay for retries", () => {
  const budget = new RetryBudget({ minPerSecond: 0 }, 0);
  for (let n = 0; n < 100; n++) budget.record(OK, 0);
  for (let n = 0; n < 100; n++) budget.record(FAILED, 0);
  assertEquals(budget.balance(0), 20);
  for (let n = 0; n < 20; n++) assert(budget.tryWithdraw(0));
  assertEquals(budget.tryWithdraw(0), false);
});

Deno.test("RetryBudget keeps a reserve, which time fills again", () => {
  const budget = new RetryBudget({ minPerSecond: 2, windowMs: 1000 }, 0);
  assert(budget.tryWithdraw(0));
  assert(budget.tryWithdraw(0));
  assertEquals(budget.tryWithdraw(999), false);
  assertEquals(budget.balance(1000), 2);
});

Deno.test("RetryBudget forgets successes after its window", () => {
  const budget = new RetryBudget({ minPerSecond: 0, windowMs: 1000 }, 0);
  for (let n = 0; n < 10; n++) budget.record(OK, 0);
  assertEquals(budget.balance(999), 2);
  assertEquals(budget.balance(1000), 0);
});

Deno.test("RetryBudget stops a storm: attempts stay near requests", () => {
  const seed = 3;
  const random = seededRandom(seed);
  const budget = new RetryBudget({ minPerSecond: 1 }, 0);
  let requests = 0;
  let attempts = 0;
  for (let nowMs = 0; nowMs < 120_000; nowMs += 5) {
    requests++;
    // From the first minute on nothing works, and each request is tried five times if it may.
    const failureRate = nowMs < 60_000 ? 0.1 : 1;
    for (let tries = 0; tries < 5; tries++) {
      attempts++;
      const ok = random() >= failureRate;
      budget.record(ok ? OK : FAILED, nowMs);
      if (ok || !budget.tryWithdraw(nowMs)) break;
    }
  }
  const ratio = attempts / requests;
  assert(ratio > 1.05 && ratio < 1.2, `${ratio} attempts, seed ${seed}`);
});
