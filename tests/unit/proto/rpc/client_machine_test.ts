import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  type RpcClientCall,
  RpcClientMachine,
  type RpcQuestion,
  type RpcWaiter,
} from "../../../../src/proto/rpc/client_machine.ts";
import {
  RequestLostError,
  RpcError,
} from "../../../../src/proto/rpc/errors.ts";

/** A client over a wire that keeps what it is sent. */
class Harness {
  readonly machine: RpcClientMachine;
  readonly sent: Record<string, unknown>[] = [];
  readonly strays: unknown[] = [];
  readonly notified: unknown[] = [];
  readonly outcomes: unknown[] = [];
  keepsUp = true;
  refuses: (message: unknown) => boolean = () => false;
  nowMs = 1000;

  constructor({ maxInFlight = 10, connected = true } = {}) {
    this.machine = new RpcClientMachine(
      {
        send: (message) => {
          if (this.refuses(message)) throw new Error("unsendable");
          this.sent.push(message as unknown as Record<string, unknown>);
          return this.keepsUp;
        },
        notified: (method, params) => void this.notified.push([method, params]),
        stray: (message) => void this.strays.push(message),
      },
      maxInFlight,
      connected,
    );
  }

  ask(name: string, question: Partial<RpcQuestion> = {}): RpcClientCall {
    const waiter: RpcWaiter = {
      succeed: (result) => void this.outcomes.push([name, result]),
      fail: (error) => void this.outcomes.push([name, error]),
      expire: (cause) => void this.outcomes.push([name, "late", cause?.code]),
      item: (value) => void this.outcomes.push([name, "item", value]),
    };
    return this.machine.ask(
      {
        method: name,
        params: undefined,
        timeoutMs: 100,
        key: undefined,
        stream: undefined,
        ...question,
      },
      waiter,
      this.nowMs,
    );
  }

  answer(id: unknown, members: object): void {
    this.machine.receive({ jsonrpc: "2.0", id, ...members });
  }

  advance(ms: number): void {
    this.nowMs += ms;
    this.machine.advance(this.nowMs);
  }

  /** What was sent since the last look: methods, with the ids of requests. */
  take(): unknown[] {
    return this.sent.splice(0).map(({ method, id, params }) =>
      id === undefined ? [method, params] : [method, id]
    );
  }

  takeOutcomes(): unknown[] {
    return this.outcomes.splice(0);
  }
}

Deno.test("RpcClientMachine sends what the request has, and no member that it lacks", () => {
  const client = new Harness();
  client.ask("a", { timeoutMs: Infinity });
  client.ask("b", { params: [1], timeoutMs: 99.6, key: "k" });
  client.ask("c", { timeoutMs: Infinity, stream: 8 });
  client.ask("d", { timeoutMs: 0.1, stream: Infinity });
  assertEquals(client.sent, [
    { jsonrpc: "2.0", id: 1, method: "a" },
    {
      jsonrpc: "2.0",
      id: 2,
      method: "b",
      params: [1],
      deadline_ms: 100,
      idempotency_key: "k",
    },
    { jsonrpc: "2.0", id: 3, method: "c", stream: 8 },
    { jsonrpc: "2.0", id: 4, method: "d", deadline_ms: 1, stream: true },
  ]);
});

Deno.test("RpcClientMachine gives each answer to its request, in whatever order", () => {
  const client = new Harness();
  for (const name of ["a", "b", "c"]) client.ask(name);
  client.answer(3, { result: { n: 3 } });
  client.machine.receive([
    { jsonrpc: "2.0", id: 1, result: null, error: null },
    { jsonrpc: "2.0", id: 2, error: { code: 5, message: "no", data: [1] } },
  ]);
  const [c, a, [, error]] = client.takeOutcomes() as [
    unknown,
    unknown,
    [string, unknown],
  ];
  assertEquals([c, a], [["c", { n: 3 }], ["a", null]]);
  assertInstanceOf(error, RpcError);
  assertEquals(error.toJSON(), { code: 5, message: "no", data: [1] });
  assertEquals(client.machine.pending, 0);
});

Deno.test("RpcClientMachine gives an answer once, and knows no ids but its own", () => {
  const client = new Harness();
  client.ask("a");
  client.answer(1, { result: "first" });
  client.answer(1, { result: "second" });
  client.ask("b");
  for (const id of [1, 3, "2", null, undefined, [2], { id: 2 }, true, 2.5]) {
    client.answer(id, { result: "another's" });
  }
  for (const junk of [1, "x", null, [[]], [7], {}]) {
    client.machine.receive(junk);
  }
  assertEquals(client.takeOutcomes(), [["a", "first"]]);
  assertEquals(client.strays.length, 16);
  assertEquals(client.machine.pending, 1);
});

Deno.test("RpcClientMachine fails a request whose answer holds neither result nor error", () => {
  const client = new Harness();
  client.ask("a");
  client.answer(1, { error: null });
  const [[, error]] = client.takeOutcomes() as [[string, Error]];
  assertEquals(
    error.message,
    "Cannot read the answer to 'a': it has neither a result nor an error",
  );
});

Deno.test("RpcClientMachine makes an error of whatever the server sends as one", () => {
  const client = new Harness();
  const errors = [7, "no", [], {}, { code: "x" }, { code: 1.5, message: 2 }];
  for (const error of errors) {
    const { id } = client.ask("a");
    client.answer(id, { error });
  }
  for (const [, error] of client.takeOutcomes() as [string, RpcError][]) {
    assertEquals(error.toJSON(), {
      code: -32603,
      message: "The server sent no reason",
    });
  }
});

Deno.test("RpcClientMachine gives up in time, and tells the server", () => {
  const client = new Harness();
  client.ask("slow", { timeoutMs: 100 });
  client.ask("patient", { timeoutMs: 200 });
  client.take();
  assertEquals(client.machine.dueMs, 1100);
  client.advance(99);
  assertEquals(client.take(), []);
  client.advance(1);
  assertEquals(client.take(), [["$/cancelRequest", { id: 1 }]]);
  assertEquals(client.takeOutcomes(), [["slow", "late", undefined]]);
  assertEquals(client.machine.dueMs, 1200);
  client.answer(1, { result: "late" });
  assertEquals(client.strays.length, 1);
});

Deno.test("RpcClientMachine takes the server's word that the deadline has passed", () => {
  const client = new Harness();
  client.ask("a");
  client.answer(1, { error: { code: -32000, message: "late" } });
  assertEquals(client.takeOutcomes(), [["a", "late", -32000]]);
});

Deno.test("RpcClientMachine cancels a request once", () => {
  const client = new Harness();
  const call = client.ask("a");
  client.take();
  client.machine.cancel(call);
  client.machine.cancel(call);
  assertEquals(client.take(), [["$/cancelRequest", { id: 1 }]]);
  assertEquals(client.machine.pending, 0);
});

Deno.test("RpcClientMachine refuses requests beyond maxInFlight, and those that cannot be sent", () => {
  const client = new Harness({ maxInFlight: 1 });
  client.refuses = () => true;
  assertThrows(() => client.ask("a"), Error, "unsendable");
  assertEquals(client.machine.pending, 0);
  client.refuses = () => false;
  client.ask("a");
  assertThrows(
    () => client.ask("b"),
    RangeError,
    "current value of 'maxInFlight' is 1",
  );
});

Deno.test("RpcClientMachine holds requests back while the server is slow", () => {
  const client = new Harness();
  client.keepsUp = false;
  client.ask("a");
  const b = client.ask("b", { timeoutMs: 500 });
  client.ask("c");
  client.ask("d");
  assertEquals(client.take(), [["a", 1]]);
  assertEquals(client.machine.isSlow, true);
  client.machine.cancel(b);
  assertEquals(client.take(), []);
  client.machine.drained(client.nowMs);
  assertEquals(client.take(), [["c", 3]]);
  client.keepsUp = true;
  client.advance(50);
  client.machine.drained(client.nowMs);
  assertEquals(client.sent[0]!.deadline_ms, 50);
  assertEquals(client.machine.isSlow, false);
});

Deno.test("RpcClientMachine fails a request that turns out unsendable when the server is ready", () => {
  const client = new Harness();
  client.keepsUp = false;
  client.ask("a");
  client.ask("b");
  client.refuses = () => true;
  client.machine.drained(client.nowMs);
  const [[name, error]] = client.takeOutcomes() as [[string, Error]];
  assertEquals([name, error.message], ["b", "unsendable"]);
  assertEquals(client.machine.pending, 1);
});

Deno.test("RpcClientMachine passes notifications on, and takes no requests", () => {
  const client = new Harness();
  client.machine.receive({ jsonrpc: "2.0", method: "news", params: [1] });
  client.machine.receive({
    jsonrpc: "2.0",
    method: "$/progress",
    params: { token: 9, value: 1 },
  });
  client.machine.receive({ jsonrpc: "2.0", method: "run", id: 1 });
  assertEquals(client.notified, [
    ["news", [1]],
    ["$/progress", { token: 9, value: 1 }],
  ]);
  assertEquals(client.strays.length, 1);
  assertEquals(client.sent, []);
});

// Streams

const progress = (token: unknown, value: unknown) => ({
  jsonrpc: "2.0",
  method: "$/progress",
  params: { token, value },
});

Deno.test("RpcClientMachine gives items to their stream until its answer", () => {
  const client = new Harness();
  const call = client.ask("a", { stream: 4 });
  client.machine.receive(progress(1, "x"));
  client.machine.receive(progress(1, undefined));
  client.machine.grant(call, 2);
  client.answer(1, { result: "end" });
  client.machine.receive(progress(1, "late"));
  assertEquals(client.takeOutcomes(), [
    ["a", "item", "x"],
    ["a", "item", undefined],
    ["a", "end"],
  ]);
  client.machine.grant(call, 2);
  assertEquals(client.take(), [
    ["a", 1],
    ["$/credit", { id: 1, count: 2 }],
  ]);
});

Deno.test("RpcClientMachine ends a stream whose server sends without end", () => {
  const client = new Harness();
  client.ask("a", { stream: 2 });
  for (let i = 0; i < 1000; i++) client.machine.receive(progress(1, i));
  const outcomes = client.takeOutcomes() as unknown[][];
  assertEquals(outcomes.length, 11);
  assertEquals(
    (outcomes.at(-1)![1] as Error).message,
    "Cannot read the stream of 'a': the server sent more items than the 2 allowed",
  );
  assertEquals(client.take().at(-1), ["$/cancelRequest", { id: 1 }]);
});

// Connections that end

const GONE = new Error("gone");

Deno.test("RpcClientMachine fails requests without a key when the connection ends", () => {
  const client = new Harness();
  client.keepsUp = false;
  client.ask("sent");
  client.ask("held back");
  client.ask("keyed", { key: "k" });
  client.machine.disconnect(GONE, false);
  const outcomes = client.takeOutcomes() as [string, RequestLostError][];
  assertEquals(
    outcomes.map(([name, { mayBeDone, cause }]) => [name, mayBeDone, cause]),
    [["sent", true, GONE], ["held back", false, GONE]],
  );
  assertEquals(client.machine.pending, 1);
  assertThrows(() => client.ask("x"), RequestLostError, "it was not sent");
});

Deno.test("RpcClientMachine sends requests with a key again, in order, with the time that is left", () => {
  const client = new Harness({ connected: false });
  client.ask("a", { key: "1" });
  client.machine.connect(client.nowMs);
  client.ask("b", { key: "2" });
  client.ask("c");
  client.answer(1, { result: 1 });
  client.take();
  client.machine.disconnect(GONE, false);
  client.ask("d", { key: "3" });
  client.advance(40);
  assertEquals(client.take(), []);
  client.machine.connect(client.nowMs);
  assertEquals(
    client.sent.map(({ id, idempotency_key, deadline_ms }) => [
      id,
      idempotency_key,
      deadline_ms,
    ]),
    [[2, "2", 60], [4, "3", 60]],
  );
  client.answer(4, { result: "d" });
  client.answer(2, { result: "b" });
  assertEquals(client.takeOutcomes().slice(2), [["d", "d"], ["b", "b"]]);
});

Deno.test("RpcClientMachine sends again no faster than the server reads", () => {
  const client = new Harness();
  for (const key of ["1", "2", "3"]) client.ask("a", { key });
  client.machine.disconnect(GONE, false);
  client.take();
  client.keepsUp = false;
  client.machine.connect(client.nowMs);
  assertEquals(client.take(), [["a", 1]]);
  client.machine.drained(client.nowMs);
  assertEquals(client.take(), [["a", 2]]);
  client.machine.disconnect(GONE, false);
  client.machine.drained(client.nowMs);
  assertEquals(client.take(), []);
  client.machine.connect(client.nowMs);
  assertEquals(client.take(), [["a", 1]]);
});

Deno.test("RpcClientMachine gives up on requests with a key in time, connected or not", () => {
  const client = new Harness({ connected: false });
  client.ask("a", { key: "k" });
  client.advance(100);
  assertEquals(client.takeOutcomes(), [["a", "late", undefined]]);
  assertEquals(client.take(), []);
});

Deno.test("RpcClientMachine fails all requests when there will be no other connection", () => {
  const client = new Harness();
  client.ask("a", { key: "k" });
  client.machine.disconnect(GONE, true);
  const [[, error]] = client.takeOutcomes() as [[string, RequestLostError]];
  assertEquals(error.mayBeDone, true);
  assertThrows(() => client.ask("b", { key: "l" }), RequestLostError, "gone");
  client.machine.disconnect(new Error("again"), true);
  assertThrows(() => client.ask("b"), RequestLostError, "gone");
});

Deno.test("RpcClientMachine keeps a request with a key when the server shuts down, and fails others", () => {
  const client = new Harness();
  const shutDown = { error: { code: -32001, message: "shuts down" } };
  client.ask("a");
  client.ask("b", { key: "k" });
  client.answer(1, shutDown);
  client.answer(2, shutDown);
  const [[name, error]] = client.takeOutcomes() as [[string, RpcError]];
  assertEquals([name, error.code], ["a", -32001]);
  client.machine.disconnect(GONE, false);
  client.take();
  client.machine.connect(client.nowMs);
  assertEquals(client.take(), [["b", 2]]);
  client.answer(2, shutDown);
  client.machine.disconnect(GONE, true);
  const [[, refused]] = client.takeOutcomes() as [[string, RpcError]];
  assertEquals(refused.code, -32001);
});
