import { assert, assertEquals, assertThrows } from "@std/assert";
import { BalanceMachine } from "../../../../src/proto/balance/machine.ts";
import type { BalanceOutput } from "../../../../src/proto/balance/messages.ts";
import type { BalanceMachineOptions } from "../../../../src/proto/balance/options.ts";
import {
  replayBalance,
  TracedBalanceMachine,
} from "../../../../src/proto/balance/trace.ts";

const A = { name: "a" };
const B = { name: "b" };
const C = { name: "c" };

function machine(options: BalanceMachineOptions): BalanceMachine {
  return new BalanceMachine(options, 1, 0);
}

/** What was decided, as `a`, `wait` or `refuse: WHY`. */
function said(outputs: readonly BalanceOutput[]): string[] {
  return outputs.filter(({ type }) => type !== "status").map((output) =>
    output.type === "pick"
      ? output.backend
      : output.type === "wait"
      ? "wait"
      : `refuse: ${output.why}`
  );
}

Deno.test("BalanceMachine lets connections wait in order, and refuses beyond its limits", () => {
  const it = machine({
    backends: [{ ...A, maxConnections: 1 }],
    maxQueue: 2,
    queueMs: 100,
  });
  const open = (id: number, nowMs: number) =>
    said(it.take({ type: "connection", id }, nowMs));
  assertEquals(open(1, 0), ["a"]);
  assertEquals(open(2, 0), ["wait"]);
  assertEquals(open(3, 50), ["wait"]);
  assertEquals(open(4, 50), ["refuse: full, and 2 wait"]);
  assertEquals(it.deadlineMs, 100);
  assertEquals(it.take({ type: "ended", id: 1, ok: true, latencyMs: 1 }, 60), [
    { type: "pick", id: 2, backend: "a", why: "round robin" },
  ]);
  assertEquals(said(it.take({ type: "time" }, 149)), []);
  assertEquals(said(it.take({ type: "time" }, 150)), [
    "refuse: no room within 100 ms",
  ]);
  assertEquals(it.deadlineMs, Infinity);
});

Deno.test("BalanceMachine gives those who wait to a backend that joins", () => {
  const it = machine({ backends: [{ ...A, maxConnections: 1 }] });
  it.take({ type: "connection", id: 1 }, 0);
  it.take({ type: "connection", id: 2 }, 0);
  assertEquals(said(it.take({ type: "add", backend: B }, 1)), ["b"]);
});

Deno.test("BalanceMachine tries others after a failure, and gives up after so many", () => {
  const it = machine({ backends: [A, B, C], maxRetries: 1 });
  assertEquals(said(it.take({ type: "connection", id: 1 }, 0)), ["a"]);
  const failed = { type: "failed", id: 1, latencyMs: 1 } as const;
  assertEquals(it.take(failed, 1), [
    { type: "pick", id: 1, backend: "b", why: "round robin; a failed" },
  ]);
  assertEquals(said(it.take(failed, 2)), ["refuse: a, b failed"]);
  assertEquals(said(it.take(failed, 3)), []);
  assertEquals(it.report(3).map(({ active, failed }) => [active, failed]), [
    [0, 1],
    [0, 1],
    [0, 0],
  ]);
});

Deno.test("BalanceMachine ejects who fails one time after another, probes it, and takes it back", () => {
  const it = machine({
    backends: [A, B],
    ejection: { consecutiveFailures: 2, openMs: 1000, probes: 1 },
  });
  let id = 0;
  const open = (nowMs: number) => {
    const [output] = it.take({ type: "connection", id: ++id }, nowMs);
    return output?.type === "pick" ? output.backend : "";
  };
  const end = (nowMs: number, ok: boolean) =>
    it.take({ type: "ended", id, ok, latencyMs: 0 }, nowMs);
  const told: BalanceOutput[] = [];
  for (let nowMs = 0; nowMs < 4; nowMs++) {
    const name = open(nowMs);
    told.push(...end(nowMs, name !== "b"));
  }
  assertEquals(told, [
    { type: "status", backend: "b", status: "ejected", why: "was up" },
  ]);
  assertEquals([open(5), open(6), open(7)], ["a", "a", "a"]);
  while (open(1100) !== "b") assert(id < 20, "it is probed");
  assertEquals([open(1101), open(1101)], ["a", "a"]);
  it.take({ type: "answered", id: id - 2, latencyMs: 1 }, 1103);
  assertEquals(it.report(1104)[1]!.status, "up");
});

Deno.test("BalanceMachine ignores health while too few are up, unless it is told never to", () => {
  for (const [panicThreshold, expected] of [[0.5, 3], [0, 1]] as const) {
    const it = machine({
      backends: [A, B, C],
      panicThreshold,
      health: { fall: 1 },
    });
    it.take({ type: "checked", backend: "a", ok: false }, 0);
    it.take({ type: "checked", backend: "b", ok: false }, 0);
    const names = new Set<string>();
    for (let id = 0; id < 9; id++) {
      const [output] = it.take({ type: "connection", id }, 1);
      assert(output?.type === "pick");
      names.add(output.backend);
      if (expected === 3) assert(output.why.includes("panic: 1 of 3 up"));
    }
    assertEquals(names.size, expected);
    it.take({ type: "checked", backend: "c", ok: false }, 2);
    const last = it.take({ type: "connection", id: 10 }, 3);
    assertEquals(last[0]!.type, panicThreshold === 0 ? "refuse" : "pick");
  }
});

Deno.test("BalanceMachine uses backups while no other is up", () => {
  const it = machine({
    backends: [A, { ...B, backup: true }],
    health: { fall: 1, rise: 1 },
  });
  const open = (id: number) =>
    it.take({ type: "connection", id }, id).map((output) =>
      output.type === "pick" ? `${output.backend}: ${output.why}` : ""
    );
  assertEquals(open(1), ["a: round robin"]);
  it.take({ type: "checked", backend: "a", ok: false }, 1);
  assertEquals(open(2), ["b: round robin; backup"]);
  it.take({ type: "checked", backend: "a", ok: true }, 2);
  assertEquals(open(3), ["a: round robin"]);
});

Deno.test("BalanceMachine starts a backend slowly that has come up or was added", () => {
  const it = machine({
    backends: [A],
    policy: "weighted",
    slowStartMs: 1000,
  });
  it.take({ type: "add", backend: { ...B, maxConnections: 100 } }, 0);
  const share = (fromMs: number) => {
    let count = 0;
    for (let n = 0; n < 100; n++) {
      const id = fromMs + n / 1000;
      const [output] = it.take({ type: "connection", id }, fromMs);
      if (output?.type === "pick" && output.backend === "b") count++;
      it.take({ type: "ended", id, ok: true, latencyMs: 0 }, fromMs);
    }
    return count;
  };
  assert(share(1) < 10);
  const half = share(500);
  assert(half > 28 && half < 38, `${half} at half time`);
  assertEquals(share(1000), 50);
});

Deno.test("BalanceMachine keeps sources where they were for a while, and remembers so many", () => {
  const it = machine({ backends: [A, B], stickyMs: 100, maxSticky: 2 });
  let id = 0;
  const open = (source: string, nowMs: number) => {
    const [output] = it.take({ type: "connection", id: ++id, source }, nowMs);
    assert(output?.type === "pick");
    return `${output.backend} ${output.why}`;
  };
  assertEquals(open("x", 0), "a round robin");
  assertEquals(open("y", 0), "b round robin");
  assertEquals(open("x", 90), "a sticky");
  assertEquals(open("x", 180), "a sticky");
  assertEquals(open("y", 181), "a round robin");
  assertEquals(open("z", 182), "b round robin");
  assertEquals(open("x", 183).includes("sticky"), false);
});

Deno.test("BalanceMachine reconfigures: who stays keeps its connections, who goes drains first", () => {
  const it = machine({ backends: [A, B] });
  it.take({ type: "connection", id: 1 }, 0);
  it.take({ type: "connection", id: 2 }, 0);
  it.take({
    type: "configure",
    options: { backends: [{ ...B, weight: 5 }, C], policy: "random-two" },
  }, 1);
  assertEquals(
    it.report(1).map(({ name, status, active, weight }) => [
      name,
      status,
      active,
      weight,
    ]),
    [["a", "draining", 1, 1], ["b", "up", 1, 5], ["c", "up", 0, 1]],
  );
  it.take({ type: "ended", id: 1, ok: true, latencyMs: 1 }, 2);
  assertEquals(it.report(2).map(({ name }) => name), ["b", "c"]);
  assertEquals(it.policy, "random-two");
});

Deno.test("BalanceMachine refuses what makes no sense, and changes nothing", () => {
  assertThrows(() => machine({ backends: [A, A] }), RangeError, "twice");
  assertThrows(
    () => machine({ backends: [{ ...A, weight: 1.5 }] }),
    RangeError,
    "whole number",
  );
  const it = machine({ backends: [A] });
  assertThrows(
    () => it.take({ type: "add", backend: A }, 0),
    RangeError,
    "it is there",
  );
  assertThrows(
    () => it.take({ type: "drain", backend: "z" }, 0),
    RangeError,
    "there are a: current value is z",
  );
  assertThrows(
    () => it.take({ type: "weight", backend: "a", weight: 0 }, 0),
    RangeError,
  );
  assertEquals(said(it.take({ type: "connection", id: 1 }, 1)), ["a"]);
  it.take({ type: "remove", backend: "a" }, 2);
  it.take({ type: "ended", id: 1, ok: true, latencyMs: 0 }, 3);
  assertEquals(said(it.take({ type: "connection", id: 2 }, 4)), [
    "refuse: no backends",
  ]);
});

Deno.test("replayBalance() finds the line at which a trace was changed", () => {
  const lines: string[] = [];
  const it = new TracedBalanceMachine(
    { backends: [A, B] },
    1,
    0,
    (line) => void lines.push(line),
  );
  for (let id = 0; id < 5; id++) it.take({ type: "connection", id }, id);
  assertEquals(replayBalance(lines), { steps: 5, picks: 5 });
  lines[3] = lines[3]!.replace('"backend":"a"', '"backend":"b"');
  assertEquals(replayBalance(lines).difference?.line, 4);
});
