import { assert, assertEquals, assertRejects } from "@std/assert";
import { readProxyHeader } from "../../src/proto/proxy_protocol/read.ts";
import type { ProxyHeader } from "../../src/proto/proxy_protocol/header.ts";
import { replayBalance } from "../../src/proto/balance/trace.ts";
import { balance, type Balancer } from "../../src/proxy/balance/balancer.ts";
import type {
  BalanceEvent,
  BalanceOptions,
} from "../../src/proxy/balance/options.ts";
import { utf8 } from "../support/three_ways.ts";
import { waitUntil, within } from "../support/wait.ts";

function datagrams(): Deno.DatagramConn {
  return Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });
}

/** A backend that answers each datagram by its name, unless it is silent. */
class Backend implements Disposable {
  readonly #socket = datagrams();
  readonly headers: ProxyHeader[] = [];
  isSilent = false;

  constructor(readonly name: string, isTold = false) {
    void this.#run(isTold);
  }

  get url(): string {
    return `udp://127.0.0.1:${(this.#socket.addr as Deno.NetAddr).port}`;
  }

  async #run(isTold: boolean): Promise<void> {
    for await (const [bytes, from] of this.#socket) {
      if (this.isSilent) continue;
      const told = isTold ? readProxyHeader(bytes) : undefined;
      if (told !== undefined) this.headers.push(told.header);
      const text = new TextDecoder().decode(bytes.subarray(told?.length ?? 0));
      await this.#socket.send(utf8(`${this.name} ${text}`), from);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

class Client implements Disposable {
  readonly #socket = datagrams();
  readonly #to: Deno.NetAddr;

  constructor(front: Balancer) {
    const { hostname, port } = new URL(front.endpoint.replace("udp", "http"));
    this.#to = { transport: "udp", hostname, port: Number(port) };
  }

  get port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  async send(text: string): Promise<void> {
    await this.#socket.send(utf8(text), this.#to);
  }

  async ask(text: string): Promise<string> {
    await this.send(text);
    const [bytes] = await within("an answer", this.#socket.receive());
    return new TextDecoder().decode(bytes);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

async function start(
  options: Partial<BalanceOptions> & Pick<BalanceOptions, "to">,
): Promise<{ front: Balancer; events: BalanceEvent[]; lines: string[] }> {
  const events: BalanceEvent[] = [];
  const lines: string[] = [];
  const front = await balance({
    listen: "udp://127.0.0.1:0",
    observe: (event) => void events.push(event),
    trace: (line) => void lines.push(line),
    ...options,
  });
  return { front, events, lines };
}

Deno.test("balance() of datagrams keeps a session for each client, and counts what passes", async () => {
  using a = new Backend("a");
  using b = new Backend("b");
  const { front, events, lines } = await start({ to: [a.url, b.url] });
  using one = new Client(front);
  using two = new Client(front);
  assertEquals(await one.ask("1"), "a 1");
  assertEquals(await two.ask("2"), "b 2");
  assertEquals(await one.ask("3"), "a 3");
  assertEquals(front.connections, 2);
  assertEquals(front.backends.map(({ active }) => active), [1, 1]);
  await front.abort();
  const [first] = events.filter((event) => event.type === "relayed");
  assertEquals(first!.access.bytesIn, 2);
  assertEquals(first!.access.bytesOut, 6);
  assertEquals(first!.access.to, a.url);
  assertEquals(replayBalance(lines).difference, undefined);
});

Deno.test("balance() of datagrams sends all sessions of a source to one backend by its hash", async () => {
  using a = new Backend("a");
  using b = new Backend("b");
  using c = new Backend("c");
  const { front } = await start({
    to: [a.url, b.url, c.url],
    policy: "source-hash",
  });
  const names = new Set<string>();
  for (let n = 0; n < 6; n++) {
    using client = new Client(front);
    names.add(await client.ask("?"));
  }
  assertEquals(names.size, 1);
  await front.abort();
  const { front: other } = await start({
    to: [a.url, b.url, c.url],
    policy: "maglev",
  });
  using client = new Client(other);
  const name = await client.ask("?");
  assertEquals(await client.ask("?"), name);
  await other.abort();
});

Deno.test("balance() of datagrams checks by datagrams, and moves sessions from a backend that is down", async () => {
  using a = new Backend("a");
  using b = new Backend("b");
  const { front, events } = await start({
    to: [a.url, b.url],
    check: { type: "exchange", send: "ping", expect: "ping" },
    checkTimeoutMs: 100,
    health: { intervalMs: 20, fall: 2 },
    limits: { idleMs: 3000 },
  });
  using client = new Client(front);
  assertEquals(await client.ask("1"), "a 1");
  a.isSilent = true;
  await waitUntil("the move", () => front.backends[1]!.active === 1);
  assertEquals(await client.ask("2"), "b 2");
  assert(
    events.some((event) =>
      event.type === "check failed" && String(event.error).includes("100 ms")
    ),
  );
  await waitUntil("the end of silence", () => front.connections === 0);
  const relayed = events.find((event) => event.type === "relayed");
  assertEquals(relayed!.access.ending, "idle");
  await front.drain();
});

Deno.test("balance() of datagrams tells backends in each datagram where it comes from", async () => {
  using a = new Backend("a", true);
  const { front } = await start({ to: [{ to: a.url, proxyProtocol: 2 }] });
  using client = new Client(front);
  assertEquals(await client.ask("1"), "a 1");
  assertEquals(await client.ask("2"), "a 2");
  assertEquals(a.headers.length, 2);
  for (const { transport, source } of a.headers) {
    assertEquals(transport, "datagram");
    assertEquals(source, { hostname: "127.0.0.1", port: client.port });
  }
  await front.abort();
});

Deno.test("balance() of datagrams keeps its lists and limits", async () => {
  using a = new Backend("a");
  const { front, events } = await start({
    to: [a.url],
    limits: { maxConnections: 1 },
  });
  using one = new Client(front);
  using two = new Client(front);
  assertEquals(await one.ask("1"), "a 1");
  await two.send("2");
  await waitUntil(
    "the refusal",
    () => events.some(({ type }) => type === "refused"),
  );
  assertEquals(await one.ask("3"), "a 3");
  await front.drain();
  const { front: closed, events: told } = await start({
    to: [a.url],
    deny: ["127.0.0.0/8"],
  });
  using third = new Client(closed);
  await third.send("4");
  await waitUntil(
    "the denial",
    () => told.some(({ type }) => type === "turned away"),
  );
  await closed.drain();
  await assertRejects(
    () => balance({ listen: "udp://127.0.0.1:0", to: ["tcp://127.0.0.1:9"] }),
    RangeError,
    "all udp:// or none",
  );
  const listen = "udp://127.0.0.1:0";
  await assertRejects(
    () => balance({ listen, to: [{ to: a.url, proxyProtocol: 1 }] }),
    RangeError,
    "must be 2 for datagrams",
  );
  await assertRejects(
    () => balance({ listen, to: [a.url], trustedProxies: ["::1"] }),
    Deno.errors.NotSupported,
    "'trustedProxies'",
  );
  await assertRejects(
    () => balance({ listen: "udp://[::]:9", to: ["udp://localhost:9"] }),
    RangeError,
    "makes a loop",
  );
});
