import { assertEquals } from "@std/assert";
import { CircuitBreaker } from "../../src/proto/resilience/breaker.ts";
import type { OutcomeKind } from "../../src/proto/resilience/health.ts";
import { checkProperty, fc } from "../support/property.ts";

const OPTIONS = {
  failureRate: 0.5,
  minimumThroughput: 6,
  windowMs: 1000,
  consecutiveFailures: 4,
  openMs: 300,
  probes: 3,
  successRate: 0.6,
};
const PROBES_NEEDED = 2;

/** A breaker that keeps a list of everything and counts it anew each time. */
class DumbBreaker {
  state = "closed";
  sinceMs = 0;
  log: { atMs: number; ok: boolean }[] = [];
  probesOut = 0;
  probedMs = 0;

  admit(nowMs: number): boolean {
    if (this.state === "closed") return true;
    if (this.state === "open") {
      if (nowMs < this.sinceMs + OPTIONS.openMs) return false;
      this.enter("half-open", nowMs);
    }
    const left = OPTIONS.probes - this.log.length - this.probesOut;
    if (left <= 0) {
      if (nowMs < this.probedMs + OPTIONS.openMs) return false;
      this.probesOut = 0;
    }
    this.probesOut++;
    this.probedMs = nowMs;
    return true;
  }

  record(ok: boolean, kind: OutcomeKind, startMs: number, nowMs: number): void {
    if (this.state === "open" || startMs < this.sinceMs) return;
    if (this.state === "half-open") {
      this.probesOut = Math.max(this.probesOut - 1, 0);
    }
    if (kind === "cancelled") return;
    this.log.push({ atMs: nowMs, ok });
    if (this.state === "half-open") {
      const good = this.log.filter(({ ok }) => ok).length;
      if (good >= PROBES_NEEDED) this.enter("closed", nowMs);
      else if (this.log.length - good > OPTIONS.probes - PROBES_NEEDED) {
        this.enter("open", nowMs);
      }
    } else if (!ok && this.isBroken(nowMs)) this.enter("open", nowMs);
  }

  isBroken(nowMs: number): boolean {
    const { windowMs, minimumThroughput, failureRate } = OPTIONS;
    const tail = this.log.slice(-OPTIONS.consecutiveFailures);
    if (
      tail.length === OPTIONS.consecutiveFailures && tail.every(({ ok }) => !ok)
    ) return true;
    const segment = (ms: number) => Math.floor(ms / (windowMs / 10));
    const recent = this.log.filter(({ atMs }) =>
      segment(atMs) > segment(nowMs) - 10
    );
    const failed = recent.filter(({ ok }) => !ok).length;
    return recent.length >= minimumThroughput &&
      failed >= failureRate * recent.length;
  }

  enter(state: string, nowMs: number): void {
    this.state = state;
    this.sinceMs = nowMs;
    this.log = [];
    this.probesOut = 0;
  }
}

const step = fc.record({
  waitMs: fc.oneof(fc.nat(40), fc.nat(400)),
  /** Ends the attempt at this place among those in flight; none there: begins one. */
  end: fc.nat(6),
  kind: fc.constantFrom<OutcomeKind>(
    "answered",
    "answered",
    "answered",
    "timed out",
    "timed out",
    "cancelled",
  ),
  restart: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
});

Deno.test("CircuitBreaker does as one that counts everything anew", () => {
  let opened = 0;
  let closed = 0;
  checkProperty(fc.array(step, { minLength: 30, maxLength: 200 }), (steps) => {
    let breaker = new CircuitBreaker(OPTIONS, 0);
    const model = new DumbBreaker();
    const inFlight: number[] = [];
    let nowMs = 0;
    for (const { waitMs, end, kind, restart } of steps) {
      nowMs += waitMs;
      const startMs = inFlight.splice(end, 1)[0];
      const before = model.state;
      if (startMs === undefined) {
        const admitted = model.admit(nowMs);
        assertEquals(breaker.admits(nowMs), admitted);
        const admission = breaker.admit(nowMs);
        assertEquals(admission.admitted, admitted);
        assertEquals(admission.transition?.to ?? before, model.state);
        if (admitted) inFlight.push(nowMs);
      } else {
        const ok = kind === "answered";
        model.record(ok, kind, startMs, nowMs);
        const outcome = { ok, kind, latencyMs: nowMs - startMs };
        const transition = breaker.record(outcome, nowMs);
        assertEquals(transition?.to ?? before, model.state);
      }
      if (before !== "open" && model.state === "open") opened++;
      if (before === "half-open" && model.state === "closed") closed++;
      assertEquals(breaker.state, model.state);
      // Exported and restored at once, a closed or open breaker is the same.
      if (restart && model.state !== "half-open") {
        const json = JSON.parse(JSON.stringify(breaker));
        breaker = CircuitBreaker.from(json, OPTIONS, nowMs);
      }
    }
  }, 1000);
  // The property says nothing if the steps never get there.
  assertEquals([opened > 500, closed > 100], [true, true]);
});
