import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { once } from "node:events";
import { createServer } from "node:net";
import { replayBalance } from "../../src/proto/balance/trace.ts";
import { balance, type Balancer } from "../../src/proxy/balance/balancer.ts";
import { control, serveControl } from "../../src/proxy/balance/control.ts";
import { balanceMetrics } from "../../src/proxy/balance/metrics.ts";
import type {
  BalanceEvent,
  BalanceOptions,
} from "../../src/proxy/balance/options.ts";
import { NamedBackends, whoAnswers } from "../support/named_backends.ts";
import { RawClient } from "../support/raw_client.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { utf8 } from "../support/three_ways.ts";
import { SERVER_TLS } from "../support/tls.ts";
import { waitUntil, within } from "../support/wait.ts";

/** A backend that answers each request, and can be killed. */
class Backend implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #conns = new Set<Deno.Conn>();
  served = 0;

  constructor() {
    void this.#run();
  }

  get url(): string {
    return `tcp://127.0.0.1:${this.#listener.addr.port}`;
  }

  async #run(): Promise<void> {
    try {
      for (;;) void this.#serve(await this.#listener.accept());
    } catch {
      // It was closed.
    }
  }

  async #serve(conn: Deno.Conn): Promise<void> {
    this.#conns.add(conn);
    try {
      const buffer = new Uint8Array(64);
      for (;;) {
        const count = await conn.read(buffer);
        if (count === null) break;
        this.served++;
        await conn.write(buffer.subarray(0, count));
      }
    } catch {
      // It was killed, or its client was cut off.
    } finally {
      if (this.#conns.delete(conn)) conn.close();
    }
  }

  kill(): void {
    this.#listener.close();
    for (const conn of this.#conns) conn.close();
    this.#conns.clear();
  }

  [Symbol.dispose](): void {
    try {
      this.kill();
    } catch {
      // It was killed before.
    }
  }
}

async function start(
  options: Partial<BalanceOptions> & Pick<BalanceOptions, "to">,
): Promise<{ front: Balancer; events: BalanceEvent[]; lines: string[] }> {
  const events: BalanceEvent[] = [];
  const lines: string[] = [];
  const front = await balance({
    listen: "tcp://127.0.0.1:0",
    seed: 1,
    trace: (line) => void lines.push(line),
    observe: (event) => void events.push(event),
    ...options,
  });
  return { front, events, lines };
}

function portOf(front: Balancer): { hostname: string; port: number } {
  return { hostname: "127.0.0.1", port: Number(new URL(front.endpoint).port) };
}

function of<T extends BalanceEvent["type"]>(
  events: BalanceEvent[],
  type: T,
): Extract<BalanceEvent, { type: T }>[] {
  return events.filter((event) => event.type === type) as never;
}

/** One request on a connection of its own; false if it failed. */
async function request(at: Deno.ConnectOptions): Promise<boolean> {
  const conn = await Deno.connect(at);
  try {
    await conn.write(utf8("ahoy"));
    const buffer = new Uint8Array(64);
    return await conn.read(buffer) === 4;
  } catch {
    return false;
  } finally {
    conn.close();
  }
}

Deno.test("balance() loses no request while a backend is killed, one is added, one is drained and all is reconfigured", async () => {
  const backends = Array.from({ length: 4 }, () => new Backend());
  const [killed, drained, stays, added] = backends as [
    Backend,
    Backend,
    Backend,
    Backend,
  ];
  const to = [killed.url, drained.url, stays.url];
  const { front, lines } = await start({
    to,
    policy: "random-two",
    check: { type: "tcp" },
    health: { intervalMs: 20, fall: 1, rise: 1 },
  });
  let inFlight = 0;
  const plan = new Map<number, () => void>([
    [1000, () => front.add(added.url)],
    [2000, () => {
      const name = killed.url;
      const is = front.backends.find((one) => one.name === name)!;
      inFlight = is.active;
      killed.kill();
    }],
    [3000, () => front.change({ type: "drain", backend: drained.url })],
    [4000, () =>
      front.configure({
        to: [stays.url, { to: added.url, weight: 3 }],
        policy: "least-connections",
      })],
  ]);
  const at = portOf(front);
  let asked = 0;
  let failed = 0;
  const client = async () => {
    while (asked < 5000) {
      plan.get(asked++)?.();
      if (!await request(at)) failed++;
    }
  };
  await within(
    "5000 requests",
    Promise.all(Array.from({ length: 40 }, client)),
    60_000,
  );
  assert(failed <= inFlight, `${failed} failed, ${inFlight} were in flight`);
  assert(added.served > 1000, `${added.served} of the added one`);
  assertEquals(front.policy, "least-connections");
  await front.drain();
  assertEquals(front.backends.map(({ name, active }) => [name, active]), [
    [stays.url, 0],
    [added.url, 0],
  ]);
  const { difference, picks } = replayBalance(lines);
  assertEquals(difference, undefined);
  assert(picks >= 5000);
  for (const backend of backends) backend[Symbol.dispose]();
});

Deno.test("balance() tries another backend when one cannot be connected to, ejects it, and takes it back", async () => {
  const dead = new Backend();
  const { url } = dead;
  dead.kill();
  using alive = new Backend();
  const { front, events } = await start({
    to: [url, alive.url],
    ejection: { consecutiveFailures: 3, openMs: 50, probes: 1 },
  });
  const at = portOf(front);
  for (let n = 0; n < 10; n++) assert(await request(at));
  assertEquals(of(events, "backend")[0], {
    type: "backend",
    backend: url,
    status: "ejected",
    why: "was up",
  });
  assert(
    of(events, "relayed").some(({ why }) => why.includes(`${url} failed`)),
  );
  using _back = Deno.listen({
    hostname: "127.0.0.1",
    port: +new URL(url).port,
  });
  await waitUntil("its return", () => {
    void request(at).catch(() => {});
    return front.backends[0]!.status === "up";
  });
  await front.abort();
});

for (const policy of ["peak-ewma", "learned"] as const) {
  Deno.test(`balance() by ${policy} ejects who resets connections, and leaves alone who never answers`, async () => {
    const resetting = createServer((socket) => socket.resetAndDestroy());
    resetting.listen(0, "127.0.0.1");
    await once(resetting, "listening");
    const { port } = resetting.address() as { port: number };
    const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    using alive = new Backend();
    const { front } = await start({
      to: [
        `tcp://127.0.0.1:${port}`,
        `tcp://127.0.0.1:${silent.addr.port}`,
        alive.url,
      ],
      policy,
      limits: { idleMs: 50 },
    });
    const at = portOf(front);
    for (let n = 0; n < 100; n++) await request(at);
    const [first, second, third] = front.backends;
    assertEquals([first!.status, first!.failed], ["ejected", 5]);
    assertEquals([second!.status, second!.failed], ["up", 0]);
    assert(second!.picked < 10, `${second!.picked} went to the silent one`);
    assert(third!.picked > 80);
    await front.drain();
    silent.close();
    resetting.close();
  });
}

Deno.test("balance() turns a client away when no backend takes it, and says why", async () => {
  const dead = new Backend();
  const { url } = dead;
  dead.kill();
  const { front, events } = await start({ to: [url] });
  assertEquals(await request(portOf(front)), false);
  await waitUntil("the reason", () => of(events, "turned away").length > 0);
  assertStringIncludes(of(events, "turned away")[0]!.reason, `${url} failed`);
  await front.drain();
});

Deno.test("balance() lets connections wait while backends are full, in order and not for ever", async () => {
  using backends = new NamedBackends(1);
  const [to] = backends.urls;
  const { front, events } = await start({
    to: [{ to: to!, maxConnections: 1 }],
    maxQueue: 2,
    queueMs: 60_000,
  });
  const at = portOf(front);
  const first = await whoAnswers(at);
  const second = whoAnswers(at);
  await waitUntil("the second", () => front.queued === 1);
  const third = whoAnswers(at);
  await waitUntil("the third", () => front.queued === 2);
  await assertRejects(() => whoAnswers(at), Error, "has ended");
  first.conn.close();
  const { conn } = await second;
  assertEquals(front.queued, 1);
  assertEquals(of(events, "queued").length, 2);
  front.configure({ to: [{ to: to!, maxConnections: 1 }], queueMs: 20 });
  await assertRejects(() => third, Error, "has ended");
  conn.close();
  await front.drain();
});

Deno.test("balance() keeps a source with its backend, and connections of one that drains", async () => {
  using backends = new NamedBackends(3);
  const { front } = await start({ to: backends.urls, stickyMs: 60_000 });
  const at = portOf(front);
  const first = await whoAnswers(at);
  for (let n = 0; n < 5; n++) {
    const { conn, index } = await whoAnswers(at);
    assertEquals(index, first.index);
    conn.close();
  }
  const backend = backends.urls[first.index]!;
  front.change({ type: "drain", backend });
  const other = await whoAnswers(at);
  assert(other.index !== first.index);
  assertEquals(front.backends[first.index]!.active, 1);
  first.conn.close();
  other.conn.close();
  await front.drain();
});

Deno.test("balance() uses backups while no other is up, and all while too few are", async () => {
  using backends = new NamedBackends(3);
  const [a, b, backup] = backends.urls as [string, string, string];
  const { front } = await start({ to: [a, b, { to: backup, backup: true }] });
  const at = portOf(front);
  const who = async () => {
    const { conn, index } = await whoAnswers(at);
    conn.close();
    return index;
  };
  assertEquals([await who(), await who(), await who()], [0, 1, 0]);
  front.change({ type: "drain", backend: a });
  front.change({ type: "drain", backend: b });
  assertEquals([await who(), await who()], [2, 2]);
  await front.drain();
});

Deno.test("balance() finds by checks who is down, and who is back", async () => {
  const verdicts = new Map<string, string>();
  const serveText = (name: string) => {
    verdicts.set(name, "200 OK");
    return Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () =>
        new Response(name, { status: Number(verdicts.get(name)!.slice(0, 3)) }),
    );
  };
  await using a = serveText("a");
  await using b = serveText("b");
  const [first, second] = [a, b].map(({ addr }) =>
    `tcp://127.0.0.1:${addr.port}`
  ) as [string, string];
  const { front, events } = await start({
    to: [first, second],
    check: { type: "http", path: "/health" },
    health: { intervalMs: 10, rise: 2, fall: 2 },
  });
  verdicts.set("b", "503 Service Unavailable");
  await waitUntil("the fall", () => front.backends[1]!.status === "down");
  const { error } = of(events, "check failed")[0]!;
  assertStringIncludes(String(error), "503");
  for (let n = 0; n < 4; n++) {
    const answer = await fetch(`http://127.0.0.1:${portOf(front).port}/`);
    assertEquals(await answer.text(), "a");
  }
  verdicts.set("b", "200 OK");
  await waitUntil("the rise", () => front.backends[1]!.status === "up");
  assertStringIncludes(
    balanceMetrics(front),
    `portolan_balance_backend_up{backend="${second}"} 1\n`,
  );
  await front.abort();
});

Deno.test("balance() checks by TLS, by Redis, by what is said, and tells why a check fails", async () => {
  using tls = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    ...SERVER_TLS.tls,
  });
  void (async () => {
    for await (const conn of tls) {
      void conn.handshake().catch(() => {}).then(() => conn.close());
    }
  })().catch(() => {});
  const answering = (answer: string) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    void (async () => {
      for await (const conn of listener) {
        void (async () => {
          await conn.read(new Uint8Array(100));
          await conn.write(utf8(answer));
          conn.close();
        })().catch(() => {});
      }
    })();
    return listener;
  };
  using redis = answering("+PONG\r\n");
  using loading = answering("-LOADING Redis is loading\r\n");
  using greeter = answering("220 harbour ready\r\n");
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = ({ addr }: { readonly addr: Deno.NetAddr }) =>
    `tcp://127.0.0.1:${addr.port}`;
  const exchange = { type: "exchange", send: "HELO\r\n" } as const;
  const { front, events } = await start({
    to: [
      { to: url(tls), check: { type: "tls" } },
      { to: url(redis), check: { type: "redis" } },
      { to: url(loading), check: { type: "redis" } },
      { to: url(greeter), check: { ...exchange, expect: "ready" } },
      { to: url(silent), check: { type: "http" } },
      { to: url(greeter).replace("127.0.0.1", "localhost"), check: false },
    ],
    targetTls: { caCerts: [] },
    checkTimeoutMs: 200,
    health: { intervalMs: 20, fall: 1 },
  });
  const reasons = () =>
    Object.fromEntries(
      of(events, "check failed").map(({ backend, error }) =>
        [backend, String(error)] as const
      ),
    );
  await waitUntil("three failures", () => Object.keys(reasons()).length === 3);
  assertStringIncludes(reasons()[url(loading)]!, "LOADING");
  assertStringIncludes(reasons()[url(silent)]!, "within 200 ms");
  assertStringIncludes(reasons()[url(tls)]!.toLowerCase(), "certificate");
  assertEquals(front.backends.map(({ status }) => status), [
    "down",
    "up",
    "down",
    "up",
    "down",
    "up",
  ]);
  await front.abort();
});

Deno.test("balance() refuses a backend that is itself, or there twice, and changes nothing", async () => {
  using backends = new NamedBackends(2);
  const [a, b] = backends.urls as [string, string];
  const listen = "tcp://127.0.0.1:7999";
  await assertRejects(
    () => balance({ listen, to: [a, "tcp://localhost:7999"] }),
    RangeError,
    "makes a loop",
  );
  await assertRejects(
    () => balance({ listen: "tcp://0.0.0.0:7999", to: [listen] }),
    RangeError,
    "makes a loop",
  );
  const { front } = await start({ to: [a] });
  assertThrows(() => front.add(a), RangeError, "it is there");
  assertThrows(() => front.configure({ to: [b, b] }), RangeError, "twice");
  assertThrows(
    () => front.add({ to: b, weight: 1000 }),
    RangeError,
    "1 to 256",
  );
  assertEquals(front.backends.map(({ name }) => name), [a]);
  await front.drain();
});

Deno.test("serveControl() lets a balancer be changed while it runs", async () => {
  await using folder = await temporaryFolder();
  using backends = new NamedBackends(2);
  const [a, b] = backends.urls as [string, string];
  const { front } = await start({ to: [a] });
  let reloads = 0;
  const at = `unix:${folder.path}/control.sock`;
  await using _served = await serveControl(at, front, () => {
    reloads++;
    return Promise.resolve();
  });
  const target = { to: b, backup: true, proxyProtocol: 2 } as const;
  await control(at, { do: "add", target });
  await control(at, { do: "weight", backend: a, weight: 7 });
  await control(at, { do: "reload" });
  const { backends: told } = await control(at, { do: "drain", backend: a });
  assertEquals(
    told.map(({ status, weight, backup }) => [status, weight, backup]),
    [["draining", 7, false], ["up", 1, true]],
  );
  await control(at, { do: "remove", backend: a });
  assertEquals((await control(at, { do: "list" })).backends.length, 1);
  assertEquals(reloads, 1);
  await assertRejects(
    () => control(at, { do: "drain", backend: a }),
    Error,
    "Cannot find a backend",
  );
  using raw = await RawClient.connect(at);
  for (
    const [line, words] of [
      ['{"do":"sink"}', "one of list, reload, add"],
      ['{"do":"weight","backend":"x"}', '"weight" is missing'],
      ['{"do":"list","why":1}', 'unknown key "why"'],
      ["drain it", "it is no JSON"],
    ] as const
  ) {
    await raw.send(utf8(`${line}\n`));
    const buffer = new Uint8Array(4096);
    const count = await raw.conn.read(buffer);
    const answer = new TextDecoder().decode(buffer.subarray(0, count!));
    assertStringIncludes(JSON.parse(answer).error, words);
  }
  await front.drain();
});
