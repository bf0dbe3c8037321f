import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { once } from "node:events";
import { createConnection } from "node:net";
import { parseEndpoint } from "../../src/io/endpoint.ts";
import type { ProxyHeader } from "../../src/proto/proxy_protocol/header.ts";
import { readProxyHeader } from "../../src/proto/proxy_protocol/read.ts";
import { writeProxyHeader } from "../../src/proto/proxy_protocol/write.ts";
import type { ProxyEvent } from "../../src/proxy/events.ts";
import { type Proxy, proxy } from "../../src/proxy/proxy.ts";
import type { ProxyOptions } from "../../src/proxy/proxy_options.ts";
import { VirtualClock } from "../../src/sim/virtual_clock.ts";
import { frame, RawClient } from "../support/raw_client.ts";
import { hex, utf8 } from "../support/three_ways.ts";
import { CLIENT_TLS, SERVER_TLS } from "../support/tls.ts";
import { stalled, turns, waitUntil, within } from "../support/wait.ts";

/** A target that hands over its connections. */
class Target implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  get url(): string {
    return `tcp://127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}`;
  }

  async accept(): Promise<RawClient> {
    return new RawClient(await within("a connection", this.#listener.accept()));
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}

/** A proxy before a target, and what it has told. */
async function start(
  options: Partial<ProxyOptions> & Pick<ProxyOptions, "to">,
): Promise<{ front: Proxy; events: ProxyEvent[] }> {
  const events: ProxyEvent[] = [];
  const front = await proxy({
    listen: "tcp://127.0.0.1:0",
    observe: (event) => void events.push(event),
    ...options,
  });
  return { front, events };
}

function of<T extends ProxyEvent["type"]>(
  events: ProxyEvent[],
  type: T,
): Extract<ProxyEvent, { type: T }>[] {
  return events.filter((event) => event.type === type) as never;
}

Deno.test("proxy() passes bytes on both ways, keeps half-close, and tells what it did", async () => {
  using target = new Target();
  const { front, events } = await start({ to: target.url });
  using client = await RawClient.connect(front.endpoint);
  using server = await target.accept();
  await client.send(utf8("request"));
  await client.closeWrite();
  assertEquals(await server.receiveAll(), utf8("request"));
  await server.send(utf8("and answer"));
  await server.closeWrite();
  assertEquals(await client.receiveAll(), utf8("and answer"));
  await waitUntil("the end", () => front.connections === 0);
  const [relayed] = of(events, "relayed");
  const { ending, bytesIn, bytesOut, to, request, durationMs, connectMs } =
    relayed!.access;
  assertEquals({ ending, bytesIn, bytesOut, to }, {
    ending: "done",
    bytesIn: 7,
    bytesOut: 10,
    to: target.url,
  });
  assert(connectMs >= 0 && durationMs >= connectMs);
  assertEquals(request.endpoint, front.endpoint);
  await front.drain();
});

Deno.test("proxy() holds no more than a little for a side that does not read", async () => {
  using target = new Target();
  const { front } = await start({ to: target.url });
  using client = await RawClient.connect(front.endpoint);
  using server = await target.accept();
  const block = new Uint8Array(1 << 16).fill(7);
  let sent = 0;
  const sending = (async () => {
    for (; sent < 2000; sent++) await client.send(block);
    await client.closeWrite();
  })();
  await stalled(() => sent);
  assert(sent < 2000, `${sent} blocks were taken`);
  const buffer = new Uint8Array(1 << 18);
  let received = 0;
  for (;;) {
    const count = await within("more", server.conn.read(buffer));
    if (count === null) break;
    received += count;
  }
  await sending;
  assertEquals(received, 2000 * block.length);
  await front.abort();
});

Deno.test("proxy() ends the one side when the other resets", async () => {
  using target = new Target();
  const { front, events } = await start({ to: target.url });
  const { port } = parseEndpoint(front.endpoint) as { port: number };
  const client = createConnection({ host: "127.0.0.1", port });
  using server = await target.accept();
  await server.send(utf8("x"));
  await within("a byte", once(client, "data"));
  client.resetAndDestroy();
  assertEquals((await server.receiveAll()).length, 0);
  await waitUntil("the end", () => front.connections === 0);
  assertEquals(of(events, "relayed")[0]?.access.ending, "client failed");
  await front.drain();
});

Deno.test("proxy() passes on the answer of a target that does not read the request", async () => {
  using target = new Target();
  const { front, events } = await start({ to: target.url });
  using client = await RawClient.connect(front.endpoint);
  const answer = new Uint8Array(50_000).fill(7);
  const answering = (async () => {
    const server = await target.accept();
    await server.receive(1);
    await server.send(answer);
    // There is unread input: after its end comes a reset.
    server.conn.close();
  })();
  const block = new Uint8Array(1 << 20);
  const sending = (async () => {
    for (let n = 0; n < 20; n++) await client.send(block);
  })().catch(() => {});
  assertEquals(await client.receiveAll(), answer);
  await answering;
  client.conn.close();
  await sending;
  await waitUntil("the end", () => front.connections === 0);
  assertEquals(of(events, "relayed")[0]?.access.ending, "server failed");
  await front.drain();
});

Deno.test("proxy() tells a target where a connection came from, in one piece with its first bytes", async () => {
  using target = new Target();
  for (const version of [1, 2] as const) {
    const { front } = await start({
      to: { to: target.url, proxyProtocol: version },
    });
    using client = await RawClient.connect(front.endpoint);
    using server = await target.accept();
    await client.send(utf8("first"));
    await client.closeWrite();
    const all = await server.receiveAll();
    const { header, length } = readProxyHeader(all)!;
    assertEquals(header.version, version);
    const { hostname, port } = client.conn.localAddr as Deno.NetAddr;
    assertEquals(header.source, { hostname, port });
    const endpoint = parseEndpoint(front.endpoint);
    assertEquals(header.destination, {
      hostname: "127.0.0.1",
      port: "port" in endpoint ? endpoint.port : 0,
    });
    assertEquals(all.subarray(length), utf8("first"));
    await front.abort();
  }
});

const TOLD: ProxyHeader = {
  version: 2,
  command: "proxy",
  transport: "stream",
  source: { hostname: "192.0.2.7", port: 4242 },
  destination: { hostname: "198.51.100.1", port: 443 },
  uniqueId: utf8("trace 17"),
};

Deno.test("proxy() believes a PROXY header of a trusted proxy, however it is cut, and passes it on", async () => {
  using target = new Target();
  const { front, events } = await start({
    to: { to: target.url, proxyProtocol: 2 },
    trustedProxies: ["127.0.0.0/8"],
  });
  const bytes = writeProxyHeader(TOLD, { checksum: true });
  for (const cut of [0, 1, 12, 16, 20, bytes.length - 1]) {
    using client = await RawClient.connect(front.endpoint);
    await client.send(bytes.subarray(0, cut));
    await turns();
    await client.send(new Uint8Array([...bytes.subarray(cut), 1, 2, 3]));
    using server = await target.accept();
    await client.closeWrite();
    const all = await server.receiveAll();
    const { header, length } = readProxyHeader(all)!;
    assertEquals(header, TOLD);
    assertEquals(all.subarray(length), Uint8Array.of(1, 2, 3));
  }
  await front.drain();
  assertEquals(of(events, "relayed")[0]?.access.request.source, TOLD.source);
});

Deno.test("proxy() turns away what a trusted proxy sends without a header, or with a broken one", async () => {
  using target = new Target();
  const { front, events } = await start({
    to: target.url,
    trustedProxies: ["127.0.0.1"],
  });
  const wrongSum = writeProxyHeader(TOLD, { checksum: true });
  wrongSum[20]! ^= 1;
  for (
    const [bytes, reason] of [
      [utf8("GET / HTTP/1.1\r\n\r\n"), "there is none"],
      [utf8(`PROXY UNKNOWN ${"x".repeat(200)}`), "no end of line"],
      [hex("0d0a0d0a000d0a515549540a 31 11 000c"), "the version is 3"],
      [hex("0d0a0d0a000d0a515549540a 21 11 ffff"), "maximum is 4096"],
      [wrongSum, "checksum is wrong"],
    ] as const
  ) {
    using client = await RawClient.connect(front.endpoint);
    await client.send(bytes);
    assertEquals((await client.receiveAll()).length, 0);
    const told = of(events, "turned away").at(-1);
    assertStringIncludes(told!.reason, reason);
  }
  assertEquals(of(events, "relayed").length, 0);
  await front.drain();
});

Deno.test("proxy() takes a header of anybody else for data", async () => {
  using target = new Target();
  const { front, events } = await start({
    to: target.url,
    trustedProxies: ["192.0.2.0/24"],
  });
  using client = await RawClient.connect(front.endpoint);
  const bytes = writeProxyHeader(TOLD);
  await client.send(bytes);
  await client.closeWrite();
  using server = await target.accept();
  assertEquals(await server.receiveAll(), bytes);
  server.conn.close();
  await front.drain();
  const { source } = of(events, "relayed")[0]!.access.request;
  assertEquals(source && "hostname" in source && source.hostname, "127.0.0.1");
});

Deno.test("proxy() heeds its lists, by the address that a trusted proxy tells", async () => {
  using target = new Target();
  const { front, events } = await start({
    to: target.url,
    trustedProxies: ["127.0.0.1"],
    allow: ["192.0.2.0/24"],
    deny: ["192.0.2.128/25"],
  });
  for (
    const [hostname, isIn] of [
      ["192.0.2.7", true],
      ["192.0.2.200", false],
      ["203.0.113.1", false],
    ] as const
  ) {
    using client = await RawClient.connect(front.endpoint);
    await client.send(
      writeProxyHeader({ ...TOLD, source: { hostname, port: 1 } }),
    );
    if (isIn) {
      using server = await target.accept();
      await server.send(utf8("welcome"));
      assertEquals(await client.receive(7), utf8("welcome"));
    } else {
      assertEquals((await client.receiveAll()).length, 0);
      assertStringIncludes(of(events, "turned away").at(-1)!.reason, hostname);
    }
  }
  await front.abort();
});

Deno.test("proxy() routes TLS by the name it asks for, without decrypting it", async () => {
  using wrong = new Target();
  const service = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    ...SERVER_TLS.tls,
  });
  const { port } = service.addr as Deno.NetAddr;
  const { front, events } = await start({
    readHello: true,
    to: ({ hello }) =>
      hello?.serverName === "localhost"
        ? { to: `tcp://127.0.0.1:${port}` }
        : hello?.serverName === "wrong.example"
        ? { to: wrong.url }
        : undefined,
  });
  const frontPort = (parseEndpoint(front.endpoint) as { port: number }).port;
  const dialling = RawClient.connect(
    `tls://localhost:${frontPort}`,
    CLIENT_TLS,
  );
  const accepted = await service.accept();
  const echo = (async () => {
    const buffer = new Uint8Array(100);
    const count = await accepted.read(buffer);
    await accepted.write(buffer.subarray(0, count!));
  })();
  using client = await dialling;
  await client.send(frame("through TLS"));
  assertEquals(await client.receiveFrame(), utf8("through TLS"));
  await echo;
  using plain = await RawClient.connect(front.endpoint);
  await plain.send(utf8("GET / HTTP/1.1\r\n\r\n"));
  assertEquals((await plain.receiveAll()).length, 0);
  assertStringIncludes(of(events, "turned away")[0]!.reason, "no TLS");
  accepted.close();
  service.close();
  await front.abort();
});

Deno.test("proxy() ends TLS, and begins it", async () => {
  using target = new Target();
  const inner = await start({
    listen: "tls://127.0.0.1:0",
    to: target.url,
    ...SERVER_TLS,
  });
  const outer = await start({
    to: { to: inner.front.endpoint, ...CLIENT_TLS },
  });
  using client = await RawClient.connect(outer.front.endpoint);
  await client.send(utf8("there"));
  using server = await target.accept();
  assertEquals(await server.receive(5), utf8("there"));
  await server.send(utf8("and back"));
  assertEquals(await client.receive(8), utf8("and back"));
  await outer.front.abort();
  await inner.front.abort();
});

Deno.test("proxy() turns a client away whose target cannot be reached, and says so", async () => {
  const target = new Target();
  const { url } = target;
  target[Symbol.dispose]();
  const { front, events } = await start({ to: url });
  using client = await RawClient.connect(front.endpoint);
  assertEquals((await client.receiveAll()).length, 0);
  const [failed] = of(events, "connect failed");
  assertStringIncludes(String(failed!.error), `Cannot connect to ${url}`);
  await front.drain();
});

Deno.test("proxy() refuses connections over its limits", async () => {
  using target = new Target();
  const { front, events } = await start({
    to: target.url,
    limits: { maxConnections: 1 },
  });
  using first = await RawClient.connect(front.endpoint);
  using server = await target.accept();
  using second = await RawClient.connect(front.endpoint);
  assertEquals((await second.receiveAll()).length, 0);
  assertEquals(of(events, "refused").map(({ limit }) => limit), [
    "maxConnections",
  ]);
  await first.send(utf8("still here"));
  assertEquals(await server.receive(10), utf8("still here"));
  await front.abort();
});

Deno.test("proxy() ends what is idle, lasts too long, or says nothing where something must come", async () => {
  using target = new Target();
  for (
    const [limits, waitMs, type, words] of [
      [{ idleMs: 1000 }, 1100, "relayed", "idle"],
      [{ maxMs: 5000 }, 5100, "relayed", "too long"],
    ] as const
  ) {
    const clock = new VirtualClock();
    const { front, events } = await start({ to: target.url, limits, clock });
    using client = await RawClient.connect(front.endpoint);
    using server = await target.accept();
    await client.send(utf8("x"));
    await server.receive(1);
    await turns();
    clock.advance(waitMs);
    assertEquals((await client.receiveAll()).length, 0);
    await waitUntil("the end", () => front.connections === 0);
    const [told] = of(events, type);
    assertEquals(told?.access.ending, words);
    await front.drain();
  }
  const clock = new VirtualClock();
  const { front, events } = await start({
    to: target.url,
    readHello: true,
    clock,
    limits: { handshakeMs: 1000 },
  });
  using silent = await RawClient.connect(front.endpoint);
  await waitUntil("it", () => front.connections === 1);
  await turns();
  clock.advance(1100);
  assertEquals((await silent.receiveAll()).length, 0);
  await waitUntil("the end", () => front.connections === 0);
  assertStringIncludes(of(events, "turned away")[0]!.reason, "1000 ms");
  await front.drain();
});

Deno.test("proxy() drains: what runs may end, what does not is cut off", async () => {
  using target = new Target();
  const { front, events } = await start({ to: target.url });
  using client = await RawClient.connect(front.endpoint);
  using server = await target.accept();
  const drained = front.drain({ deadlineMs: 20 });
  assertEquals((await client.receiveAll()).length, 0);
  assertEquals((await server.receiveAll()).length, 0);
  await within("the drain", drained);
  assertEquals(of(events, "relayed")[0]?.access.ending, "aborted");
});
