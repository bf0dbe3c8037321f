import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { connect } from "../../../src/client/connect.ts";
import { RequestTimeoutError } from "../../../src/client/requests.ts";
import {
  type RpcClient,
  rpcClient,
  type RpcClientOptions,
} from "../../../src/client/rpc.ts";
import type {
  RpcTransport,
  RpcTransportListener,
} from "../../../src/client/rpc_transport.ts";
import type { Peer } from "../../../src/io/peer.ts";
import { RequestLostError, RpcError } from "../../../src/proto/rpc/errors.ts";
import type { RpcRequest } from "../../../src/proto/rpc/messages.ts";
import type { RpcMethods } from "../../../src/server/rpc_context.ts";
import { serve } from "../../../src/server/serve.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { RPC_WIRE, startRpc } from "../../support/rpc.ts";
import { turns, waitUntil, within } from "../../support/wait.ts";

let count = 0;

/** A client of a server that does with each message what it is told to. */
async function clientOf(
  message: (peer: Peer<unknown, unknown>, message: RpcRequest) => unknown,
  options: RpcClientOptions = {},
): Promise<{ client: RpcClient } & AsyncDisposable> {
  const server = await serve<unknown, unknown>({
    listen: `memory:script${++count}`,
    wire: RPC_WIRE,
    handler: {
      message: (peer, received) => message(peer, received as RpcRequest),
    },
  });
  const peer = await connect({ to: server.endpoint, wire: RPC_WIRE });
  const client = rpcClient(peer, options);
  return {
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.abort();
    },
  };
}

/** A client of methods. */
async function clientOfMethods<Methods extends RpcMethods>(
  methods: Methods,
  options: RpcClientOptions = {},
): Promise<{ client: RpcClient<Methods> } & AsyncDisposable> {
  const server = await startRpc({ methods });
  const peer = await connect({ to: server.endpoint, wire: RPC_WIRE });
  const client = rpcClient<Methods>(peer, options);
  return {
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.abort();
    },
  };
}

const answer = (id: unknown, result: unknown) => ({
  jsonrpc: "2.0",
  id,
  result,
});

Deno.test("RpcClient.request() knows the types of methods", async () => {
  interface Api {
    add(params: { a: number; b: number }): number;
    name(): Promise<string>;
  }
  await using setup = await clientOfMethods({
    add: ({ a, b }: { a: number; b: number }) => a + b,
    name: () => Promise.resolve("Ann"),
  });
  const { client } = setup;
  const sum: number = await client.request("add", { a: 1, b: 2 });
  const name: string = await client.request("name");
  assertEquals([sum, name], [3, "Ann"]);
  const same = client as RpcClient<Api>;
  // @ts-expect-error: there is no such method, which the server says too.
  await assertRejects(() => same.request("nothing"), RpcError);
});

Deno.test("RpcClient.request() rejects with the server's error", async () => {
  await using setup = await clientOfMethods({
    fail: () => {
      throw new RpcError(42, "no such ship", { data: ["Ann"] });
    },
  });
  const { client } = setup;
  const error = await assertRejects(() => client.request("fail"), RpcError);
  assertEquals(error.toJSON(), {
    code: 42,
    message: "no such ship",
    data: ["Ann"],
  });
});

// Servers that misbehave

Deno.test("RpcClient gives up on a server that never answers, and says so to it", async () => {
  const clock = new VirtualClock();
  const received: RpcRequest[] = [];
  await using setup = await clientOf(
    (_, message) => void received.push(message),
    { clock, timeoutMs: 100 },
  );
  const { client } = setup;
  const outcomes = [
    client.request("a"),
    client.request("b", undefined, { timeoutMs: 50 }),
  ].map((promise) => promise.catch((error) => error));
  await clock.advance(50);
  const b = await outcomes[1];
  assertInstanceOf(b, RequestTimeoutError);
  assertEquals(b.timeoutMs, 50);
  await clock.advance(50);
  assertInstanceOf(await outcomes[0], RequestTimeoutError);
  await turns();
  assertEquals(
    received.map(({ method, params, deadline_ms }) => [
      method,
      params ?? deadline_ms,
    ]),
    [
      ["a", 100],
      ["b", 50],
      ["$/cancelRequest", { id: 2 }],
      ["$/cancelRequest", { id: 1 }],
    ],
  );
  assertEquals(client.inFlight, 0);
});

Deno.test("RpcClient takes one answer of a server that answers twice", async () => {
  const strays: unknown[] = [];
  await using setup = await clientOf((peer, { id }) => {
    for (const result of ["first", "second"]) peer.send(answer(id, result));
  }, { stray: (message) => void strays.push(message) });
  const { client } = setup;
  assertEquals(await client.request("a"), "first");
  assertEquals(await client.request("b"), "first");
  await waitUntil("both second answers", () => strays.length === 2);
  assertEquals(strays, [answer(1, "second"), answer(2, "second")]);
});

Deno.test("RpcClient believes no answer with an id that it has not used", async () => {
  const strays: unknown[] = [];
  await using setup = await clientOf((peer, { id }) => {
    for (const wrong of [99, String(id), null, { id }, [id], true, -1, 1.5]) {
      peer.send(answer(wrong, "another's"));
    }
    peer.send(answer(id, "mine"));
  }, { stray: (message) => void strays.push(message) });
  assertEquals(await setup.client.request("a"), "mine");
  assertEquals(strays.length, 8);
});

Deno.test("RpcClient survives what is no answer", async () => {
  await using setup = await clientOf((peer, { id }) => {
    for (const junk of [1, "x", null, [], [[]], {}, { method: 7 }]) {
      peer.send(junk);
    }
    peer.send({ jsonrpc: "2.0", id, error: "odd" });
  });
  const { client } = setup;
  const error = await assertRejects(() => client.request("a"), RpcError);
  assertEquals(error.message, "The server sent no reason");
});

Deno.test("RpcClient tells that a request may be done when the server closes after it", async () => {
  await using setup = await clientOf((peer) => peer.close());
  const { client } = setup;
  const lost = await assertRejects(
    () => within("the loss", client.request("pay")),
    RequestLostError,
  );
  assertEquals(lost.mayBeDone, true);
  const unsent = await assertRejects(
    () => client.request("pay", undefined, { idempotencyKey: "k" }),
    RequestLostError,
  );
  assertEquals(unsent.mayBeDone, false);
  assertEquals(client.notify("pay"), false);
});

Deno.test("RpcClient fails what is in flight when it is closed", async () => {
  await using setup = await clientOf(() => {});
  const { client } = setup;
  const asked = client.request("a").catch((error) => error);
  await client.close();
  assertInstanceOf(await asked, RequestLostError);
  await assertRejects(() => client.request("b"), RequestLostError);
});

// Aborts

Deno.test("RpcClient.request() rejects with the reason when it is aborted, and tells the server", async () => {
  const aborted = Promise.withResolvers<number>();
  await using setup = await clientOfMethods({
    wait: (_, { signal }) => {
      signal.onabort = () => aborted.resolve(signal.reason.code);
      return aborted.promise;
    },
  });
  const { client } = setup;
  const controller = new AbortController();
  const { signal } = controller;
  const asked = client.request("wait", undefined, { signal });
  await turns();
  controller.abort(new Error("never mind"));
  await assertRejects(() => asked, Error, "never mind");
  assertEquals(await within("the abort", aborted.promise), -32800);
  await assertRejects(
    () => client.request("wait", undefined, { signal }),
    Error,
    "never mind",
  );
  assertEquals(client.inFlight, 0);
});

// Streams

const COUNTER = {
  made: 0,
  async *count({ to }: { to: number }) {
    for (let n = 1; n <= to; n++) {
      COUNTER.made = n;
      yield n;
    }
    return "done";
  },
  async *fail() {
    yield 1;
    await turns(1);
    throw new RpcError(7, "broke");
  },
  square: ([n]: number[]) => n! * n!,
};

Deno.test("RpcClient.stream() yields the items and returns the answer", async () => {
  const { made: _, ...methods } = COUNTER;
  await using setup = await clientOfMethods(methods);
  const stream = setup.client.stream("count", { to: 2 });
  assertEquals(await stream.next(), { done: false, value: 1 });
  assertEquals(await stream.next(), { done: false, value: 2 });
  assertEquals(await stream.next(), { done: true, value: "done" });
  assertEquals(setup.client.inFlight, 0);
});

Deno.test("RpcClient.stream() throws the server's error after the items", async () => {
  await using setup = await clientOfMethods({ fail: COUNTER.fail });
  const items: unknown[] = [];
  await assertRejects(
    async () => {
      for await (const item of setup.client.stream("fail")) items.push(item);
    },
    RpcError,
    "broke",
  );
  assertEquals(items, [1]);
});

Deno.test("RpcClient.stream() keeps the server at most maxUnread items ahead", async () => {
  await using setup = await clientOfMethods({ count: COUNTER.count });
  const stream = setup.client.stream("count", { to: 1000 }, { maxUnread: 10 });
  let sum = 0;
  for await (const n of stream) {
    sum += n;
    if (n % 100 !== 0) continue;
    await turns();
    assert(
      COUNTER.made <= n + 10,
      `at ${n} the server has made ${COUNTER.made}`,
    );
  }
  assertEquals(sum, 500_500);
});

Deno.test("RpcClient.stream() leaves the connection free for other requests", async () => {
  const { count, square } = COUNTER;
  await using setup = await clientOfMethods({ count, square });
  const { client } = setup;
  const squares: number[] = [];
  for await (const n of client.stream("count", { to: 20 }, { maxUnread: 2 })) {
    squares.push(await within("the square", client.request("square", [n])));
  }
  assertEquals(squares.at(-1), 400);
});

Deno.test("RpcClient.stream() cancels the call when the loop is left", async () => {
  let ended = false;
  await using setup = await clientOfMethods({
    async *forever() {
      try {
        for (let n = 0;; n++) yield n;
      } finally {
        ended = true;
      }
    },
  });
  const { client } = setup;
  for await (const n of client.stream("forever", undefined, { maxUnread: 4 })) {
    if (n === 10) break;
  }
  await waitUntil("the generator's end", () => ended);
  assertEquals(client.inFlight, 0);
});

Deno.test("RpcClient.stream() throws the reason when it is aborted, read or not", async () => {
  await using setup = await clientOfMethods({
    async *some(_, { signal }) {
      yield* [1, 2, 3];
      await new Promise((_, reject) => {
        signal.onabort = () => reject(signal.reason);
      });
    },
  });
  for (const last of [1, 3]) {
    const controller = new AbortController();
    const { signal } = controller;
    const items: unknown[] = [];
    await assertRejects(
      async () => {
        for await (
          const n of setup.client.stream("some", undefined, { signal })
        ) {
          items.push(n);
          if (n !== last) continue;
          await turns();
          if (last === 1) controller.abort(new Error("enough"));
          else setTimeout(() => controller.abort(new Error("enough")));
        }
      },
      Error,
      "enough",
    );
    assertEquals(items.at(-1), last);
  }
  assertEquals(setup.client.inFlight, 0);
});

Deno.test("RpcClient.stream() ends when its server sends more than was asked for", async () => {
  await using setup = await clientOf((peer, { id, method }) => {
    if (method !== "flood") return;
    for (let value = 0; value < 1000; value++) {
      const params = { token: id, value };
      peer.send({ jsonrpc: "2.0", method: "$/progress", params });
    }
  });
  const { client } = setup;
  const options = { maxUnread: 8 };
  await assertRejects(
    async () => {
      for await (const _ of client.stream("flood", undefined, options)) {
        await turns();
      }
    },
    RpcError,
    "the server sent more items than the 8 allowed",
  );
});

Deno.test("RpcClient.stream() ends in time", async () => {
  const clock = new VirtualClock();
  await using setup = await clientOf(() => {}, { clock });
  const stream = setup.client.stream("never", undefined, { timeoutMs: 100 });
  const next = stream.next().catch((error) => error);
  await clock.advance(100);
  assertInstanceOf(await next, RequestTimeoutError);
});

// Notifications

Deno.test("RpcClient sends and receives notifications", async () => {
  const received: unknown[] = [];
  await using setup = await clientOfMethods({
    ping: (params, { peer }) =>
      void peer.state.notify("pong", params as object),
  }, {
    notification: (method, params) => void received.push([method, params]),
  });
  assertEquals(setup.client.notify("ping", [1]), true);
  await waitUntil("the pong", () => received.length > 0);
  assertEquals(received, [["pong", [1]]]);
});

// Slow servers and lost connections

Deno.test("RpcClient sends no faster than the server reads", async () => {
  await using setup = await clientOfMethods({
    length: ([text]: string[]) => text!.length,
  });
  // Twice what a connection may have unsent.
  const text = "x".repeat(100_000);
  const asked = Array.from(
    { length: 160 },
    () => setup.client.request("length", [text]),
  );
  assertEquals(new Set(await Promise.all(asked)), new Set([100_000]));
});

/** A way to a server that is lost and found when the test says so. */
class Road implements RpcTransport {
  connected = false;
  readonly sent: RpcRequest[] = [];
  listener: RpcTransportListener | undefined;

  send(message: unknown): boolean {
    if (this.connected) this.sent.push(message as RpcRequest);
    return this.connected;
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  listen(listener: RpcTransportListener): void {
    this.listener = listener;
  }

  connect(): void {
    this.connected = true;
    this.listener!.connected();
  }

  lose(final = false): void {
    this.connected = false;
    this.listener!.disconnected(new Error("lost"), final);
  }

  close(): Promise<void> {
    this.lose(true);
    return Promise.resolve();
  }
}

Deno.test("RpcClient sends requests with a key over each new connection until they are answered", async () => {
  const road = new Road();
  const client = rpcClient(road);
  await assertRejects(() => client.request("a"), RequestLostError);
  const asked = client.request("pay", [5], { idempotencyKey: "order 17" });
  for (let times = 0; times < 3; times++) {
    road.connect();
    road.lose();
  }
  assertEquals(
    road.sent.map(({ id, idempotency_key, params }) => [
      id,
      idempotency_key,
      params,
    ]),
    Array(3).fill([1, "order 17", [5]]),
  );
  road.connect();
  road.listener!.message(answer(1, "paid"));
  assertEquals(await asked, "paid");
  road.sent.length = 0;
  road.lose();
  road.connect();
  assertEquals(road.sent, []);
});

Deno.test("RpcClient fails requests with a key when there will be no other connection", async () => {
  const road = new Road();
  const client = rpcClient(road);
  const asked = client.request("pay", [5], { idempotencyKey: "order 17" })
    .catch((error) => error);
  await client.close();
  assertInstanceOf(await asked, RequestLostError);
});

Deno.test("rpcClient() throws when a limit is no number above 0, and refuses too many requests", async () => {
  const road = new Road();
  assertThrows(() => rpcClient(road, { timeoutMs: 0 }), RangeError);
  assertThrows(() => rpcClient(road, { maxInFlight: NaN }), RangeError);
  const client = rpcClient(road, { maxInFlight: 1 });
  road.connect();
  void client.request("a").catch(() => {});
  await assertRejects(() => client.request("b"), RangeError, "maxInFlight");
});
