import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { alarm } from "../../../src/io/clock.ts";
import { VirtualNetwork } from "../../../src/sim/virtual_network.ts";
import {
  dialFrom,
  inTime,
  listenOn,
  readSome,
  virtualPair,
  writeAll,
} from "../../support/virtual_pair.ts";

function test(
  name: string,
  body: (network: VirtualNetwork) => Promise<void>,
): void {
  Deno.test(`VirtualHost ${name}`, async () => {
    const network = new VirtualNetwork({ seed: 1, link: { latencyMs: 10 } });
    await inTime(network, () => body(network));
  });
}

/** Calls back if `promise` is ever settled. */
function watch(promise: Promise<unknown>, settled: () => void): void {
  promise.then(settled, settled);
}

test("spreads into options as clock, transports and random", (network) => {
  const host = network.host("server");
  assertEquals(Object.keys({ ...host }), ["clock", "transports", "random"]);
  assertEquals(host.name, "server");
  assertEquals(host.address, "10.0.0.1");
  assertEquals(network.host("other").address, "10.0.0.2");
  assertEquals(network.host("server"), host);
  return Promise.resolve();
});

test("that is killed ends its connections, and refuses new ones", async (network) => {
  const [client, server] = await virtualPair(network);
  const host = network.host("server");
  await listenOn(host, "tcp://server:1");
  await server.write(Uint8Array.of(1));
  host.kill();
  assertEquals(await readSome(client), [1]);
  assertEquals(await readSome(client), null);
  await assertRejects(
    () => dialFrom(network.host("client"), "tcp://server:1"),
    Error,
    "connection refused",
  );
  await listenOn(host, "tcp://server:1");
  await dialFrom(network.host("client"), "tcp://server:1");
});

test("that crashes tells nobody, and after its restart resets who writes", async (network) => {
  const [client] = await virtualPair(network);
  const host = network.host("server");
  host.crash();
  assert(!host.isUp);
  let told = false;
  const reading = readSome(client);
  watch(reading, () => told = true);
  await network.clock.sleep(600_000);
  assert(!told, "half-open");
  host.restart();
  assert(host.isUp);
  await network.clock.sleep(600_000);
  assert(!told, "still half-open");
  await client.write(Uint8Array.of(1));
  await assertRejects(() => reading, Deno.errors.ConnectionReset);
});

test("that is down answers no one", async (network) => {
  const host = network.host("server");
  await listenOn(host, "tcp://server:1");
  host.crash();
  await assertRejects(
    () => dialFrom(network.host("client"), "tcp://server:1"),
    Error,
    "timed out",
  );
});

test("does not let dead programs run on", async (network) => {
  for (const end of ["kill", "crash"] as const) {
    const [conn] = await virtualPair(network);
    const host = network.host("client");
    const listener = await listenOn(host, "tcp://0.0.0.0:0");
    const { clock, transports } = host;
    let ran = 0;
    const run = () => void ran++;
    alarm(clock, 1000, run);
    watch(readSome(conn), run);
    watch(listener.accept(), run);
    watch(dialFrom(host, "tcp://10.99.0.1:1"), run);
    host[end]();
    alarm(clock, 1000, run);
    watch(readSome(conn), run);
    watch(conn.write(Uint8Array.of(1)), run);
    watch(conn.closeWrite(), run);
    conn.close();
    const endpoint = { scheme: "memory", name: "x" } as const;
    watch(Promise.resolve(transports.memory.listen(endpoint, {})), run);
    watch(transports.memory.connect(endpoint, {}), run);
    await network.clock.sleep(1_000_000);
    assertEquals(ran, 0, end);
    // What starts after it does run.
    alarm(host.clock, 1000, run);
    await network.clock.sleep(1000);
    assertEquals(ran, 1, end);
    host.restart();
  }
});

test("reads as slowly as it is told", async (network) => {
  const [client, server] = await virtualPair(network);
  const { clock } = network;
  network.host("server").readBytesPerSecond = 1000;
  await writeAll(client, new Uint8Array(5000));
  const startMs = clock.now();
  for (let count = 0; count < 5000;) {
    count += (await readSome(server))!.length;
  }
  const tookMs = clock.now() - startMs;
  assert(tookMs > 4900 && tookMs < 5100, `${tookMs} ms`);
  const restless = network.host("server");
  assertThrows(() => restless.readBytesPerSecond = -1, RangeError);
  assertThrows(() => restless.readBytesPerSecond = NaN, RangeError);
});

test("hangs and comes to itself again", async (network) => {
  const [client, server] = await virtualPair(network);
  const host = network.host("server");
  host.readBytesPerSecond = 0;
  await writeAll(client, new Uint8Array(50_000));
  const reading = readSome(server);
  let read = false;
  watch(reading, () => read = true);
  await network.clock.sleep(100_000);
  assert(!read);
  host.readBytesPerSecond = Infinity;
  assertEquals((await reading)?.length, 50_000);
});
