import { assert, assertEquals } from "@std/assert";
import { BalanceMachine } from "../../src/proto/balance/machine.ts";
import type { BalanceInput } from "../../src/proto/balance/messages.ts";
import { BALANCE_POLICIES } from "../../src/proto/balance/policies.ts";
import {
  replayBalance,
  TracedBalanceMachine,
} from "../../src/proto/balance/trace.ts";
import { checkProperty, fc } from "../support/property.ts";

const NAMES = ["a", "b", "c", "d"];

const name = fc.constantFrom(...NAMES);
const action = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ do: "open" } as const) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("ended", "failed", "answered"),
      which: fc.nat(1000),
      ok: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("drain", "ready", "remove", "add"),
      backend: name,
      maxConnections: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("checked"),
      backend: name,
      ok: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("wait"),
      ms: fc.integer({ min: 1, max: 400 }),
    }),
  },
);

const inputs = fc.record({
  policy: fc.constantFrom(...BALANCE_POLICIES),
  seed: fc.nat(1000),
  steps: fc.array(action, { minLength: 1, maxLength: 80 }),
});

Deno.test("BalanceMachine keeps its counts, its limits and its word, whatever happens", () => {
  checkProperty(inputs, ({ policy, seed, steps }) => {
    const lines: string[] = [];
    const limit = 3;
    const options = {
      policy,
      backends: NAMES.slice(0, 3).map((name) => ({
        name,
        maxConnections: limit,
      })),
      maxQueue: 4,
      queueMs: 200,
      stickyMs: 100,
      health: { fall: 1, rise: 1 },
      ejection: { consecutiveFailures: 2, openMs: 100 },
    } as const;
    const machine: BalanceMachine = new TracedBalanceMachine(
      options,
      seed,
      0,
      (line) => void lines.push(line),
    );
    /** Where each connection is: at a backend, or waiting. */
    const model = new Map<number, string | undefined>();
    const limits = new Map<string, number>(
      NAMES.slice(0, 3).map((one) => [one, limit]),
    );
    const draining = new Set<string>();
    let nowMs = 0;
    let lastId = 0;
    const take = (input: BalanceInput) => {
      for (const output of machine.take(input, nowMs)) {
        if (output.type === "status") continue;
        const { id } = output;
        assert(model.has(id), `${id} is known`);
        if (output.type === "refuse") model.delete(id);
        else if (output.type === "wait") model.set(id, undefined);
        else {
          model.set(id, output.backend);
          assert(!draining.has(output.backend), "it takes connections");
        }
      }
    };
    for (const step of steps) {
      nowMs++;
      switch (step.do) {
        case "open":
          model.set(++lastId, undefined);
          take({
            type: "connection",
            id: lastId,
            source: lastId % 5 === 0 ? undefined : `10.0.0.${lastId % 7}`,
          });
          break;
        case "ended":
        case "failed":
        case "answered": {
          const seated = [...model].filter(([, at]) => at !== undefined);
          if (seated.length === 0) break;
          const [id] = seated[step.which % seated.length]!;
          if (step.do === "ended") {
            model.delete(id);
            take({ type: "ended", id, ok: step.ok, latencyMs: 1 });
          } else take({ type: step.do, id, latencyMs: 1 });
          break;
        }
        case "add": {
          const { backend, maxConnections } = step;
          try {
            const isDraining = draining.delete(backend);
            limits.set(backend, maxConnections);
            const known = machine.report(nowMs)
              .find(({ name }) => name === backend);
            if (known !== undefined && !isDraining) throw new RangeError();
            take({ type: "add", backend: { name: backend, maxConnections } });
          } catch (error) {
            if (!(error instanceof RangeError)) throw error;
            const known = machine.report(nowMs)
              .find(({ name }) => name === backend);
            limits.set(backend, known?.maxConnections ?? limit);
            if (known?.status === "draining") draining.add(backend);
          }
          break;
        }
        case "drain":
        case "remove":
        case "ready":
          try {
            if (step.do === "ready") draining.delete(step.backend);
            else draining.add(step.backend);
            take({ type: step.do, backend: step.backend });
          } catch (error) {
            if (!(error instanceof RangeError)) throw error;
          }
          break;
        case "checked":
          take({ type: "checked", backend: step.backend, ok: step.ok });
          break;
        case "wait":
          nowMs += step.ms;
          take({ type: "time" });
      }
      const waiting = [...model.values()].filter((at) => at === undefined);
      assertEquals(machine.queued, waiting.length);
      assert(waiting.length <= 4);
      for (const { name, active, status } of machine.report(nowMs)) {
        const count = [...model.values()].filter((at) => at === name).length;
        assertEquals(active, count, `${name} has ${active}`);
        if (status !== "draining") draining.delete(name);
      }
    }
    assertEquals(replayBalance(lines).difference, undefined);
  });
});

Deno.test("BalanceMachine never gives a backend more than its maxConnections", () => {
  checkProperty(inputs, ({ policy, seed, steps }) => {
    const machine = new BalanceMachine(
      {
        policy,
        backends: NAMES.map((name, index) => ({
          name,
          maxConnections: index + 1,
        })),
      },
      seed,
      0,
    );
    let id = 0;
    const open: number[] = [];
    for (const [nowMs, step] of steps.entries()) {
      if (step.do === "ended" && open.length > 0) {
        const [gone] = open.splice(step.which % open.length, 1);
        machine.take(
          { type: "ended", id: gone!, ok: true, latencyMs: 1 },
          nowMs,
        );
      } else {
        open.push(++id);
        machine.take({ type: "connection", id, source: `${id}` }, nowMs);
      }
      for (const { active, maxConnections } of machine.report(nowMs)) {
        assert(active <= maxConnections!);
      }
    }
  });
});
