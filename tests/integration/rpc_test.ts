import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  connect,
  json,
  keepConnected,
  lengthPrefixed,
  lines,
  msgpack,
  RequestLostError,
  rpcClient,
  type RpcContext,
  rpcHandler,
  seededRandom,
  serve,
  varintPrefixed,
  type Wire,
} from "../../mod.ts";
import { waitUntil, within } from "../support/wait.ts";

const METHODS = {
  add: ({ a, b }: { a: number; b: number }) => a + b,
  async echo(params: unknown[]) {
    await Promise.resolve();
    return params;
  },
  async *count({ to }: { to: number }) {
    for (let n = 1; n <= to; n++) yield n;
    return "done";
  },
};

/** The socket's file is gone when its server is. */
const SOCKET = `/tmp/portolan-rpc-${crypto.randomUUID()}.sock`;

const ROADS = ["tcp://127.0.0.1:0", `unix:${SOCKET}`, "memory:rpc"];

const WIRES: Record<string, Wire<unknown, unknown>> = {
  "lines(json())": lines(json()),
  "lengthPrefixed(json())": lengthPrefixed(json()),
  "lengthPrefixed(msgpack())": lengthPrefixed(msgpack()),
  "varintPrefixed(msgpack())": varintPrefixed(msgpack()),
};

for (const listen of ROADS) {
  for (const [name, wire] of Object.entries(WIRES)) {
    const road = listen.slice(0, listen.indexOf(":"));
    Deno.test(`requests and streams are answered over ${road} and ${name}`, async () => {
      await using server = await serve({
        listen,
        wire,
        handler: rpcHandler({ methods: METHODS }),
      });
      await using client = rpcClient<typeof METHODS>(
        await connect({ to: server.endpoint, wire }),
      );
      assertEquals(await client.request("add", { a: 20, b: 22 }), 42);
      const text = "é".repeat(10_000);
      assertEquals(await client.request("echo", [text, null, -1.5]), [
        text,
        null,
        -1.5,
      ]);
      let sum = 0;
      for await (const n of client.stream("count", { to: 1000 })) sum += n;
      assertEquals(sum, 500_500);
    });
  }
}

Deno.test("a thousand requests are in flight on one connection", async () => {
  const wire = lengthPrefixed(json());
  let atWork = 0;
  let most = 0;
  const all = Promise.withResolvers<void>();
  const methods = {
    async wait([n]: number[]) {
      most = Math.max(most, ++atWork);
      if (atWork === 1000) all.resolve();
      await all.promise;
      atWork--;
      return n;
    },
  };
  await using server = await serve({
    listen: "tcp://127.0.0.1:0",
    wire,
    handler: rpcHandler({ methods }),
  });
  await using client = rpcClient<typeof methods>(
    await connect({ to: server.endpoint, wire }),
  );
  const numbers = Array.from({ length: 2000 }, (_, n) => n);
  const asked = numbers.map((n) => client.request("wait", [n]));
  assertEquals(client.inFlight, 2000);
  assertEquals(await within("the answers", Promise.all(asked)), numbers);
  assertEquals(most, 1000);
});

Deno.test("an abort and a deadline reach the method over TCP", async () => {
  const wire = lines(json());
  const reasons: string[] = [];
  const methods = {
    wait: (_: undefined, { signal }: RpcContext) =>
      new Promise((_, reject) => {
        signal.onabort = () => {
          reasons.push(signal.reason.message);
          reject(signal.reason);
        };
      }),
  };
  await using server = await serve({
    listen: "tcp://127.0.0.1:0",
    wire,
    handler: rpcHandler({ methods }),
  });
  await using client = rpcClient<typeof methods>(
    await connect({ to: server.endpoint, wire }),
  );
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = client.request("wait", undefined, { signal });
  const late = client.request("wait", undefined, { timeoutMs: 50 });
  controller.abort(new Error("never mind"));
  await assertRejects(() => aborted, Error, "never mind");
  await assertRejects(() => late, Error, "none came within 50 ms");
  await waitUntil("both aborts", () => reasons.length === 2);
  assertEquals(reasons.toSorted(), [
    "The call was cancelled",
    "The deadline has passed",
  ]);
});

/** A bank whose connections are cut at random, and how often it has paid each order. */
class Bank {
  readonly paid = new Map<string, number>();
  readonly #random: () => number;
  cuts = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  readonly methods = {
    pay: async ([order]: string[], { peer }: RpcContext<unknown>) => {
      const chance = this.#random();
      if (chance < 0.03) this.#cut(peer);
      if (chance < 0.5) await new Promise((resolve) => setTimeout(resolve, 1));
      const times = (this.paid.get(order!) ?? 0) + 1;
      this.paid.set(order!, times);
      if (chance > 0.97) this.#cut(peer);
      return { order, times };
    },
  };

  #cut(peer: RpcContext<unknown>["peer"]): void {
    this.cuts++;
    peer.abort("cut");
  }
}

Deno.test("keyed requests are carried out once, and answered, however often the connection is lost", async () => {
  const seed = Date.now() % 1e6;
  const wire = lengthPrefixed(json());
  const bank = new Bank(seed);
  await using server = await serve({
    listen: "tcp://127.0.0.1:0",
    wire,
    handler: rpcHandler({ methods: bank.methods }),
  });
  await using client = rpcClient<typeof bank.methods>(
    await keepConnected({
      to: server.endpoint,
      wire,
      reconnect: { spreadMs: 2, minMs: 1, maxMs: 5 },
    }),
  );
  const orders = Array.from({ length: 500 }, (_, n) => `order ${n}`);
  const answers = await within(
    "the answers",
    Promise.all(
      orders.map((order) =>
        client.request("pay", [order], { idempotencyKey: order })
      ),
    ),
  );
  assertEquals(
    answers,
    orders.map((order) => ({ order, times: 1 })),
    `seed ${seed}`,
  );
  assertEquals(bank.paid.size, 500, `seed ${seed}`);
  assert(bank.cuts > 5, `seed ${seed}: only ${bank.cuts} connections were cut`);
});

Deno.test("requests without a key fail when the connection is lost, and those after it go on", async () => {
  const wire = lines(json());
  const methods = {
    leave: (_: undefined, { peer }: RpcContext<unknown>) => peer.abort(),
    add: METHODS.add,
  };
  await using server = await serve({
    listen: "tcp://127.0.0.1:0",
    wire,
    handler: rpcHandler({ methods }),
  });
  await using client = rpcClient<typeof methods>(
    await keepConnected({
      to: server.endpoint,
      wire,
      reconnect: { spreadMs: 1, minMs: 1 },
    }),
  );
  for (let times = 0; times < 3; times++) {
    const lost = await assertRejects(
      () => within("the loss", client.request("leave")),
      RequestLostError,
    );
    assertEquals(lost.mayBeDone, true);
    const key = `again ${times}`;
    const sum = client.request("add", { a: 1, b: times }, {
      idempotencyKey: key,
    });
    assertEquals(await within("the sum", sum), 1 + times);
  }
});

Deno.test("a server that is replaced loses no keyed request", async () => {
  const wire = lines(json());
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  let runs = 0;
  const methods = {
    async slow() {
      begun.resolve();
      await finish.promise;
      return ++runs;
    },
    add: METHODS.add,
  };
  const handler = rpcHandler({ methods });
  const first = await serve({ listen: "tcp://127.0.0.1:0", wire, handler });
  const listen = first.endpoint;
  await using client = rpcClient<typeof methods>(
    await keepConnected({
      to: listen,
      wire,
      reconnect: { spreadMs: 1, minMs: 1, maxMs: 10 },
    }),
  );
  const slow = client.request("slow");
  await begun.promise;
  const drained = first.drain();
  const late = client.request("add", { a: 1, b: 2 }, { idempotencyKey: "k" });
  finish.resolve();
  assertEquals(await within("the slow answer", slow), 1);
  await drained;
  await using _second = await serve({ listen, wire, handler });
  assertEquals(await within("the late answer", late), 3);
});
