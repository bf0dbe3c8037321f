import { assertEquals } from "@std/assert";
import {
  type DedupeLimits,
  DedupeWindow,
} from "../../../../src/proto/rpc/dedupe_window.ts";
import type { RpcOutcome } from "../../../../src/proto/rpc/messages.ts";
import type { RpcCall } from "../../../../src/proto/rpc/server_call.ts";
import {
  DEFAULT_RPC_LIMITS,
  type RpcServerLimits,
  RpcServerMachine,
} from "../../../../src/proto/rpc/server_machine.ts";

interface Options extends RpcServerLimits {
  window?: DedupeWindow<RpcCall>;
  scope?: string;
}

/** A connection whose methods return when the test says so. */
class Harness {
  readonly machine: RpcServerMachine;
  readonly sent: unknown[] = [];
  readonly started: RpcCall[] = [];
  readonly unsendable: unknown[] = [];
  refuses: (message: unknown) => boolean = () => false;
  nowMs = 1000;

  constructor({ window, scope = "", ...limits }: Options = {}) {
    this.machine = new RpcServerMachine(
      {
        has: (method) => method !== "nothing",
        start: (call) => void this.started.push(call),
        send: (message) => {
          if (this.refuses(message)) throw new Error("unsendable");
          this.sent.push(message);
          return true;
        },
        unsendable: (error) => void this.unsendable.push(error),
        eased: () => {},
      },
      { ...DEFAULT_RPC_LIMITS, ...limits },
      window ?? new DedupeWindow(),
      scope,
    );
  }

  receive(message: unknown): void {
    this.machine.receive(message, this.nowMs);
  }

  /** A request for the method "work". */
  ask(id: unknown, more: object = {}): void {
    this.receive({ jsonrpc: "2.0", id, method: "work", ...more });
  }

  notify(method: string, params: unknown): void {
    this.receive({ jsonrpc: "2.0", method, params });
  }

  settle(index: number, outcome: RpcOutcome): void {
    this.machine.settle(this.started[index]!, outcome, this.nowMs);
  }

  advance(ms: number): void {
    this.nowMs += ms;
    this.machine.advance(this.nowMs);
  }

  /** What was sent since the last look, without what all answers have. */
  take(): unknown[] {
    return this.sent.splice(0).map(brief);
  }
}

/** `[id, result]`, or `[id, code]` and the reason if there is one. */
function brief(message: unknown): unknown {
  if (Array.isArray(message)) return message.map(brief);
  const { id, error, result, method, params } = message as Record<
    string,
    { code: number; data?: string }
  >;
  if (method !== undefined) return { method, params };
  if (error === undefined) return [id, result];
  return error.data === undefined
    ? [id, error.code]
    : [id, error.code, error.data];
}

const CANCELLED = -32800;
const DEADLINE = -32000;

Deno.test("RpcServerMachine answers in the order in which methods return", () => {
  const server = new Harness();
  server.ask(1, { params: { n: 1 } });
  server.ask("two");
  server.ask(null);
  assertEquals(server.started.map(({ params }) => params), [
    { n: 1 },
    undefined,
    undefined,
  ]);
  server.settle(2, { result: 3 });
  server.settle(0, { result: undefined });
  server.settle(1, { error: { code: 7, message: "no", data: [1] } });
  assertEquals(server.sent, [
    { jsonrpc: "2.0", id: null, result: 3 },
    { jsonrpc: "2.0", id: 1, result: null },
    {
      jsonrpc: "2.0",
      id: "two",
      error: { code: 7, message: "no", data: [1] },
    },
  ]);
  assertEquals(server.machine.pending, 0);
});

Deno.test("RpcServerMachine refuses what is no request, and names its id if it has one", () => {
  const server = new Harness();
  for (const id of [{}, [], true, [1]]) server.ask(id);
  for (const message of [1, "x", null, true, { jsonrpc: "2.0" }, {}]) {
    server.receive(message);
  }
  server.receive({ jsonrpc: "1.0", method: "work", id: 1 });
  server.receive({ jsonrpc: "2.0", method: ["work"], id: "a" });
  server.ask(2, { params: "text" });
  server.ask(3, { deadline_ms: "1000" });
  server.ask(4, { deadline_ms: NaN });
  server.ask(5, { stream: 0 });
  server.ask(6, { stream: "yes" });
  for (const key of ["", 1, "k".repeat(257)]) {
    server.ask(7, { idempotency_key: key });
  }
  server.ask(8, { idempotency_key: "k", stream: true });
  assertEquals(server.started, []);
  const ids = [1, "a", 2, 3, 4, 5, 6, 7, 7, 7, 8];
  assertEquals(
    (server.take() as unknown[][]).map(([id, code]) => [id, code]),
    [...Array(10).fill(null), ...ids].map((id) => [id, -32600]),
  );
});

Deno.test("RpcServerMachine takes null for no parameters", () => {
  const server = new Harness();
  server.ask(1, { params: null });
  assertEquals(server.started[0]!.params, undefined);
});

Deno.test("RpcServerMachine does not answer answers", () => {
  const server = new Harness();
  server.receive({ jsonrpc: "2.0", id: 1, result: 1 });
  server.receive({ jsonrpc: "2.0", id: null, error: { code: 1 } });
  server.receive({ id: 5, result: null });
  server.receive([{ jsonrpc: "2.0", id: 1, result: 1 }]);
  assertEquals(server.sent, []);
});

Deno.test("RpcServerMachine answers at once when there is no such method", () => {
  const server = new Harness();
  server.receive({ jsonrpc: "2.0", id: 1, method: "nothing" });
  server.receive({ jsonrpc: "2.0", method: "nothing" });
  server.receive({ jsonrpc: "2.0", method: "$/unknown" });
  assertEquals(server.take(), [[1, -32601]]);
});

Deno.test("RpcServerMachine answers a batch as one, when its last call has returned", () => {
  const server = new Harness();
  server.receive([
    { jsonrpc: "2.0", id: 1, method: "work" },
    { jsonrpc: "2.0", method: "work" },
    7,
    { jsonrpc: "2.0", id: 2, method: "nothing" },
    { jsonrpc: "2.0", id: 3, method: "work" },
  ]);
  server.settle(2, { result: "c" });
  assertEquals(server.take(), []);
  server.settle(0, { result: "a" });
  assertEquals(server.take(), [[
    [null, -32600, "a request is an object"],
    [2, -32601],
    [3, "c"],
    [1, "a"],
  ]]);
  server.settle(1, { result: "b" });
  assertEquals(server.take(), []);
});

Deno.test("RpcServerMachine answers a batch bomb with one error", () => {
  const server = new Harness({ maxBatch: 3 });
  const request = { jsonrpc: "2.0", id: 1, method: "work" };
  server.receive(Array(4).fill(request));
  server.receive([]);
  server.receive([[[request]], [request], request]);
  assertEquals(server.take(), [
    [null, -32600, "a batch has 1 to 3 messages"],
    [null, -32600, "a batch has 1 to 3 messages"],
  ]);
  assertEquals(server.started.length, 1);
});

Deno.test("RpcServerMachine aborts a call at its deadline, answers, and drops the late result", () => {
  const server = new Harness();
  let aborts = 0;
  server.ask(1, { deadline_ms: 100 });
  server.ask(2, { deadline_ms: 50.5 });
  server.started[0]!.onAbort = () => aborts++;
  assertEquals(server.machine.dueMs, 1050.5);
  server.advance(99);
  assertEquals(server.take(), [[2, DEADLINE]]);
  assertEquals(aborts, 0);
  assertEquals(server.machine.dueMs, 1100);
  server.advance(1);
  assertEquals(server.take(), [[1, DEADLINE]]);
  assertEquals(aborts, 1);
  assertEquals(server.started[0]!.aborted?.code, DEADLINE);
  server.settle(0, { result: "late" });
  server.advance(1000);
  assertEquals(server.take(), []);
  assertEquals(server.machine.dueMs, Infinity);
});

Deno.test("RpcServerMachine does not begin a call whose time is over", () => {
  const server = new Harness();
  server.ask(1, { deadline_ms: 0 });
  server.ask(2, { deadline_ms: -5 });
  server.ask(3, { deadline_ms: -Infinity });
  assertEquals(server.started, []);
  assertEquals(server.take(), [[1, DEADLINE], [2, DEADLINE], [3, DEADLINE]]);
});

Deno.test("RpcServerMachine lets no call and no notification run for longer than maxCallMs", () => {
  const server = new Harness({ maxCallMs: 200 });
  server.ask(1, { deadline_ms: 1e9 });
  server.ask(2, { deadline_ms: Infinity });
  server.ask(3);
  server.notify("work", {});
  assertEquals(server.machine.pending, 4);
  server.advance(200);
  assertEquals(server.take(), [[1, DEADLINE], [2, DEADLINE], [3, DEADLINE]]);
  assertEquals(server.machine.pending, 0);
  assertEquals(server.started.every(({ aborted }) => aborted), true);
});

Deno.test("RpcServerMachine aborts and answers a call that is cancelled", () => {
  const server = new Harness();
  server.ask(1);
  server.ask("1");
  server.notify("$/cancelRequest", { id: "1" });
  assertEquals(server.take(), [["1", CANCELLED]]);
  assertEquals(server.started.map(({ aborted }) => aborted?.code), [
    undefined,
    CANCELLED,
  ]);
  server.settle(1, { result: "late" });
  server.notify("$/cancelRequest", { id: "1" });
  server.notify("$/cancelRequest", { id: 99 });
  assertEquals(server.take(), []);
});

Deno.test("RpcServerMachine survives odd control messages", () => {
  const server = new Harness();
  server.notify("work", {});
  server.ask(1, { stream: 1 });
  for (const params of [undefined, null, [], [1], {}, { id: {} }, { id: 1 }]) {
    server.notify("$/credit", params);
    if ((params as { id?: unknown })?.id !== 1) {
      server.notify("$/cancelRequest", params);
    }
  }
  for (const count of [NaN, -1, 0, "5", null]) {
    server.notify("$/credit", { id: 1, count });
  }
  assertEquals(server.started.map(({ aborted }) => aborted), [
    undefined,
    undefined,
  ]);
  assertEquals(server.started[1]!.credit, 1);
  assertEquals(server.take(), []);
});

Deno.test("RpcServerMachine counts a cancelled call until its method has returned", () => {
  const server = new Harness({ maxInFlight: 2 });
  for (let id = 1; id <= 2; id++) {
    server.ask(id);
    server.notify("$/cancelRequest", { id });
  }
  assertEquals(server.machine.pending, 0);
  assertEquals(server.machine.isFull, true);
  server.settle(0, { result: 0 });
  assertEquals(server.machine.isFull, false);
});

Deno.test("RpcServerMachine refuses new requests once it drains, and ends what it has", () => {
  const server = new Harness();
  server.ask(1);
  server.machine.drain();
  server.ask(2);
  server.notify("work", {});
  assertEquals(server.started.length, 1);
  assertEquals(server.take(), [[2, -32001]]);
  server.settle(0, { result: "a" });
  assertEquals(server.take(), [[1, "a"]]);
});

Deno.test("RpcServerMachine aborts its calls when the connection ends", () => {
  const server = new Harness();
  server.ask(1);
  server.machine.close();
  assertEquals(server.started[0]!.aborted?.code, CANCELLED);
  server.settle(0, { result: "late" });
  assertEquals(server.take(), []);
  assertEquals(server.machine.pending, 0);
});

Deno.test("RpcServerMachine tells that a call failed when its answer cannot be sent", () => {
  const server = new Harness();
  server.refuses = (message) => JSON.stringify(message).includes("huge");
  server.ask(1);
  server.settle(0, { result: "huge" });
  server.receive([
    { jsonrpc: "2.0", id: 2, method: "work" },
    { jsonrpc: "2.0", id: 3, method: "work" },
  ]);
  server.settle(1, { result: "fine" });
  server.settle(2, { result: "huge" });
  assertEquals(server.take(), [
    [1, -32603],
    [[2, -32603], [3, -32603]],
  ]);
  assertEquals(server.unsendable.length, 2);
  server.ask("a huge id");
  server.settle(3, { result: 1 });
  assertEquals(server.take(), []);
  assertEquals(server.unsendable.length, 4);
});

// Streams

Deno.test("RpcServerMachine sends items to those who asked for them, and says when to wait", () => {
  const server = new Harness();
  server.ask(1, { stream: 2 });
  const call = server.started[0]!;
  const item = (value: unknown) => server.machine.item(call, value);
  assertEquals(item("a"), true);
  assertEquals(item("b"), false);
  let credited = 0;
  call.onCredit = () => credited++;
  server.notify("$/credit", { id: 1, count: 5 });
  assertEquals([credited, call.credit], [1, 5]);
  assertEquals(item("c"), true);
  const progress = (value: string) => ({
    method: "$/progress",
    params: { token: 1, value },
  });
  assertEquals(server.take(), [progress("a"), progress("b"), progress("c")]);
  server.settle(0, { result: "done" });
  assertEquals(server.take(), [[1, "done"]]);
  assertEquals(item("d"), false);
  assertEquals(server.take(), []);
});

Deno.test("RpcServerMachine sends no items to those who did not ask, and any number for true", () => {
  const server = new Harness();
  server.ask(1);
  server.ask(2, { stream: true });
  server.receive({ jsonrpc: "2.0", method: "work", stream: true });
  assertEquals(server.machine.item(server.started[0]!, "x"), true);
  assertEquals(server.machine.item(server.started[2]!, "x"), true);
  assertEquals(server.take(), []);
  for (let i = 0; i < 1000; i++) {
    assertEquals(server.machine.item(server.started[1]!, i), true);
  }
  assertEquals(server.take().length, 1000);
});

// Idempotency keys

function pair(
  limits: DedupeLimits = {},
  options: Options = {},
): [Harness, Harness] {
  const window = new DedupeWindow<RpcCall>(limits);
  return [
    new Harness({ window, ...options }),
    new Harness({ window, ...options }),
  ];
}

const KEY = { idempotency_key: "k" };

Deno.test("RpcServerMachine carries out calls with one key once, and answers all", () => {
  const [a, b] = pair();
  a.ask(1, KEY);
  a.ask(2, KEY);
  b.ask(3, KEY);
  assertEquals(a.started.length + b.started.length, 1);
  a.settle(0, { result: "once" });
  assertEquals(a.take(), [[1, "once"], [2, "once"]]);
  assertEquals(b.take(), [[3, "once"]]);
  b.ask(4, KEY);
  assertEquals(b.take(), [[4, "once"]]);
  for (const { machine } of [a, b]) {
    assertEquals(machine.pending, 0);
  }
});

Deno.test("RpcServerMachine gives the same error again", () => {
  const [a, b] = pair();
  a.ask(1, KEY);
  a.settle(0, { error: { code: 5, message: "broke" } });
  b.ask(2, KEY);
  assertEquals([...a.take(), ...b.take()], [[1, 5], [2, 5]]);
});

Deno.test("RpcServerMachine carries a call out again once the window has passed", () => {
  const [a, b] = pair({ ms: 100 });
  a.ask(1, KEY);
  a.nowMs += 5000;
  a.settle(0, { result: 1 });
  b.nowMs = a.nowMs + 99;
  b.ask(2, KEY);
  assertEquals([a.started.length, b.started.length], [1, 0]);
  b.nowMs++;
  b.ask(3, KEY);
  assertEquals([a.started.length, b.started.length], [1, 1]);
});

Deno.test("RpcServerMachine keeps a call with a key running when its connection ends", () => {
  const [a, b] = pair();
  a.ask(1, KEY);
  a.machine.close();
  assertEquals(a.started[0]!.aborted, undefined);
  b.ask(1, KEY);
  assertEquals(b.started, []);
  a.settle(0, { result: "kept" });
  assertEquals(a.take(), []);
  assertEquals(b.take(), [[1, "kept"]]);
});

Deno.test("RpcServerMachine aborts a call with a key at its deadline, also when its connection has ended", () => {
  const [a, b] = pair();
  a.ask(1, { ...KEY, deadline_ms: 100 });
  a.machine.close();
  a.advance(99);
  assertEquals(a.started[0]!.aborted, undefined);
  a.advance(1);
  assertEquals(a.started[0]!.aborted?.code, DEADLINE);
  b.nowMs = a.nowMs;
  b.ask(2, KEY);
  assertEquals(b.take(), [[2, DEADLINE]]);
  a.settle(0, { result: "late" });
  b.ask(3, KEY);
  assertEquals(b.take(), [[3, DEADLINE]]);
});

Deno.test("RpcServerMachine works on while one of the callers has time left", () => {
  const [a, b] = pair();
  a.ask(1, { ...KEY, deadline_ms: 100 });
  a.machine.close();
  b.ask(2, { ...KEY, deadline_ms: 150 });
  b.ask(3, { ...KEY, deadline_ms: 50 });
  b.advance(100);
  assertEquals(b.take(), [[3, DEADLINE]]);
  a.advance(100);
  assertEquals(a.started[0]!.aborted, undefined);
  assertEquals(a.started[0]!.dueMs, 1150);
  a.settle(0, { result: "in time" });
  assertEquals(b.take(), [[2, "in time"]]);
});

Deno.test("RpcServerMachine works on for callers who are away and have time left", () => {
  const [a, b] = pair();
  a.ask(1, { ...KEY, deadline_ms: 200 });
  b.ask(2, { ...KEY, deadline_ms: 50 });
  a.machine.close();
  b.machine.close();
  b.advance(50);
  assertEquals(a.started[0]!.aborted, undefined);
  a.advance(200);
  assertEquals(a.started[0]!.aborted?.code, DEADLINE);
});

Deno.test("RpcServerMachine aborts a call with a key when the last caller that is there cancels", () => {
  const [a, b] = pair();
  a.ask(1, KEY);
  b.ask(2, KEY);
  b.notify("$/cancelRequest", { id: 2 });
  assertEquals(b.take(), [[2, CANCELLED]]);
  assertEquals(a.started[0]!.aborted, undefined);
  b.ask(3, KEY);
  a.machine.close();
  b.notify("$/cancelRequest", { id: 3 });
  assertEquals(a.started[0]!.aborted?.code, CANCELLED);
  b.ask(4, KEY);
  assertEquals(b.take(), [[3, CANCELLED], [4, CANCELLED]]);
  a.settle(0, { result: "late" });
  assertEquals([a.machine.pending, b.machine.pending], [0, 0]);
});

Deno.test("RpcServerMachine counts callers that wait for the method of another", () => {
  const [a, b] = pair({}, { maxInFlight: 1 });
  a.ask(1, KEY);
  b.ask(2, KEY);
  assertEquals([a.machine.isFull, b.machine.isFull], [true, true]);
  b.notify("$/cancelRequest", { id: 2 });
  assertEquals([a.machine.isFull, b.machine.isFull], [true, false]);
  a.settle(0, { result: 1 });
  assertEquals([a.machine.isFull, b.machine.isFull], [false, false]);
  for (const server of [a, b]) {
    server.ask(9);
    assertEquals(server.machine.isFull, true);
  }
});

Deno.test("RpcServerMachine refuses a key that was used with another method", () => {
  const [a] = pair();
  a.ask(1, KEY);
  a.receive({ jsonrpc: "2.0", id: 2, method: "other", ...KEY });
  assertEquals(a.take(), [
    [2, -32600, "the idempotency key was used with 'work'"],
  ]);
});

Deno.test("RpcServerMachine keeps the keys of different scopes apart", () => {
  const window = new DedupeWindow<RpcCall>();
  const scopes = ["", "a", "1:a", "ann"].map((scope) =>
    new Harness({ window, scope })
  );
  for (const server of scopes) {
    server.ask(1, { idempotency_key: "a" });
    server.ask(1, { idempotency_key: "1:a" });
    assertEquals(server.started.length, 2);
  }
});

Deno.test("RpcServerMachine does not begin a call for whose key the window has no room", () => {
  const [a, b] = pair({ maxEntries: 1, ms: 100 });
  a.ask(1, KEY);
  b.ask(2, { idempotency_key: "another" });
  assertEquals(b.take(), [[2, -32003]]);
  assertEquals(b.started, []);
  a.settle(0, { result: 1 });
  b.nowMs += 100;
  b.ask(3, { idempotency_key: "another" });
  assertEquals(b.started.length, 1);
});

Deno.test("RpcServerMachine carries a notification with a key out once", () => {
  const [a, b] = pair();
  const notification = { jsonrpc: "2.0", method: "work", ...KEY };
  a.receive(notification);
  b.receive(notification);
  a.settle(0, { result: "x" });
  b.receive(notification);
  assertEquals(a.started.length + b.started.length, 1);
  b.ask(1, KEY);
  assertEquals([...a.take(), ...b.take()], [[1, "x"]]);
});
