import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { connect } from "../../src/client/connect.ts";
import { parseEndpoint } from "../../src/io/endpoint.ts";
import { EndpointError } from "../../src/io/endpoint_error.ts";
import { text } from "../../src/proto/codec/text.ts";
import { lines } from "../../src/proto/framing/delimited.ts";
import { askLinks, controlLinks } from "../../src/proxy/link/control.ts";
import {
  type EmulatedLink,
  emulateLink,
  type EmulateLinkOptions,
} from "../../src/proxy/link/emulated_link.ts";
import type { LinkEvent } from "../../src/proxy/link/events.ts";
import { serveToxiproxy } from "../../src/proxy/link/toxiproxy.ts";
import { serve } from "../../src/server/serve.ts";
import { simulate } from "../../src/sim/simulate.ts";
import { Program, run, task } from "../support/program.ts";
import { RawClient } from "../support/raw_client.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { utf8 } from "../support/three_ways.ts";
import { stalled, waitUntil, within } from "../support/wait.ts";

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

/** A link with a connection through it. */
class Through implements AsyncDisposable {
  readonly events: LinkEvent[] = [];
  readonly target = new Target();
  link!: EmulatedLink;
  client!: RawClient;
  server!: RawClient;

  static async start(
    options: Partial<EmulateLinkOptions> = {},
  ): Promise<Through> {
    const through = new Through();
    through.link = await emulateLink({
      listen: "tcp://127.0.0.1:0",
      to: through.target.url,
      observe: (event) => void through.events.push(event),
      ...options,
    });
    [through.client, through.server] = await through.connect();
    return through;
  }

  async connect(): Promise<[RawClient, RawClient]> {
    const client = await RawClient.connect(this.link.endpoint);
    return [client, await this.target.accept()];
  }

  get endings(): string[] {
    return this.events.flatMap((event) =>
      event.type === "ended" ? [event.access.ending] : []
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.link.close();
    this.client[Symbol.dispose]();
    this.server[Symbol.dispose]();
    this.target[Symbol.dispose]();
  }
}

/** What a read of a connection that was reset says. */
async function readError({ conn }: RawClient): Promise<string> {
  try {
    const count = await within("an error", conn.read(new Uint8Array(1)));
    return `read ${count}`;
  } catch (error) {
    return (error as Error).name;
  }
}

Deno.test("emulateLink() delays each direction by its latency, and keeps half-close", async () => {
  await using through = await Through.start({
    up: { latencyMs: 60 },
    down: { latencyMs: 20 },
  });
  const { client, server } = through;
  const startMs = performance.now();
  await client.send(utf8("request"));
  await client.closeWrite();
  assertEquals(await server.receiveAll(), utf8("request"));
  assert(performance.now() - startMs >= 60);
  await server.send(utf8("answer"));
  await server.closeWrite();
  assertEquals(await client.receiveAll(), utf8("answer"));
  assert(performance.now() - startMs >= 80);
  await waitUntil("the end", () => through.endings.length === 1);
  assertEquals(through.endings, ["done"]);
  const [access] = through.events.flatMap((event) =>
    event.type === "ended" ? [event.access] : []
  );
  assertEquals([access!.bytesUp, access!.bytesDown], [7, 6]);
});

Deno.test("emulateLink() keeps a rate that all connections share", async () => {
  await using through = await Through.start({
    up: { bytesPerSecond: 1_000_000 },
  });
  const [client2, server2] = await through.connect();
  using _client2 = client2;
  using _server2 = server2;
  const block = new Uint8Array(150_000).fill(1);
  const startMs = performance.now();
  await Promise.all([
    through.client.send(block),
    client2.send(block),
    through.server.receive(block.length),
    server2.receive(block.length),
  ]);
  // 300,000 bytes at a million a second, less the burst.
  assert(performance.now() - startMs >= 295);
});

Deno.test("emulateLink() cuts streams into slices, and loses none of them", async () => {
  await using through = await Through.start({
    up: {
      sliceBytes: 100,
      sliceVariationBytes: 50,
      lossRate: 0.02,
      jitterMs: 3,
    },
  });
  const block = Uint8Array.from({ length: 20_000 }, (_, at) => at);
  await through.client.send(block);
  await through.client.closeWrite();
  const buffer = new Uint8Array(20_000);
  const first = await within("a slice", through.server.conn.read(buffer));
  assert(first !== null && first < 20_000);
  const rest = await through.server.receiveAll();
  assertEquals([...buffer.subarray(0, first), ...rest], [...block]);
});

Deno.test("emulateLink() really resets, on both sides", async () => {
  await using through = await Through.start({
    schedule: [{ atMs: 50, set: { resetAfterMs: 0 } }],
  });
  const { client, server } = through;
  const errors = Promise.all([readError(client), readError(server)]);
  assertEquals(await errors, ["ConnectionReset", "ConnectionReset"]);
  await waitUntil("the end", () => through.endings.length === 1);
  assertEquals(through.endings, ["reset"]);
});

Deno.test("emulateLink() passes a reset on as a reset", async () => {
  await using through = await Through.start();
  const { server, link } = through;
  const node = await import("node:net");
  const { port } = parseEndpoint(link.endpoint) as { port: number };
  const socket = node.createConnection({ host: "127.0.0.1", port });
  const connected = new Promise((ok) => socket.once("connect", ok));
  using second = await through.target.accept();
  await within("a connection", connected);
  const saw = readError(second);
  socket.resetAndDestroy();
  assertEquals(await saw, "ConnectionReset");
  await server.send(utf8("x"));
  assertEquals(await through.client.receive(1), utf8("x"));
});

Deno.test("emulateLink() resets a client whose target refuses it", async () => {
  const target = new Target();
  const { url } = target;
  target[Symbol.dispose]();
  const events: LinkEvent[] = [];
  await using link = await emulateLink({
    listen: "tcp://127.0.0.1:0",
    to: url,
    observe: (event) => void events.push(event),
  });
  using client = await RawClient.connect(link.endpoint);
  assertEquals(await readError(client), "ConnectionReset");
  const failed = events.find(({ type }) => type === "connect failed");
  assertStringIncludes(
    String((failed as { error: unknown }).error),
    "connection refused",
  );
});

Deno.test("emulateLink() swallows all in a black hole, and resets what lost bytes when it closes", async () => {
  await using through = await Through.start();
  const { client, server, link } = through;
  await client.send(utf8("a"));
  assertEquals(await server.receive(1), utf8("a"));
  link.set({ blackHole: true }, "up");
  await client.send(utf8("b"));
  await server.send(utf8("c"));
  assertEquals(await client.receive(1), utf8("c"));
  await waitUntil("the hole", () => link.state.up.counters.swallowedBytes > 0);
  const errors = Promise.all([readError(client), readError(server)]);
  link.set({ blackHole: false }, "up");
  assertEquals(await errors, ["ConnectionReset", "ConnectionReset"]);
});

Deno.test("emulateLink() leaves one side in the dark when the other has gone: half-open", async () => {
  await using through = await Through.start({ up: { halfOpen: true } });
  const { client, server, link } = through;
  await client.send(utf8("last words"));
  assertEquals(await server.receive(10), utf8("last words"));
  client.conn.close();
  // What is written to the one that has gone is taken, and the connection stands.
  for (let sent = 0; sent < 20; sent++) {
    await server.send(utf8("anybody?"));
  }
  const passed = () => link.state.down.counters.packets;
  await stalled(passed);
  assertEquals(link.state.connections, 1);
  const read = server.conn.read(new Uint8Array(1)).then(
    () => "told",
    () => "cut",
  );
  assertEquals(
    await Promise.race([read, stalled(passed).then(() => "nothing")]),
    "nothing",
  );
  await server.closeWrite();
  await waitUntil("the end", () => link.state.connections === 0);
  await read;
});

Deno.test("emulateLink() closes late, at an age, and at a limit", async () => {
  await using slow = await Through.start({ up: { slowCloseMs: 80 } });
  const startMs = performance.now();
  await slow.client.closeWrite();
  assertEquals((await slow.server.receiveAll()).length, 0);
  assert(performance.now() - startMs >= 80);

  await using aged = await Through.start({ down: { closeAfterMs: 50 } });
  assertEquals((await aged.client.receiveAll()).length, 0);
  await waitUntil("the end", () => aged.endings.length === 1);
  assertEquals(aged.endings, ["closed"]);

  await using limited = await Through.start({ up: { limitBytes: 5 } });
  await limited.client.send(utf8("too much"));
  assertEquals(await limited.server.receiveAll(), utf8("too m"));
  await waitUntil("the end", () => limited.endings.length === 1);
  assertEquals(limited.endings, ["closed"]);
});

Deno.test("emulateLink() holds streams during an outage, and passes on all of it afterwards", async () => {
  await using through = await Through.start();
  const { client, server, link } = through;
  link.set({ offline: true });
  await client.send(utf8("patience"));
  const { counters } = link.state.up;
  await waitUntil("the bytes", () => link.state.up.counters.bytes === 8);
  assertEquals(counters.deliveredBytes, 0);
  assertEquals(link.state.up.counters.deliveredBytes, 0);
  link.set({ offline: false });
  assertEquals(await server.receive(8), utf8("patience"));
});

Deno.test("emulateLink() follows its schedule", async () => {
  await using through = await Through.start({
    schedule: [
      { atMs: 20, set: { latencyMs: 7 } },
      { atMs: 40, direction: "down", set: { latencyMs: 9 } },
    ],
  });
  const { link, events } = through;
  await waitUntil(
    "both changes",
    () => events.filter(({ type }) => type === "changed").length === 2,
  );
  assertEquals(link.state.up.impairments.latencyMs, 7);
  assertEquals(link.state.down.impairments.latencyMs, 9);
});

Deno.test("emulateLink() refuses what makes no sense before it listens", async () => {
  const listen = "tcp://127.0.0.1:0";
  const to = "tcp://127.0.0.1:1";
  const wrong: [Partial<EmulateLinkOptions>, string][] = [
    [{ up: { lossRate: 3 } }, "0 to 1"],
    [{ schedule: [{ atMs: 5, set: { latencyMs: -1 } }] }, "0 or more"],
    [{ to: "udp://127.0.0.1:1" }, "streams go to streams"],
    [{ listen: "udp://127.0.0.1" }, "datagrams go to datagrams"],
    [{ listen: "tls://127.0.0.1:0" }, "tcp, unix, memory, udp or tun"],
    [{ listen: "tun:a name too long for it", to: "tun:b" }, "tun:NAME"],
    [{ listen: "udp://127.0.0.1", to: "udp://127.0.0.1:1" }, "udp://HOST:PORT"],
  ];
  for (const [options, message] of wrong) {
    await assertRejects(
      () => emulateLink({ listen, to, ...options }),
      Error,
      message,
    );
  }
});

Deno.test("emulateLink() holds little for a client that never reads, and serves others on", async () => {
  await using through = await Through.start({ down: { latencyMs: 1 } });
  const { server, link } = through;
  const block = new Uint8Array(1 << 16).fill(7);
  let sent = 0;
  const sending = (async () => {
    for (; sent < 4000; sent++) await server.send(block);
  })().catch(() => {});
  await stalled(() => sent);
  assert(sent < 500, `${sent} blocks of 64 KiB were taken`);
  const [other, otherServer] = await through.connect();
  using _other = other;
  using _otherServer = otherServer;
  await otherServer.send(utf8("served"));
  assertEquals(await other.receive(6), utf8("served"));
  assertEquals(link.state.connections, 2);
  await link.close();
  await sending;
});

Deno.test("emulateLink() refuses connections beyond its limit, and serves those that it has", async () => {
  await using through = await Through.start({ limits: { maxConnections: 1 } });
  // The reset may come before the runtime has seen the connection stand.
  const refusal = RawClient.connect(through.link.endpoint).then(
    async (refused) => {
      using _refused = refused;
      return await readError(refused);
    },
    ({ reason }) => reason,
  );
  assert(["ConnectionReset", "connection reset"].includes(await refusal));
  await through.client.send(utf8("x"));
  assertEquals(await through.server.receive(1), utf8("x"));
});

/** A socket for datagrams. */
class Datagrams implements Disposable {
  readonly received: number[] = [];
  readonly froms: Deno.NetAddr[] = [];
  readonly socket = Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });

  constructor(
    onPacket: (packet: Uint8Array, from: Deno.NetAddr) => void = () => {},
  ) {
    void (async () => {
      for await (const [packet, from] of this.socket) {
        this.received.push(packet[0]! << 8 | packet[1]!);
        this.froms.push(from as Deno.NetAddr);
        onPacket(packet, from as Deno.NetAddr);
      }
    })();
  }

  get url(): string {
    return `udp://127.0.0.1:${(this.socket.addr as Deno.NetAddr).port}`;
  }

  async send(url: string, number: number, size = 2): Promise<void> {
    const { port } = parseEndpoint(url.replace("udp:", "tcp:")) as {
      port: number;
    };
    const packet = new Uint8Array(Math.max(2, size));
    packet[0] = number >> 8;
    packet[1] = number;
    const to = { transport: "udp", hostname: "127.0.0.1", port } as const;
    await this.socket.send(packet, to);
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }
}

/** Which of 200 datagrams arrive, by a link with this seed. */
async function survivors(
  seed: number,
  options: Partial<EmulateLinkOptions> = {},
): Promise<number[]> {
  using target = new Datagrams();
  using client = new Datagrams();
  await using link = await emulateLink({
    listen: "udp://127.0.0.1:0",
    to: target.url,
    up: { lossRate: 0.1, burstEnterRate: 0.02, burstLeaveRate: 0.3 },
    seed,
    ...options,
  });
  const { counters } = link.state.up;
  assertEquals(counters.packets, 0);
  for (let number = 0; number < 200; number++) {
    await client.send(link.endpoint, number);
    // One after another, so that no kernel loses any.
    await waitUntil(
      "the datagram",
      () => link.state.up.counters.packets > number,
    );
  }
  await waitUntil(
    "what is left",
    () => target.received.length === link.state.up.counters.deliveredPackets,
  );
  return target.received;
}

Deno.test("emulateLink() loses the same datagrams by the same seed", async () => {
  const first = await survivors(7);
  assert(first.length > 120 && first.length < 190, String(first.length));
  assertEquals(await survivors(7), first);
  assert((await survivors(8)).join() !== first.join());
});

Deno.test("emulateLink() keeps sessions of datagrams apart, answers them, and ends idle ones", async () => {
  const events: LinkEvent[] = [];
  using echo = new Datagrams((packet, from) =>
    void echo.socket.send(packet, from)
  );
  await using link = await emulateLink({
    listen: "udp://127.0.0.1:0",
    to: echo.url,
    down: { duplicateRate: 1, latencyMs: 5 },
    limits: { sessionIdleMs: 200, maxConnections: 2 },
    observe: (event) => void events.push(event),
  });
  using one = new Datagrams();
  using two = new Datagrams();
  using three = new Datagrams();
  await one.send(link.endpoint, 1);
  await two.send(link.endpoint, 2);
  await waitUntil(
    "the answers",
    () => one.received.length === 2 && two.received.length === 2,
  );
  assertEquals([one.received, two.received], [[1, 1], [2, 2]]);
  assert(echo.froms[0]!.port !== echo.froms[1]!.port);
  await three.send(link.endpoint, 3);
  await waitUntil(
    "a refusal",
    () => events.some(({ type }) => type === "refused"),
  );
  await waitUntil("the idle ends", () => link.state.connections === 0);
  const endings = events.flatMap((event) =>
    event.type === "ended" ? [event.access.ending] : []
  );
  assertEquals(endings, ["idle", "idle"]);
  await three.send(link.endpoint, 3);
  await waitUntil("an answer", () => three.received.length === 2);
});

Deno.test("emulateLink() passes datagrams on to nobody, and goes on", async () => {
  const gone = new Datagrams();
  const { url } = gone;
  gone[Symbol.dispose]();
  await using link = await emulateLink({
    listen: "udp://127.0.0.1:0",
    to: url,
  });
  using client = new Datagrams();
  for (let number = 0; number < 5; number++) {
    await client.send(link.endpoint, number, 1200);
    await waitUntil(
      "the datagram",
      () => link.state.up.counters.packets > number,
    );
  }
  assertEquals(link.state.connections, 1);
});

Deno.test("controlLinks() shows and changes links from outside", async () => {
  await using folder = await temporaryFolder();
  const control = `unix:${folder.path}/deep/link.sock`;
  await using link = await emulateLink({
    listen: "memory:controlled",
    to: "memory:nobody",
    name: "one",
  });
  await using _server = await controlLinks(control, [link]);
  const [before] = await askLinks(control, { do: "list" });
  assertEquals([before!.name, before!.up.settings], ["one", "none"]);
  const [after] = await askLinks(control, {
    do: "set",
    name: "one",
    direction: "down",
    settings: "latency=50 loss=1%",
  });
  assertEquals(after!.down.settings, "latency=50ms loss=1%");
  assertEquals(after!.up.settings, "none");
  for (
    const [request, message] of [
      [{ do: "show", name: "two" }, "the names are one"],
      [{ do: "explode" }, "list, show or set"],
      [{ do: "set", settings: "latency=-1" }, "Cannot read setting"],
      [{ do: "set", settings: "loss=1", direction: "left" }, "up or down"],
      [null, "list, show or set"],
    ] as const
  ) {
    await assertRejects(
      () => askLinks(control, request as never),
      Error,
      message,
    );
  }
});

Deno.test("link runs, prints its seed, is changed while it runs, and ends", async () => {
  await using folder = await temporaryFolder();
  using target = new Target();
  const control = `unix:${folder.path}/link.sock`;
  await using program = await Program.serve(
    task(
      "link",
      "tcp://127.0.0.1:0",
      target.url,
      "--preset=dsl",
      "--latency=5ms",
      "--down=loss=1%",
      "--at=1h offline=on",
      "--seed=42",
      `--control=${control}`,
    ),
  );
  await program.prints("seed 42");
  const shown = await run(task("link", "show", `--control=${control}`));
  assertStringIncludes(shown.stdout, "up   latency=5ms rate=384kbit");
  assertStringIncludes(shown.stdout, "down latency=5ms rate=1500kbit");
  assertStringIncludes(shown.stdout, "loss=1%");
  const set = await run(
    task(
      "link",
      "set",
      "--rate=none",
      "--up=latency=1",
      `--control=${control}`,
    ),
  );
  assertEquals(set.code, 0, set.stderr);
  await program.prints("changed rate=none", "changed up latency=1ms");
  await using second = await Program.serve(
    task(
      "link",
      "tcp://127.0.0.1:0",
      program.endpoints[0]!,
      `--control=${control}`,
    ),
  );
  await second.until("a warning", () => second.errors.includes("in use"));
  using client = await RawClient.connect(second.endpoints[0]!);
  using server = await target.accept();
  await client.send(utf8("ahoy"));
  assertEquals(await server.receive(4), utf8("ahoy"));
  assertEquals(await second.stop(), 0);
  assertEquals(await program.stop(), 0);
});

Deno.test("link says what is wrong with its command line", async () => {
  const ends = ["tcp://127.0.0.1:0", "tcp://127.0.0.1:1"];
  for (
    const [args, message] of [
      [[...ends, "--latency=soon"], "a time such as"],
      [[...ends, "--outage=60s/10s"], "shorter"],
      [[...ends, "--at=latency=5"], "TIME[/EVERY]"],
      [["tcp://127.0.0.1:0"], "Cannot run without TO"],
      [["set"], "nothing was given"],
    ] as const
  ) {
    const { code, stderr } = await run(task("link", ...args));
    assertEquals(code, 2, stderr);
    assertStringIncludes(stderr, message);
  }
});

Deno.test("link trace prints a trace that link reads", async () => {
  await using folder = await temporaryFolder();
  const { stdout } = await run(
    task("link", "trace", "--seconds=2", "--rate=12Mbit", "--seed=3"),
  );
  assert(stdout.split("\n").length > 500);
  const path = `${folder.path}/cell.trace`;
  await Deno.writeTextFile(path, stdout);
  using target = new Target();
  await using program = await Program.serve(
    task(
      "link",
      "tcp://127.0.0.1:0",
      target.url,
      `--trace=${path}`,
      `--control=unix:${folder.path}/link.sock`,
    ),
  );
  using client = await RawClient.connect(program.endpoints[0]!);
  using server = await target.accept();
  await client.send(new Uint8Array(30_000));
  assertEquals((await server.receive(30_000)).length, 30_000);
});

Deno.test("link toxiproxy serves the API", async () => {
  await using program = await Program.serve(
    task("link", "toxiproxy", "127.0.0.1:0", "--seed=5"),
  );
  const response = await fetch(`${program.endpoints[0]}/proxies`);
  assertEquals(await response.json(), {});
  assertEquals(await program.stop(), 0);
});

Deno.test("emulateLink() says which address it cannot listen on", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using taken = new Datagrams();
  const { port } = listener.addr as Deno.NetAddr;
  for (const listen of [`tcp://127.0.0.1:${port}`, taken.url]) {
    const to = listen.replace(/\d+$/, "1");
    await assertRejects(
      () => emulateLink({ listen, to }),
      Error,
      `Cannot listen on ${listen}`,
    );
  }
  assertThrows(
    () => serveToxiproxy({ port }),
    EndpointError,
    "address in use",
  );
  listener.close();
});

Deno.test("emulateLink() hears the target alone", async () => {
  using echo = new Datagrams();
  await using link = await emulateLink({
    listen: "udp://127.0.0.1:0",
    to: echo.url,
  });
  using client = new Datagrams();
  await client.send(link.endpoint, 1);
  await waitUntil("the datagram", () => echo.froms.length === 1);
  const back = `udp://127.0.0.1:${echo.froms[0]!.port}`;
  using stranger = new Datagrams();
  await stranger.send(back, 666);
  await echo.send(back, 2);
  await waitUntil("an answer", () => client.received.length > 0);
  assertEquals(client.received, [2]);
});

Deno.test("emulateLink() does the same in simulation, again and again", async () => {
  const wire = lines(text());
  const times: string[] = [];
  await simulate({ seeds: 2, firstSeed: 5 }, async (network) => {
    await using _service = await serve({
      ...network.host("service"),
      listen: "tcp://0.0.0.0:7001",
      wire,
      handler: { message: (peer, line) => peer.send(line) },
    });
    await using link = await emulateLink({
      ...network.host("link"),
      listen: "tcp://0.0.0.0:7000",
      to: "tcp://service:7001",
      up: { latencyMs: 100, jitterMs: 50, lossRate: 0.3 },
      seed: 9,
    });
    await using client = await connect({
      ...network.host("client"),
      to: "tcp://link:7000",
      wire,
    });
    const { clock } = network;
    const seen: number[] = [];
    for (let count = 0; count < 10; count++) {
      const sentMs = clock.now();
      client.send(String(count));
      assertEquals(await client.receive(), String(count));
      seen.push(Math.round(clock.now() - sentMs));
    }
    assert(seen.every((ms) => ms >= 100), seen.join());
    assert(seen.some((ms) => ms >= 300), seen.join());
    times.push(seen.join());
    assertEquals(link.state.connections, 1);
  });
  assertEquals(times[0], times[1]);
});
