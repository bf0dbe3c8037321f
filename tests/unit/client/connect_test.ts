import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, type ConnectOptions } from "../../../src/client/connect.ts";
import { EndpointError } from "../../../src/io/endpoint_error.ts";
import { memoryPair } from "../../../src/io/memory.ts";
import {
  systemTransports,
  type Transports,
} from "../../../src/io/transports.ts";
import { serve } from "../../../src/server/serve.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { CLIENT_TLS, SERVER_TLS } from "../../support/tls.ts";
import { TEXT_WIRE } from "../../support/virtual_server.ts";
import { turns, within } from "../../support/wait.ts";

type TextOptions = ConnectOptions<string, string>;

/** A TCP server that takes connections and never says a word. */
class Mute implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #conns: Deno.Conn[] = [];
  readonly #running: Promise<void>;

  constructor() {
    this.#running = this.#run();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #run(): Promise<void> {
    for await (const conn of this.#listener) this.#conns.push(conn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#running;
    for (const conn of this.#conns) conn.close();
  }
}

/** Roads on which dialling takes until it is given up on, or for ever. */
function deadRoads(heedsSignal: boolean): Transports {
  const dead = {
    ...systemTransports.memory,
    connect: (_endpoint: unknown, { signal }: { signal?: AbortSignal }) =>
      new Promise<never>((_resolve, reject) => {
        if (!heedsSignal) return;
        signal?.addEventListener("abort", () => reject(signal.reason));
      }),
  };
  return { ...systemTransports, memory: dead };
}

Deno.test("connect() refuses options that cannot be meant, before it dials", async () => {
  const base = { to: "memory:nobody", wire: TEXT_WIRE };
  await assertRejects(
    () => connect({ ...base, to: "nobody" }),
    SyntaxError,
    'current value is "nobody"',
  );
  await assertRejects(
    () => connect({ ...base, limits: { idleMs: -1 } }),
    RangeError,
    "'idleMs' must be a number above 0: current value is -1",
  );
});

Deno.test("connect() says in one line which endpoint it could not reach, and why", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const folder = await Deno.makeTempDir({ prefix: "portolan-" });
  const cases: [string, string][] = [
    [`tcp://127.0.0.1:${port}`, "connection refused"],
    [`tls://127.0.0.1:${port}`, "connection refused"],
    ["tcp://no-such-host.invalid:1", "no such host"],
    [`unix:${folder}/none.sock`, "no such file"],
    ["memory:nobody", "connection refused"],
  ];
  for (const [to, reason] of cases) {
    const error = await assertRejects(
      () => connect({ to, wire: TEXT_WIRE }),
      EndpointError,
    );
    assertEquals(error.message, `Cannot connect to ${to}: ${reason}`);
    assertEquals(error.endpoint, to);
    assert(error.cause instanceof Error);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("connect() gives up after timeoutMs", async () => {
  const clock = new VirtualClock();
  const options: TextOptions = {
    to: "memory:dead",
    wire: TEXT_WIRE,
    timeoutMs: 3000,
    clock,
    transports: deadRoads(true),
  };
  const rejected = assertRejects(() => connect(options), EndpointError);
  await clock.advance(2999);
  assertEquals(clock.armed, 1);
  await clock.advance(2);
  assertEquals(
    (await within("the rejection", rejected)).message,
    "Cannot connect to memory:dead: timed out",
  );
  assertEquals(clock.armed, 0);
});

Deno.test("connect() takes an endless timeoutMs", async () => {
  await using server = await serve({
    listen: "memory:endless",
    wire: TEXT_WIRE,
    handler: { message() {} },
  });
  await using client = await connect({
    to: server.endpoint,
    wire: TEXT_WIRE,
    timeoutMs: Infinity,
  });
  assertEquals(client.ending, undefined);
});

Deno.test("connect() gives up when its signal is aborted, with the signal's reason", async () => {
  const clock = new VirtualClock();
  const reason = new Error("Changed my mind");
  const base: TextOptions = {
    to: "memory:dead",
    wire: TEXT_WIRE,
    clock,
    transports: deadRoads(true),
  };
  assertEquals(
    await assertRejects(() =>
      connect({ ...base, signal: AbortSignal.abort(reason) })
    ),
    reason,
  );
  const controller = new AbortController();
  const rejected = assertRejects(() =>
    connect({ ...base, signal: controller.signal })
  );
  await turns();
  controller.abort(reason);
  assertEquals(await within("the rejection", rejected), reason);
  assertEquals(clock.armed, 0);
});

Deno.test("connect() is not bound by its signal once it stands", async () => {
  const controller = new AbortController();
  await using server = await serve({
    listen: "memory:stands",
    wire: TEXT_WIRE,
    handler: { message: (peer, message) => peer.send(message) },
  });
  await using client = await connect({
    to: server.endpoint,
    wire: TEXT_WIRE,
    signal: controller.signal,
  });
  controller.abort();
  client.send("still here");
  assertEquals(await within("the echo", client.receive()), "still here");
});

Deno.test("connect() gives up on a TLS handshake that does not come", async () => {
  await using mute = new Mute();
  const to = `tls://127.0.0.1:${mute.port}`;
  const error = await assertRejects(
    () => connect({ to, wire: TEXT_WIRE, timeoutMs: 50 }),
    EndpointError,
  );
  assertEquals(error.message, `Cannot connect to ${to}: timed out`);
  const controller = new AbortController();
  const rejected = assertRejects(() =>
    connect({ to, wire: TEXT_WIRE, signal: controller.signal })
  );
  const reason = new Error("Changed my mind");
  setTimeout(() => controller.abort(reason), 20);
  assertEquals(await within("the rejection", rejected), reason);
});

Deno.test("connect() refuses a server whose certificate it does not trust", async () => {
  await using server = await serve({
    listen: "tls://127.0.0.1:0",
    wire: TEXT_WIRE,
    handler: { message() {} },
    ...SERVER_TLS,
  });
  const error = await assertRejects(
    () => connect({ to: server.endpoint, wire: TEXT_WIRE }),
    EndpointError,
  );
  assert(
    /^Cannot connect to tls:\/\/127\.0\.0\.1:\d+: .*(UnknownIssuer|certificate)/
      .test(error.message),
    error.message,
  );
  // For the name that the certificate has, and for one that it has not.
  const { port } = new URL(server.endpoint.replace("tls:", "http:"));
  await using client = await connect({
    to: `tls://localhost:${port}`,
    wire: TEXT_WIRE,
    ...CLIENT_TLS,
  });
  assertEquals(client.ending, undefined);
  // With a certificate of its own as well, and with an authority that is none.
  const { cert, key } = SERVER_TLS.tls;
  for (const own of [{}, { cert, key }]) {
    const options = { to: server.endpoint, wire: TEXT_WIRE };
    await assertRejects(
      () => connect({ ...options, tls: own }),
      EndpointError,
    );
    const wrong = { ...own, caCerts: ["no certificate"] };
    await assertRejects(
      () => connect({ ...options, tls: wrong }),
      EndpointError,
    );
    const tls = { ...own, ...CLIENT_TLS.tls };
    await using trusting = await connect({ ...options, tls });
    assertEquals(trusting.ending, undefined);
  }
});

Deno.test("connect() may be told of other roads", async () => {
  const [client, server] = memoryPair("other");
  const connected = await connect({
    to: "tcp://192.0.2.1:1",
    wire: TEXT_WIRE,
    transports: {
      ...systemTransports,
      tcp: {
        ...systemTransports.tcp,
        connect: () => Promise.resolve(client),
      },
    },
  });
  assertEquals(connected.endpoint, "tcp://192.0.2.1:1");
  connected.send("x");
  const into = new Uint8Array(8);
  assertEquals(await server.read(into), 5);
  server.close();
  await connected.close();
});
