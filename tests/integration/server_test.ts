import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { connect } from "../../src/client/connect.ts";
import { inOrder } from "../../src/client/correlation.ts";
import { EndpointError } from "../../src/io/endpoint_error.ts";
import type { Handler } from "../../src/io/handler.ts";
import { json } from "../../src/proto/codec/json.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { serve, type ServeOptions } from "../../src/server/serve.ts";
import type { Server } from "../../src/server/server.ts";
import { Program, run } from "../support/program.ts";
import { frame, RawClient } from "../support/raw_client.ts";
import { Recorder } from "../support/recorder.ts";
import { CLIENT_TLS, SERVER_TLS } from "../support/tls.ts";
import { TEXT_WIRE } from "../support/virtual_server.ts";
import { waitUntil, within } from "../support/wait.ts";

type TextServer = Server<string, string>;

/** Tells a peer its own address. */
const WHO: Handler<string, string> = {
  message: (peer) => peer.send(peer.address),
};

function start(
  options: Partial<ServeOptions<string, string, undefined>> = {},
): Promise<TextServer> {
  return serve({
    listen: "tcp://127.0.0.1:0",
    wire: TEXT_WIRE,
    handler: WHO,
    ...options,
  });
}

/** Asks a server who we are. */
async function ask(to: string): Promise<string> {
  await using client = await connect({
    to,
    wire: TEXT_WIRE,
    correlate: inOrder(),
    ...CLIENT_TLS,
  });
  return await within("an answer", client.request("who am I?"));
}

function portOf(endpoint: string): string {
  return /\d+$/.exec(endpoint)![0];
}

async function inTempDir(
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "portolan-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const PROGRAM = new URL("../support/programs/echo.ts", import.meta.url)
  .pathname;
const JSON_WIRE = lengthPrefixed(json());

Deno.test("serve() listens at endpoints of every kind at once", async () => {
  await inTempDir(async (folder) => {
    await using server = await start({
      listen: [
        "tcp://127.0.0.1:0",
        "tcp://[::1]:0",
        "tcp://localhost:0",
        "tls://127.0.0.1:0",
        `unix:${folder}/a.sock`,
        "memory:every-kind",
      ],
      ...SERVER_TLS,
    });
    const answers = await Promise.all(server.endpoints.map(ask));
    const forms = [
      /^127\.0\.0\.1:\d+$/,
      /^\[::1\]:\d+$/,
      /^(127\.0\.0\.1|\[::1\]):\d+$/,
      /^127\.0\.0\.1:\d+$/,
      /^unix#\d+$/,
      /^memory#\d+$/,
    ];
    for (const [at, form] of forms.entries()) assertMatch(answers[at]!, form);
    const ports = server.endpoints.slice(0, 4).map(portOf);
    assertEquals(new Set(ports).size, 4);
    assert(!ports.includes("0"));
  });
});

Deno.test("serve() on [::] takes IPv4 too, and shows and counts it as IPv4", async () => {
  const recorder = new Recorder();
  await using server = await start({
    listen: "tcp://[::]:0",
    limits: { maxConnectionsPerSource: 1 },
    overLimit: (limit) => limit,
    observe: recorder.observe,
  });
  const port = portOf(server.endpoint);
  using four = await RawClient.connect(`tcp://127.0.0.1:${port}`);
  await four.send(frame("?"));
  const address = new TextDecoder().decode(await four.receiveFrame());
  assertMatch(address, /^127\.0\.0\.1:\d+$/);
  using six = await RawClient.connect(`tcp://[::1]:${port}`);
  await six.send(frame("?"));
  assertMatch(
    new TextDecoder().decode(await six.receiveFrame()),
    /^\[::1\]:\d+$/,
  );
  using second = await RawClient.connect(`tcp://127.0.0.1:${port}`);
  assertEquals(await second.receiveAll(), frame("maxConnectionsPerSource"));
  const [refused] = recorder.of("refused");
  assertMatch(refused!.address, /^127\.0\.0\.1:\d+$/);
});

Deno.test("serve() says in one line why it cannot listen", async () => {
  await using other = await start();
  await inTempDir(async (folder) => {
    const file = `${folder}/file`;
    await Deno.writeTextFile(file, "precious");
    const cases: [string, string][] = [
      [other.endpoint, "address in use"],
      ["tcp://192.0.2.1:0", "address not available on this machine"],
      ["tcp://no-such-host.invalid:0", "no such host"],
      [`unix:${folder}/none/a.sock`, "no such file"],
      [`unix:${file}`, "a file that is no socket has this name"],
      ["tls://127.0.0.1:0", "A certificate and a key are needed"],
    ];
    for (const [listen, reason] of cases) {
      const error = await assertRejects(() => start({ listen }), EndpointError);
      assertEquals(error.message, `Cannot listen on ${listen}: ${reason}`);
    }
    assertEquals(await Deno.readTextFile(file), "precious");
  });
});

Deno.test("serve() says which permission it lacks", async () => {
  const { code, stdout, stderr } = await run([
    Deno.execPath(),
    "run",
    "--no-prompt",
    "--allow-net=127.0.0.1:1",
    PROGRAM,
    "tcp://127.0.0.1:2",
  ]);
  assertEquals(
    { code, stdout, stderr },
    {
      code: 1,
      stdout: "",
      stderr: "Cannot listen on tcp://127.0.0.1:2: " +
        "permission denied, run again with --allow-net for it\n",
    },
  );
});

Deno.test("serve() with reusePort says which flag it needs, and works with it", async () => {
  const program = (...flags: string[]): string[] => [
    Deno.execPath(),
    "run",
    "--no-prompt",
    "--no-config",
    "--allow-net=127.0.0.1",
    ...flags,
    PROGRAM,
    "tcp://127.0.0.1:0",
    "{}",
    '{"reusePort":true}',
  ];
  const { code, stderr } = await run(program());
  assertEquals(code, 1);
  assertEquals(
    stderr,
    "Cannot listen on tcp://127.0.0.1:0: " +
      "reusePort needs the runtime's flag --unstable-net\n",
  );
  await using first = await Program.serve(program("--unstable-net"));
  const [listen] = first.endpoints;
  await using second = await serve({
    listen: listen!,
    wire: JSON_WIRE,
    handler: { message() {} },
    reusePort: true,
  });
  assertEquals(second.endpoint, listen);
});

Deno.test("serve() replaces the socket file of a server that is gone", async () => {
  await inTempDir(async (folder) => {
    const path = `${folder}/a.sock`;
    const listen = `unix:${path}`;
    const gone = Deno.listen({ transport: "unix", path: `${folder}/b.sock` });
    await Deno.rename(`${folder}/b.sock`, path);
    gone.close();
    assert((await Deno.lstat(path)).isSocket);
    const server = await start({ listen });
    assertMatch(await ask(listen), /^unix#/);
    await server.drain();
    await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
  });
});

Deno.test("serve() leaves the socket file of a live server alone", async () => {
  await inTempDir(async (folder) => {
    const listen = `unix:${folder}/a.sock`;
    await using _server = await start({ listen });
    const error = await assertRejects(() => start({ listen }), EndpointError);
    assertEquals(error.message, `Cannot listen on ${listen}: address in use`);
    assertMatch(await ask(listen), /^unix#/);
  });
});

Deno.test("Server.suspend() frees its endpoints, and resume() takes the same ones", async () => {
  await inTempDir(async (folder) => {
    await using server = await start({
      listen: ["tcp://127.0.0.1:0", `unix:${folder}/a.sock`],
    });
    const endpoints = server.endpoints;
    using client = await RawClient.connect(server.endpoint);
    await client.send(frame("?"));
    await client.receiveFrame();
    await server.suspend();
    for (const endpoint of endpoints) {
      await assertRejects(() => RawClient.connect(endpoint), EndpointError);
    }
    await client.send(frame("?"));
    await client.receiveFrame();
    await server.resume();
    assertEquals(server.endpoints, endpoints);
    for (const endpoint of endpoints) await ask(endpoint);
  });
});

Deno.test("Server beyond maxConnections lets clients wait in the kernel, if told so", async () => {
  const recorder = new Recorder();
  await using server = await start({
    limits: { maxConnections: 2 },
    overLimit: "wait",
    observe: recorder.observe,
  });
  const held = [
    await RawClient.connect(server.endpoint),
    await RawClient.connect(server.endpoint),
  ];
  await recorder.until("accepted", 2);
  const answers = Array.from({ length: 5 }, () => ask(server.endpoint));
  await recorder.until("waiting");
  assertEquals(server.counters.accepted, 2);
  for (const client of held) client.conn.close();
  assertEquals((await Promise.all(answers)).length, 5);
  assertEquals([server.counters.accepted, server.counters.refused], [7, 0]);
});

Deno.test("Server beyond maxConnections refuses with a reason, also over TLS", async () => {
  await using server = await start({
    listen: "tls://127.0.0.1:0",
    ...SERVER_TLS,
    limits: { maxConnections: 1 },
    overLimit: (limit) => `no room (${limit})`,
  });
  using first = await RawClient.connect(server.endpoint, CLIENT_TLS);
  await first.send(frame("?"));
  await first.receiveFrame();
  using second = await RawClient.connect(server.endpoint, CLIENT_TLS);
  await second.send(frame("?")).catch(() => {});
  assertEquals(await second.receiveAll(), frame("no room (maxConnections)"));
  await first.send(frame("?"));
  await first.receiveFrame();
});

Deno.test("Server drains while requests come in, and answers all it has taken", async () => {
  let handled = 0;
  const server = await start({
    handler: {
      async message(peer, message) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        handled++;
        peer.send(message);
      },
    },
  });
  let answered = 0;
  const clients = Array.from({ length: 20 }, async () => {
    using client = await RawClient.connect(server.endpoint);
    const block = Uint8Array.from(
      [..."0123456789"].flatMap((c) => [...frame(c)]),
    );
    await client.send(block);
    const bytes = await client.receiveAll();
    assertEquals(bytes.length % 5, 0, "no answer is cut");
    answered += bytes.length / 5;
  });
  await waitUntil("some of them", () => handled > 30);
  await within("the drain", server.drain());
  await Promise.all(clients);
  assertEquals(answered, handled);
  assertEquals(answered, server.counters.messagesIn);
});

Deno.test("Server out of descriptors pauses, says so, and serves on", async () => {
  await using program = await Program.serve([
    "prlimit",
    "--nofile=64",
    Deno.execPath(),
    "run",
    "--no-prompt",
    "--allow-net=127.0.0.1",
    PROGRAM,
    "tcp://127.0.0.1:0",
  ]);
  const to = program.endpoints[0]!;
  await using first = await connect({
    to,
    wire: JSON_WIRE,
    correlate: inOrder(),
  });
  assertEquals(await first.request("hello"), "hello");
  const clients: RawClient[] = [];
  try {
    for (let i = 0; i < 100; i++) clients.push(await RawClient.connect(to));
    await program.until(
      "the line in the log",
      () => program.output.includes("error: "),
    );
    assertEquals(await within("an echo", first.request("still?")), "still?");
  } finally {
    for (const client of clients) client.conn.close();
  }
  // Whoever comes now is served, as soon as the others have gone.
  await using late = await connect({
    to,
    wire: JSON_WIRE,
    correlate: inOrder(),
  });
  assertEquals(await within("an echo", late.request("me too")), "me too");
  const logged = program.output.split("\n").filter((line) =>
    line.startsWith("error: ")
  );
  assertEquals(logged, [
    `error: Cannot accept at ${to}, next try in 100 ms: {detail}`,
  ]);
  assertEquals(await program.stop(), 0, program.errors);
});

Deno.test("Server takes in thousands of connections a second, and forgets them", async () => {
  const recorder = new Recorder();
  await using server = await start({ observe: recorder.observe });
  const count = 5000;
  let next = 0;
  await within(
    `${count} connections`,
    Promise.all(Array.from({ length: 50 }, async () => {
      while (next++ < count) {
        using client = await RawClient.connect(server.endpoint);
        if (next % 10 === 0) {
          await client.send(frame("?"));
          await client.receiveFrame();
        }
      }
    })),
    30_000,
  );
  await waitUntil("all gone", () => server.counters.closed === count);
  assertEquals(server.counters.accepted, count);
  assertEquals(server.peers.size, 0);
  assertEquals(recorder.warnings, []);
  await ask(server.endpoint);
});
