import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type BreakerOptions,
  type BreakerSnapshot,
  CircuitBreaker,
} from "../../../../src/proto/resilience/breaker.ts";
import type {
  Outcome,
  OutcomeKind,
} from "../../../../src/proto/resilience/health.ts";

const OK: Outcome = { ok: true, latencyMs: 1, kind: "answered" };

function failure(latencyMs = 1, kind: OutcomeKind = "timed out"): Outcome {
  return { ok: false, latencyMs, kind };
}

/** A breaker that has just opened, at 100. */
function opened(options: BreakerOptions = {}): CircuitBreaker {
  const breaker = new CircuitBreaker({ consecutiveFailures: 1, ...options }, 0);
  breaker.record(failure(), 100);
  assertEquals(breaker.state, "open");
  return breaker;
}

Deno.test("CircuitBreaker opens by failures one after another", () => {
  const breaker = new CircuitBreaker({ consecutiveFailures: 3 }, 0);
  breaker.record(failure(), 10);
  breaker.record(failure(), 20);
  breaker.record(OK, 30);
  breaker.record(failure(), 40);
  breaker.record(failure(), 50);
  assertEquals(breaker.record(failure(), 60), {
    from: "closed",
    to: "open",
    trigger: "consecutive failures",
    atMs: 60,
  });
  assertEquals(breaker.admit(60), { admitted: false });
  assertEquals(breaker.probesFromMs, 5060);
});

Deno.test("CircuitBreaker opens by the share of failures, given enough traffic", () => {
  const options = { consecutiveFailures: Infinity, minimumThroughput: 10 };
  const breaker = new CircuitBreaker({ ...options, failureRate: 0.3 }, 0);
  for (let n = 0; n < 4; n++) {
    assertEquals(breaker.record(failure(), 10), undefined);
  }
  for (let n = 0; n < 10; n++) breaker.record(OK, 20);
  assertEquals(breaker.record(failure(), 30)?.trigger, "failure rate");
});

Deno.test("CircuitBreaker counts no failures from before the window", () => {
  const options = { consecutiveFailures: Infinity, minimumThroughput: 2 };
  const breaker = new CircuitBreaker({ ...options, windowMs: 1000 }, 0);
  breaker.record(failure(), 0);
  for (let n = 0; n < 4; n++) breaker.record(OK, 950);
  assertEquals(breaker.record(failure(), 1000), undefined);
  assertEquals(breaker.record(failure(), 1000), undefined);
  assertEquals(breaker.record(failure(), 1001), undefined);
  assertEquals(breaker.record(failure(), 1002)?.to, "open");
});

Deno.test("CircuitBreaker counts anew once it has closed again", () => {
  const options = { consecutiveFailures: Infinity, minimumThroughput: 4 };
  const breaker = new CircuitBreaker(
    { ...options, windowMs: 60_000, probes: 1 },
    0,
  );
  const half = [OK, OK, failure(), failure()];
  for (const outcome of half) breaker.record(outcome, 10);
  assertEquals(breaker.state, "open");
  breaker.admit(6000);
  breaker.record(OK, 6010);
  assertEquals(breaker.state, "closed");
  const states = half.map((outcome) => {
    breaker.record(outcome, 6020);
    return breaker.state;
  });
  assertEquals(states, ["closed", "closed", "closed", "open"]);
});

Deno.test("CircuitBreaker lets probes pass once its time is over", () => {
  const breaker = opened({ openMs: 1000, probes: 2 });
  assertEquals(breaker.admits(1099), false);
  assertEquals(breaker.admit(1099), { admitted: false });
  assert(breaker.admits(1100));
  assertEquals(breaker.state, "open");
  assertEquals(breaker.admit(1100), {
    admitted: true,
    transition: {
      from: "open",
      to: "half-open",
      trigger: "time to probe",
      atMs: 1100,
    },
  });
  assertEquals(breaker.admit(1101), { admitted: true });
  assertEquals(breaker.admits(1102), false);
  assertEquals(breaker.admit(1102), { admitted: false });
});

Deno.test("CircuitBreaker closes as soon as enough probes succeed", () => {
  const breaker = opened({ probes: 4, successRate: 0.5 });
  for (let n = 0; n < 4; n++) breaker.admit(5100 + n);
  assertEquals(breaker.record(OK, 5110), undefined);
  assertEquals(breaker.record(failure(), 5111), undefined);
  assertEquals(breaker.record(OK, 5112), {
    from: "half-open",
    to: "closed",
    trigger: "probes succeeded",
    atMs: 5112,
  });
});

Deno.test("CircuitBreaker opens again as soon as too many probes fail", () => {
  const breaker = opened({ probes: 4, successRate: 0.5 });
  for (let n = 0; n < 4; n++) breaker.admit(5100);
  assertEquals(breaker.record(failure(), 5110), undefined);
  assertEquals(breaker.record(failure(), 5111), undefined);
  assertEquals(breaker.record(failure(), 5112)?.trigger, "probes failed");
  assertEquals(breaker.probesFromMs, 10_112);
});

Deno.test("CircuitBreaker lets another probe pass for one that was cancelled", () => {
  const breaker = opened({ probes: 1 });
  breaker.admit(5100);
  assertEquals(breaker.admits(5101), false);
  breaker.record({ ok: false, latencyMs: 2, kind: "cancelled" }, 5102);
  assertEquals(breaker.state, "half-open");
  assertEquals(breaker.admit(5103), { admitted: true });
});

Deno.test("CircuitBreaker lets others pass for probes that never end", () => {
  const breaker = opened({ probes: 2, openMs: 1000 });
  breaker.admit(1100);
  breaker.admit(1200);
  assertEquals(breaker.admits(2199), false);
  assert(breaker.admits(2200));
  assertEquals(breaker.admit(2200), { admitted: true });
  assertEquals(breaker.admit(2200), { admitted: true });
  assertEquals(breaker.admit(2200), { admitted: false });
  // One that does end after all still counts.
  assertEquals(breaker.record({ ...OK, latencyMs: 1200 }, 2300)?.to, "closed");
});

Deno.test("CircuitBreaker ignores outcomes of attempts from before the change", () => {
  const breaker = opened({ probes: 1 });
  breaker.admit(5100);
  // It began at 90, when all was well, and says nothing about the probe.
  assertEquals(breaker.record(failure(5020), 5110), undefined);
  assertEquals(breaker.record({ ...OK, latencyMs: 5020 }, 5110), undefined);
  assertEquals(breaker.record(OK, 5120)?.to, "closed");
  assertEquals(breaker.record(failure(5100), 5130), undefined);
  assertEquals(breaker.state, "closed");
});

Deno.test("CircuitBreaker takes no offence at a caller who gives up", () => {
  const breaker = new CircuitBreaker({ consecutiveFailures: 1 }, 0);
  breaker.record(failure(1, "cancelled"), 10);
  assertEquals(breaker.state, "closed");
});

Deno.test("CircuitBreaker does not stay open for a clock that is set back", () => {
  const breaker = opened({ openMs: 1000 });
  assertEquals(breaker.admit(-1e9), { admitted: false });
  assertEquals(breaker.admit(-1e9 + 1000).admitted, true);
});

Deno.test("CircuitBreaker.from() continues what toJSON() exported", () => {
  const options = {
    consecutiveFailures: 4,
    minimumThroughput: 4,
    failureRate: 0.75,
  };
  const breaker = new CircuitBreaker(options, 1000);
  breaker.record(OK, 2000);
  breaker.record(failure(), 3000);
  breaker.record(failure(), 4000);
  const json = JSON.stringify(breaker);
  const other = CircuitBreaker.from(JSON.parse(json), options, 777_000);
  assertEquals(other.toJSON().consecutiveFailures, 2);
  assertEquals(other.record(failure(), 777_001)?.trigger, "failure rate");

  const open = JSON.parse(JSON.stringify(other));
  assertEquals([open.state, open.elapsedMs], ["open", 0]);
  const third = CircuitBreaker.from(open, options, 50);
  assertEquals(third.admits(5049), false);
  assertEquals(third.admit(5050).transition?.to, "half-open");
  const fourth = CircuitBreaker.from(third.toJSON(), options, 0);
  assertEquals(fourth.admit(0).transition?.to, "half-open");
});

Deno.test("CircuitBreaker.from() refuses what no breaker exported", () => {
  const good: BreakerSnapshot = new CircuitBreaker({}, 0).toJSON();
  for (
    const bad of [
      {},
      { ...good, state: "half-open" },
      { ...good, elapsedMs: "1" },
      { ...good, failures: 3 },
      { ...good, outcomes: [1, null] },
      { ...good, consecutiveFailures: -1 },
    ]
  ) {
    assertThrows(
      () => CircuitBreaker.from(bad as unknown as BreakerSnapshot, {}, 0),
      TypeError,
      "Cannot restore a circuit breaker",
    );
  }
});
