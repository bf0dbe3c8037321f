import { assertEquals } from "@std/assert";
import {
  HealthSignal,
  type Outcome,
} from "../../../../src/proto/resilience/health.ts";

Deno.test("HealthSignal.record() tells every listener, in order", () => {
  const heard: [string, Outcome, number][] = [];
  const listener = (name: string) => ({
    record: (outcome: Outcome, nowMs: number) =>
      heard.push([name, outcome, nowMs]),
  });
  const outcome: Outcome = { ok: true, latencyMs: 3, kind: "answered" };
  new HealthSignal([listener("a"), listener("b")]).record(outcome, 9);
  assertEquals(heard, [["a", outcome, 9], ["b", outcome, 9]]);
});
