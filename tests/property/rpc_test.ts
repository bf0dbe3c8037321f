import { assert, assertEquals } from "@std/assert";
import { DedupeWindow } from "../../src/proto/rpc/dedupe_window.ts";
import type { RpcCall } from "../../src/proto/rpc/server_call.ts";
import {
  DEFAULT_RPC_LIMITS,
  RpcServerMachine,
} from "../../src/proto/rpc/server_machine.ts";
import { checkProperty, fc } from "../support/property.ts";

const WINDOW_MS = 50;
const MAX_ENTRIES = 4;

const key = fc.constantFrom("a", "b", "c", "d", "e", "f");

// The window against a list that is searched from end to end

type WindowStep =
  | { do: "call"; key: string }
  | { do: "settle"; index: number }
  | { do: "wait"; ms: number };

const windowSteps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("call" as const), key }),
    fc.record({ do: fc.constant("settle" as const), index: fc.nat(10) }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.nat(40) }),
  ),
  { maxLength: 60, size: "max" },
);

interface Remembered {
  key: string;
  result: number | undefined;
  settledMs: number | undefined;
}

Deno.test("DedupeWindow does what a plain list does", () => {
  checkProperty(windowSteps, (steps: WindowStep[]) => {
    const limits = { ms: WINDOW_MS, maxEntries: MAX_ENTRIES };
    const window = new DedupeWindow<undefined>(limits);
    let list: Remembered[] = [];
    let nowMs = 0;
    let results = 0;
    for (const step of steps) {
      list = list.filter(({ settledMs = Infinity }) =>
        settledMs === Infinity || nowMs - settledMs < WINDOW_MS
      );
      if (step.do === "wait") {
        nowMs += step.ms;
      } else if (step.do === "settle") {
        const running = list.filter(({ settledMs }) => settledMs === undefined);
        const settled = running[step.index % running.length];
        if (settled === undefined) continue;
        settled.result = ++results;
        settled.settledMs = nowMs;
        const entry = window.get(settled.key, nowMs)!;
        window.settle(entry, { result: settled.result }, nowMs);
      } else {
        const known = list.find(({ key }) => key === step.key);
        const entry = window.get(step.key, nowMs);
        assertEquals(entry === undefined, known === undefined);
        if (known !== undefined) {
          const { result } = known;
          assertEquals(
            entry!.outcome,
            result === undefined ? undefined : { result },
          );
        } else {
          const opened = window.open(step.key, "m", undefined, nowMs);
          assertEquals(opened !== undefined, list.length < MAX_ENTRIES);
          if (opened !== undefined) {
            list.push({
              key: step.key,
              result: undefined,
              settledMs: undefined,
            });
          }
        }
        assertEquals(window.size, list.length);
      }
    }
  }, 1000);
});

// Whole connections: calls, cancellations, lost connections, deadlines, slow methods

type Step =
  | { do: "ask"; at: number; key: string | undefined; deadlineMs: number }
  | { do: "cancel"; at: number; id: number }
  | { do: "return"; index: number }
  | { do: "reconnect"; at: number }
  | { do: "wait"; ms: number };

const at = fc.nat(2);
const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("ask" as const),
        at,
        key: fc.option(key, { nil: undefined }),
        deadlineMs: fc.nat(100),
      }),
    },
    fc.record({ do: fc.constant("cancel" as const), at, id: fc.nat(20) }),
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant("return" as const),
        index: fc.nat(10),
      }),
    },
    fc.record({ do: fc.constant("reconnect" as const), at }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.nat(40) }),
  ),
  { maxLength: 80, size: "max" },
);

interface Answer {
  id: number;
  result?: number;
  error?: { code: number };
}

/** Answers that say nothing about what the method returned. */
const APART = [-32000, -32003, -32800];

class World {
  nowMs = 0;
  lastId = 0;
  results = 0;
  readonly window = new DedupeWindow<RpcCall>({
    ms: WINDOW_MS,
    maxEntries: MAX_ENTRIES,
  });
  readonly running: RpcCall[] = [];
  /** When the last method that was begun for a key returned, or was given up on; Infinity while it runs. */
  readonly untilMs = new Map<string, number>();
  readonly machines: RpcServerMachine[] = [];
  connections = [0, 1, 2].map(() => new Connection(this));

  begun(call: RpcCall): void {
    this.running.push(call);
    if (call.entry === undefined) return;
    const { key } = call.entry;
    const untilMs = this.untilMs.get(key) ?? -Infinity;
    assert(this.nowMs >= untilMs + WINDOW_MS, `${key} is carried out twice`);
    this.untilMs.set(key, Infinity);
  }

  /** Notes which calls the window has seen the end of. */
  look(): void {
    for (const { entry } of this.running) {
      if (entry?.outcome === undefined) continue;
      if (this.untilMs.get(entry.key) === Infinity) {
        this.untilMs.set(entry.key, this.nowMs);
      }
    }
  }

  return(index: number): void {
    const call = this.running[index % this.running.length];
    if (call === undefined) return;
    call.machine.settle(call, { result: ++this.results }, this.nowMs);
    this.look();
    this.running.splice(this.running.indexOf(call), 1);
  }

  wait(ms: number): void {
    for (; ms > 0; ms--) {
      this.nowMs++;
      for (const machine of this.machines) machine.advance(this.nowMs);
      this.look();
    }
  }
}

class Connection {
  readonly machine: RpcServerMachine;
  readonly asked = new Map<number, { key: string | undefined }>();
  readonly answers = new Map<number, Answer>();

  constructor(world: World) {
    this.machine = new RpcServerMachine(
      {
        has: () => true,
        start: (call) => world.begun(call),
        send: (message) => {
          const answer = message as unknown as Answer;
          assert(this.asked.has(answer.id), `nobody asked ${answer.id}`);
          assert(!this.answers.has(answer.id), `${answer.id} comes twice`);
          this.answers.set(answer.id, answer);
          return true;
        },
        unsendable: (error) => {
          throw error;
        },
        eased: () => {},
      },
      { ...DEFAULT_RPC_LIMITS, maxCallMs: 80 },
      world.window,
      "",
    );
    world.machines.push(this.machine);
  }
}

function take(world: World, step: Step): void {
  if (step.do === "wait") return world.wait(step.ms);
  if (step.do === "return") return world.return(step.index);
  const connection = world.connections[step.at]!;
  const { machine, asked } = connection;
  if (step.do === "reconnect") {
    machine.close();
    world.connections[step.at] = new Connection(world);
  } else if (step.do === "cancel") {
    const params = { id: step.id };
    const message = { jsonrpc: "2.0", method: "$/cancelRequest", params };
    machine.receive(message, world.nowMs);
  } else {
    const id = ++world.lastId;
    asked.set(id, { key: step.key });
    machine.receive({
      jsonrpc: "2.0",
      id,
      method: "m",
      deadline_ms: step.deadlineMs,
      ...(step.key === undefined ? {} : { idempotency_key: step.key }),
    }, world.nowMs);
  }
  world.look();
}

Deno.test("RpcServerMachine carries out each key once in its window, answers each request once, and forgets nothing", () => {
  checkProperty(steps, (steps: Step[]) => {
    const world = new World();
    for (const step of steps) take(world, step);
    world.wait(100);
    while (world.running.length > 0) world.return(0);
    for (const { asked, answers, machine } of world.connections) {
      assertEquals(answers.size, asked.size, "each request has an answer");
      assertEquals(machine.isFull, false);
    }
    for (const machine of world.machines) assertEquals(machine.pending, 0);
    assert(world.window.size <= MAX_ENTRIES);
  }, 1000);
});

Deno.test("RpcServerMachine tells all who ask by one key within the window the same", () => {
  checkProperty(steps, (steps: Step[]) => {
    const world = new World();
    for (const step of steps) {
      // The time of the test is shorter than the window.
      if (step.do !== "wait") take(world, step);
    }
    const results = new Map<string, unknown>();
    for (const { asked, answers } of world.connections) {
      for (const [id, { key }] of asked) {
        const answer = answers.get(id);
        if (key === undefined || answer === undefined) continue;
        if (answer.error && APART.includes(answer.error.code)) continue;
        const known = results.get(key) ?? answer.result;
        results.set(key, known);
        assertEquals(answer.result, known);
      }
    }
  }, 1000);
});
