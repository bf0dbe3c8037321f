import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { ConnectionEndedError } from "../../../src/io/peer.ts";
import { RpcError } from "../../../src/proto/rpc/errors.ts";
import { type RpcFailure, rpcHandler } from "../../../src/server/rpc.ts";
import {
  type RpcContext,
  withParams,
} from "../../../src/server/rpc_context.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { Recorder } from "../../support/recorder.ts";
import { LineClient, startRpc } from "../../support/rpc.ts";
import { turns, waitUntil, within } from "../../support/wait.ts";

const result = (id: unknown, result: unknown) => ({
  jsonrpc: "2.0",
  result,
  id,
});
const error = (id: unknown, code: number, message: string, data?: unknown) => ({
  jsonrpc: "2.0",
  error: { code, message, ...(data === undefined ? {} : { data }) },
  id,
});

/** A method that returns when the test says so. */
class Gate {
  readonly contexts: RpcContext<unknown>[] = [];
  readonly #returns: ((value: unknown) => void)[] = [];
  readonly method = (_: unknown, context: RpcContext<unknown>) => {
    this.contexts.push(context);
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#returns.push(resolve);
    return promise;
  };

  async begun(count: number): Promise<void> {
    await waitUntil(`call ${count}`, () => this.contexts.length >= count);
  }

  return(index: number, value?: unknown): void {
    this.#returns[index]!(value);
  }
}

Deno.test("rpcHandler() answers with what methods return, resolve to or yield last", async () => {
  await using server = await startRpc({
    methods: {
      now: () => 1,
      later: () => Promise.resolve([2]),
      thenable: () => ({ then: (done: (value: number) => void) => done(3) }),
      nothing() {},
      async *items() {
        await turns(1);
        yield "dropped";
        return 4;
      },
      "with spaces é": (params) => params,
    },
  });
  using client = await LineClient.connect(server.endpoint);
  const expected = [
    ["now", 1],
    ["later", [2]],
    ["thenable", 3],
    ["nothing", null],
    ["items", 4],
    ["with spaces é", { a: 1 }],
  ] as const;
  for (const [method, value] of expected) {
    await client.ask(method, method, { params: { a: 1 } });
    assertEquals(await client.receive(), result(method, value));
  }
});

Deno.test("rpcHandler() knows the methods that it was given, and none that objects have", async () => {
  await using server = await startRpc({ methods: {} });
  using client = await LineClient.connect(server.endpoint);
  for (
    const method of [
      "toString",
      "constructor",
      "__proto__",
      "hasOwnProperty",
      "",
    ]
  ) {
    await client.ask(1, method);
    assertEquals(await client.receive(), error(1, -32601, "Method not found"));
  }
});

Deno.test("rpcHandler() tells callers what an RpcError says, and of other errors nothing", async () => {
  const failures: RpcFailure<undefined>[] = [];
  const secret = new Error("the password is 1234");
  await using server = await startRpc({
    methods: {
      told: () => {
        throw new RpcError(7, "no such ship", { data: { name: "Ann" } });
      },
      leaky: () => {
        throw secret;
      },
      leakyLater: () => Promise.reject(secret),
      // deno-lint-ignore require-yield
      async *leakyItems() {
        await turns(1);
        throw secret;
      },
    },
    failed: (failure) => void failures.push(failure),
  });
  using client = await LineClient.connect(server.endpoint);
  await client.ask(1, "told");
  assertEquals(
    await client.receive(),
    error(1, 7, "no such ship", { name: "Ann" }),
  );
  for (const method of ["leaky", "leakyLater", "leakyItems"]) {
    await client.ask(2, method);
    assertEquals(await client.receive(), error(2, -32603, "Internal error"));
    const failure = failures.pop()!;
    assertEquals([failure.method, failure.error], [method, secret]);
    assertEquals(failure.peer, [...server.peers][0]);
  }
  assertEquals(failures, []);
});

Deno.test("rpcHandler() tells when an answer does not fit into the wire", async () => {
  const failures: unknown[] = [];
  await using server = await startRpc({
    methods: { big: () => 10n, huge: () => "x".repeat(2 << 20) },
    failed: ({ method, error }) => void failures.push([method, String(error)]),
  });
  using client = await LineClient.connect(server.endpoint);
  for (const method of ["big", "huge"]) {
    await client.ask(1, method);
    assertEquals(await client.receive(), error(1, -32603, "Internal error"));
  }
  assertEquals(failures.length, 2);
});

Deno.test("rpcHandler() survives an id for which no answer has room", async () => {
  const failures: unknown[] = [];
  await using server = await startRpc({
    methods: {
      later: () => Promise.resolve("x".repeat(50)),
      now: () => "x".repeat(50),
      short: () => 1,
    },
    failed: (failure) => void failures.push(failure),
  });
  using client = await LineClient.connect(server.endpoint);
  const id = "i".repeat((1 << 20) - 60);
  for (const method of ["later", "now", "nothing"]) {
    await client.ask(id, method);
  }
  await client.ask(2, "short");
  assertEquals(await client.receive(), result(2, 1));
  await waitUntil("six failures", () => failures.length === 6);
});

Deno.test("rpcHandler() answers what is no message, and goes on where it can", async () => {
  await using server = await startRpc({ methods: { now: () => 1 } });
  using client = await LineClient.connect(server.endpoint);
  await client.send("{", '{"__proto__":1}', "[".repeat(99) + "]".repeat(99));
  const answers = [
    await client.receive(),
    await client.receive(),
    await client.receive(),
  ] as unknown as { id: null; error: { code: number; message: string } }[];
  assertEquals(
    answers.map(({ id, error: { code, message } }) => [id, code, message]),
    [
      [null, -32700, "Parse error"],
      [null, -32600, "Invalid Request"],
      [null, -32600, "Invalid Request"],
    ],
  );
  await client.ask(1, "now");
  assertEquals(await client.receive(), result(1, 1));
  await client.send("x".repeat(2 << 20)).catch(() => {});
  const [last, ...rest] = await client.receiveAll() as {
    error?: { code: number };
  }[];
  assertEquals([last?.error?.code, rest], [-32600, []]);
});

Deno.test("rpcHandler() gives methods their connection's state, id and name", async () => {
  const closed: unknown[] = [];
  await using server = await startRpc({
    async open(peer) {
      await turns(1);
      return { peerId: peer.id };
    },
    methods: {
      who: (_, { id, method, state, peer, streaming }) => [
        id ?? "none",
        method,
        state.peerId === peer.id && peer.state.state === state,
        streaming,
      ],
    },
    close: (peer, { cause }) => void closed.push([peer.state.state, cause]),
  });
  using client = await LineClient.connect(server.endpoint);
  await client.ask("x", "who");
  assertEquals(await client.receive(), result("x", ["x", "who", true, false]));
  const [peer] = server.peers;
  await client.raw.closeWrite();
  await client.receiveAll();
  await peer!.closed;
  assertEquals(closed, [[{ peerId: peer!.id }, "peer closed"]]);
});

Deno.test("rpcHandler() lets the server notify", async () => {
  await using server = await startRpc({
    methods: {
      subscribe: (_, { peer }) => peer.state.notify("news", [1]),
    },
  });
  using client = await LineClient.connect(server.endpoint);
  await client.ask(1, "subscribe");
  assertEquals(await client.receive(), {
    jsonrpc: "2.0",
    method: "news",
    params: [1],
  });
  assertEquals(await client.receive(), result(1, true));
});

Deno.test("rpcHandler() runs the calls of one connection side by side", async () => {
  const gate = new Gate();
  await using server = await startRpc({ methods: { wait: gate.method } });
  using client = await LineClient.connect(server.endpoint);
  for (let id = 0; id < 3; id++) await client.ask(id, "wait");
  await gate.begun(3);
  for (const id of [2, 0, 1]) {
    gate.return(id, id);
    assertEquals(await client.receive(), result(id, id));
  }
});

Deno.test("rpcHandler() reads no further while maxInFlight calls are at work", async () => {
  const gate = new Gate();
  await using server = await startRpc({
    methods: { wait: gate.method },
    maxInFlight: 2,
  });
  using client = await LineClient.connect(server.endpoint);
  await client.send(
    ...[0, 1, 2, 3, 4].map((id) => ({ jsonrpc: "2.0", id, method: "wait" })),
  );
  await gate.begun(2);
  await turns();
  assertEquals(gate.contexts.length, 2);
  gate.return(1);
  await gate.begun(3);
  await turns();
  assertEquals(gate.contexts.length, 3);
  for (const id of [0, 2]) gate.return(id);
  await gate.begun(5);
  for (const id of [3, 4]) gate.return(id);
  for (let id = 0; id < 5; id++) await client.receive();
});

Deno.test("rpcHandler() lets a connection go that is lost while it is full", async () => {
  const gate = new Gate();
  const recorder = new Recorder();
  await using server = await startRpc({
    methods: { wait: gate.method },
    maxInFlight: 1,
  }, { observe: recorder.observe });
  using client = await LineClient.connect(server.endpoint);
  await client.ask(1, "wait");
  await gate.begun(1);
  [...server.peers][0]!.abort();
  await recorder.until("closed");
  assertEquals(gate.contexts[0]!.signal.aborted, true);
});

// Deadlines and aborts

Deno.test("context.deadlineMs and context.signal tell how long the caller waits", async () => {
  const clock = new VirtualClock();
  const gate = new Gate();
  await using server = await startRpc(
    { methods: { wait: gate.method }, clock, maxCallMs: 5000 },
    { clock },
  );
  using client = await LineClient.connect(server.endpoint);
  await client.ask(1, "wait", { deadline_ms: 100 });
  await client.ask(2, "wait");
  await gate.begun(2);
  const [first, second] = gate.contexts as [RpcContext, RpcContext];
  assertEquals([first.deadlineMs, second.deadlineMs], [100, 5000]);
  await clock.advance(60);
  assertEquals([first.deadlineMs, first.signal.aborted], [40, false]);
  await clock.advance(40);
  assertEquals([first.deadlineMs, first.signal.aborted], [0, true]);
  assertInstanceOf(first.signal.reason, RpcError);
  assertEquals(first.signal.reason.code, -32000);
  assertEquals(
    await client.receive(),
    error(1, -32000, "The deadline has passed"),
  );
  await clock.advance(4900);
  assertEquals(
    await client.receive(),
    error(2, -32000, "The deadline has passed"),
  );
  assertEquals(second.signal.aborted, true);
});

Deno.test("context.signal is aborted when the caller cancels, and that is no failure", async () => {
  const gate = new Gate();
  const failures: unknown[] = [];
  await using server = await startRpc({
    methods: {
      wait: gate.method,
      heed: (_, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("stopped")));
        }),
    },
    failed: (failure) => void failures.push(failure),
  });
  using client = await LineClient.connect(server.endpoint);
  const cancel = (id: number) => ({
    jsonrpc: "2.0",
    method: "$/cancelRequest",
    params: { id },
  });
  for (const method of ["wait", "heed"]) {
    await client.ask(1, method);
    await client.send(cancel(1));
    assertEquals(
      await client.receive(),
      error(1, -32800, "The call was cancelled"),
    );
  }
  assertEquals(gate.contexts[0]!.signal.reason.code, -32800);
  assertEquals(failures, []);
});

Deno.test("context.signal is aborted when the connection is lost", async () => {
  const gate = new Gate();
  await using server = await startRpc({ methods: { wait: gate.method } });
  const client = await LineClient.connect(server.endpoint);
  await client.ask(1, "wait");
  await gate.begun(1);
  const { signal } = gate.contexts[0]!;
  [...server.peers][0]!.abort();
  await waitUntil("the abort", () => signal.aborted);
  assertEquals(signal.reason.message, "The connection ended");
  client[Symbol.dispose]();
});

// The end of a connection

Deno.test("rpcHandler() answers what a peer asked before it ended its direction", async () => {
  const gate = new Gate();
  const recorder = new Recorder();
  await using server = await startRpc({ methods: { wait: gate.method } }, {
    observe: recorder.observe,
  });
  using client = await LineClient.connect(server.endpoint);
  await client.ask(1, "wait");
  await client.ask(2, "wait");
  await client.raw.closeWrite();
  await gate.begun(2);
  await turns();
  gate.return(1, "b");
  gate.return(0, "a");
  assertEquals(await client.receiveAll(), [result(2, "b"), result(1, "a")]);
  const { ending } = await recorder.until("closed");
  assertEquals(ending.cause, "peer closed");
});

Deno.test("a drain waits for calls in progress, answers them, and refuses new ones", async () => {
  const gate = new Gate();
  const recorder = new Recorder();
  await using server = await startRpc({ methods: { wait: gate.method } }, {
    observe: recorder.observe,
  });
  using client = await LineClient.connect(server.endpoint);
  using idle = await LineClient.connect(server.endpoint);
  await client.ask(1, "wait");
  await gate.begun(1);
  const drained = server.drain();
  assertEquals(await idle.receiveAll(), []);
  await idle.raw.closeWrite();
  await client.ask(2, "wait");
  assertEquals(
    await client.receive(),
    error(2, -32001, "The server shuts down; the call was not begun"),
  );
  gate.return(0, "in time");
  assertEquals(await client.receiveAll(), [result(1, "in time")]);
  await client.raw.closeWrite();
  await within("the end of the drain", drained);
  assertEquals(recorder.of("closed").map(({ ending }) => ending.cause), [
    "shut down",
    "shut down",
  ]);
});

Deno.test("a drain cuts calls short at its deadline", async () => {
  const gate = new Gate();
  await using server = await startRpc({ methods: { wait: gate.method } });
  using client = await LineClient.connect(server.endpoint);
  await client.ask(1, "wait");
  await gate.begun(1);
  await within("the end of the drain", server.drain({ deadlineMs: 20 }));
  await waitUntil("the abort", () => gate.contexts[0]!.signal.aborted);
});

// Streams

const item = (token: unknown, value: unknown) => ({
  jsonrpc: "2.0",
  method: "$/progress",
  params: { token, value },
});

Deno.test("a generator sends its items ahead of its answer", async () => {
  await using server = await startRpc({
    methods: {
      async *count({ to }: { to: number }) {
        for (let n = 1; n <= to; n++) yield n;
        return "done";
      },
    },
  });
  using client = await LineClient.connect(server.endpoint);
  await client.ask("c", "count", { params: { to: 2 }, stream: true });
  assertEquals(await client.receive(), item("c", 1));
  assertEquals(await client.receive(), item("c", 2));
  assertEquals(await client.receive(), result("c", "done"));
});

Deno.test("a generator goes no further than its caller has allowed", async () => {
  let made = 0;
  let ended = false;
  await using server = await startRpc({
    methods: {
      async *forever() {
        try {
          for (;;) yield ++made;
        } finally {
          ended = true;
        }
      },
    },
  });
  using client = await LineClient.connect(server.endpoint);
  const control = (method: string, params: object) =>
    client.send({ jsonrpc: "2.0", method, params });
  await client.ask(1, "forever", { stream: 3 });
  for (let n = 1; n <= 3; n++) assertEquals(await client.receive(), item(1, n));
  await turns();
  assertEquals(made, 3);
  await control("$/credit", { id: 1, count: 2 });
  for (let n = 4; n <= 5; n++) assertEquals(await client.receive(), item(1, n));
  await turns();
  assertEquals([made, ended], [5, false]);
  await control("$/cancelRequest", { id: 1 });
  assertEquals(
    await client.receive(),
    error(1, -32800, "The call was cancelled"),
  );
  await waitUntil("the generator's end", () => ended);
  assertEquals(made, 5);
});

Deno.test("a generator waits for a connection that is slow", async () => {
  let made = 0;
  const text = "x".repeat(10_000);
  await using server = await startRpc({
    methods: {
      async *flood() {
        for (; made < 100; made++) yield text;
      },
    },
  });
  using client = await LineClient.connect(server.endpoint);
  await client.ask(1, "flood", { stream: true });
  await waitUntil("the flood", () => made > 0);
  await turns(20);
  assert(
    made < 30,
    `${made} items of 10 KB were made for a peer that reads none`,
  );
  for (let n = 0; n < 100; n++) await client.receive();
  assertEquals(await client.receive(), result(1, null));
});

Deno.test("context.send() says when to wait, and context.drained() waits", async () => {
  const seen: unknown[] = [];
  await using server = await startRpc({
    methods: {
      async send(_, context) {
        seen.push(context.streaming, context.send("a"), context.send("b"));
        await context.drained();
        seen.push(context.send("c"));
        await assertRejects(() => context.drained(), RpcError, "cancelled");
        seen.push(context.send("d"));
      },
    },
  });
  using client = await LineClient.connect(server.endpoint);
  await client.ask(1, "send", { stream: 2 });
  await client.receive();
  await client.receive();
  const params = { id: 1, count: 1 };
  await client.send({ jsonrpc: "2.0", method: "$/credit", params });
  assertEquals(await client.receive(), item(1, "c"));
  await client.send({ jsonrpc: "2.0", method: "$/cancelRequest", params });
  await client.receive();
  await waitUntil("the end", () => seen.length === 5);
  assertEquals(seen, [true, true, false, false, false]);
});

Deno.test("context.drained() rejects when the connection is lost", async () => {
  const outcome = Promise.withResolvers<unknown>();
  await using server = await startRpc({
    methods: {
      async flood(_, context) {
        try {
          for (;;) {
            if (!context.send("x".repeat(10_000))) await context.drained();
          }
        } catch (error) {
          outcome.resolve(error);
        }
      },
    },
  });
  using client = await LineClient.connect(server.endpoint);
  await client.ask(1, "flood", { stream: true });
  await client.receive();
  await turns();
  [...server.peers][0]!.abort();
  const failure = await within("the rejection", outcome.promise);
  assert(
    failure instanceof ConnectionEndedError || failure instanceof RpcError,
  );
});

// Keys

Deno.test("rpcHandler() carries a keyed call out once for all who share a scope", async () => {
  let runs = 0;
  const handler = rpcHandler({
    open: (peer) => ({ tenant: peer.id % 2 }),
    methods: { pay: () => ++runs },
    window: { scope: (_, { tenant }) => `tenant ${tenant}` },
  });
  await using server = await startRpc({ methods: {} }, {
    handler: handler as never,
  });
  const answers: unknown[] = [];
  for (let n = 0; n < 4; n++) {
    using client = await LineClient.connect(server.endpoint);
    await client.ask(n, "pay", { idempotency_key: "order 17" });
    answers.push((await client.receive()).result);
  }
  assertEquals(answers.toSorted(), [1, 1, 2, 2]);
});

Deno.test("a keyed call outlives its connection, whose deadline still holds", async () => {
  const clock = new VirtualClock();
  const gate = new Gate();
  await using server = await startRpc(
    { methods: { pay: gate.method }, clock },
    { clock },
  );
  using first = await LineClient.connect(server.endpoint);
  const keyed = (key: string) => ({ idempotency_key: key, deadline_ms: 500 });
  await first.ask(1, "pay", keyed("a"));
  await first.ask(2, "pay", keyed("b"));
  await gate.begun(2);
  const [peer] = server.peers;
  peer!.abort();
  await peer!.closed;
  using second = await LineClient.connect(server.endpoint);
  await second.ask(3, "pay", keyed("a"));
  await turns();
  gate.return(0, "paid");
  assertEquals(await second.receive(), result(3, "paid"));
  assertEquals(gate.contexts[1]!.signal.aborted, false);
  await clock.advance(500);
  assertEquals(gate.contexts[1]!.signal.aborted, true);
  assertEquals(gate.contexts.length, 2);
});

Deno.test("withParams() refuses parameters, and tells why", async () => {
  await using server = await startRpc({
    methods: {
      root: withParams((value) => {
        const [n] = value as number[];
        if (typeof n !== "number" || n < 0) throw new TypeError("n is below 0");
        return n;
      }, Math.sqrt),
    },
  });
  using client = await LineClient.connect(server.endpoint);
  await client.ask(1, "root", { params: [16] });
  await client.ask(2, "root", { params: [-16] });
  assertEquals(await client.receive(), result(1, 4));
  assertEquals(
    await client.receive(),
    error(2, -32602, "Invalid params: n is below 0"),
  );
});

Deno.test("rpcHandler() throws when a limit is no number above 0", () => {
  const methods = {};
  assertThrows(() => rpcHandler({ methods, maxInFlight: 0 }), RangeError);
  assertThrows(() => rpcHandler({ methods, maxBatch: NaN }), RangeError);
  assertThrows(() => rpcHandler({ methods, maxCallMs: -1 }), RangeError);
  assertThrows(() => rpcHandler({ methods, window: { ms: 0 } }), RangeError);
});
