import { assert, assertEquals, assertRejects } from "@std/assert";
import { VirtualNetwork } from "../../../src/sim/virtual_network.ts";
import {
  inTime,
  readSome,
  virtualPair,
  writeAll,
} from "../../support/virtual_pair.ts";

// What these tests expect is what the runtime's own sockets do on Linux.

function test(
  name: string,
  body: (network: VirtualNetwork) => Promise<void>,
): void {
  Deno.test(`VirtualConn ${name}`, async () => {
    const network = new VirtualNetwork({ seed: 1, link: { latencyMs: 10 } });
    await inTime(network, () => body(network));
  });
}

test("carries bytes after the latency of the link", async (network) => {
  const [client, server] = await virtualPair(network);
  const startMs = network.clock.now();
  await client.write(Uint8Array.of(1, 2, 3));
  assertEquals(await readSome(server), [1, 2, 3]);
  assertEquals(network.clock.now() - startMs, 10);
  await server.write(Uint8Array.of(4));
  assertEquals(await readSome(client), [4]);
  assertEquals(network.clock.now() - startMs, 20);
});

test("knows both addresses", async (network) => {
  const [client, server] = await virtualPair(network);
  assertEquals(client.localAddr, server.remoteAddr);
  assertEquals(client.remoteAddr, server.localAddr);
  assertEquals(
    (server.remoteAddr as Deno.NetAddr).hostname,
    network.host("client").address,
  );
});

test("makes a writer wait until it is read", async (network) => {
  const [client, server] = await virtualPair(network);
  const all = Uint8Array.from({ length: 200_000 }, (_, at) => at % 253);
  let written = false;
  const writing = writeAll(client, all).then(() => written = true);
  await network.clock.sleep(60_000);
  assert(!written);
  const received: number[] = [];
  while (received.length < all.length) {
    received.push(...await readSome(server) ?? []);
  }
  assertEquals(received, [...all]);
  await writing;
});

test("ends one direction and goes on in the other", async (network) => {
  const [client, server] = await virtualPair(network);
  await client.write(Uint8Array.of(1));
  await client.closeWrite();
  await client.closeWrite();
  await assertRejects(
    () => client.write(Uint8Array.of(2)),
    Deno.errors.BrokenPipe,
  );
  assertEquals(await readSome(server), [1]);
  assertEquals(await readSome(server), null);
  await server.write(Uint8Array.of(3));
  assertEquals(await readSome(client), [3]);
  server.close();
  assertEquals(await readSome(client), null);
});

test("sends what was written before it was closed", async (network) => {
  const [client, server] = await virtualPair(network);
  const all = new Uint8Array(60_000).fill(7);
  await writeAll(client, all);
  client.close();
  let received = 0;
  for (;;) {
    const part = await readSome(server, 999);
    if (part === null) break;
    received += part.length;
  }
  assertEquals(received, all.length);
});

test("fails once it is closed, also what was waiting", async (network) => {
  const [client] = await virtualPair(network);
  const reading = assertRejects(
    () => readSome(client),
    Deno.errors.BadResource,
  );
  client.close();
  client.close();
  await reading;
  const { BadResource } = Deno.errors;
  await assertRejects(() => readSome(client), BadResource);
  await assertRejects(() => client.write(Uint8Array.of(1)), BadResource);
  await assertRejects(() => client.closeWrite(), BadResource);
});

test("resets a peer that writes to a closed end", async (network) => {
  const [client, server] = await virtualPair(network);
  client.close();
  assertEquals(await readSome(server), null);
  assertEquals(await server.write(Uint8Array.of(1)), 1);
  await network.clock.sleep(100);
  await assertRejects(
    () => server.write(Uint8Array.of(2)),
    Deno.errors.BrokenPipe,
  );
  assertEquals(await readSome(server), null);
});

test("loses its last words when it is closed with input unread", async (network) => {
  const [client, server] = await virtualPair(network);
  const much = new Uint8Array(1 << 20);
  const lost = writeAll(client, much).catch((error) => error);
  await network.clock.sleep(1000);
  await server.write(Uint8Array.of(1));
  await network.clock.sleep(1000);
  client.close();
  assert(await lost instanceof Deno.errors.BadResource);
  let received = 0;
  await assertRejects(async () => {
    for (;;) received += (await readSome(server))?.length ?? 0;
  }, Deno.errors.ConnectionReset);
  assert(received > 0 && received <= 65536, `${received} were received`);
  assertEquals(await readSome(server), null, "told once");
});

test("says nothing more when its machine crashes while closing", async (network) => {
  const [client, server] = await virtualPair(network);
  await writeAll(client, new Uint8Array(1000));
  client.close();
  network.host("client").crash();
  network.host("client").restart();
  let told = false;
  void readSome(server).then(() => told = true);
  await network.clock.sleep(100_000);
  assert(!told);
});

test("tells a reset after what came before it", async (network) => {
  const [client, server] = await virtualPair(network);
  await client.write(Uint8Array.of(1, 2));
  await network.clock.sleep(100);
  network.reset("client", "server");
  const waiting = readSome(client);
  await assertRejects(() => waiting, Deno.errors.ConnectionReset);
  assertEquals(await readSome(server), [1, 2]);
  await assertRejects(() => readSome(server), Deno.errors.ConnectionReset);
  for (const end of [client, server]) {
    await assertRejects(
      () => end.write(Uint8Array.of(1)),
      Deno.errors.BrokenPipe,
    );
  }
});

test("goes on after a partition, when TCP would try again", async (network) => {
  const [client, server] = await virtualPair(network);
  const { clock } = network;
  network.partition("client", "server");
  const startMs = clock.now();
  await client.write(Uint8Array.of(1));
  await clock.sleep(5000);
  await client.write(Uint8Array.of(2));
  network.heal("client", "server");
  assertEquals(await readSome(server), [1, 2]);
  const tookMs = clock.now() - startMs;
  assertEquals(tookMs, 200 * (2 ** 5 - 1) + 10);
});

test("times out if the peer is away for a quarter of an hour", async (network) => {
  const [client, server] = await virtualPair(network);
  network.partition("client");
  const startMs = network.clock.now();
  await client.write(Uint8Array.of(1));
  await assertRejects(() => readSome(client), Deno.errors.TimedOut);
  const tookMs = network.clock.now() - startMs;
  assert(tookMs > 800_000 && tookMs < 1_000_000, `${tookMs} ms`);
  network.heal();
  await assertRejects(
    () => client.write(Uint8Array.of(2)),
    Deno.errors.BrokenPipe,
  );
  // The other side, which had nothing to send, knows nothing.
  await server.write(Uint8Array.of(3));
});
