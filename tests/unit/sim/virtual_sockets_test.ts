import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { parseEndpoint } from "../../../src/io/endpoint.ts";
import { EndpointError } from "../../../src/io/endpoint_error.ts";
import { VirtualNetwork } from "../../../src/sim/virtual_network.ts";
import {
  dialFrom,
  inTime,
  listenOn,
  readSome,
} from "../../support/virtual_pair.ts";

function test(
  name: string,
  body: (network: VirtualNetwork) => Promise<void>,
): void {
  Deno.test(`VirtualSockets ${name}`, async () => {
    const network = new VirtualNetwork({ seed: 1, link: { latencyMs: 10 } });
    await inTime(network, () => body(network));
  });
}

test("connect in a round trip, by name and by address", async (network) => {
  const { clock } = network;
  const server = network.host("server");
  const listener = await listenOn(server, "tcp://0.0.0.0:9999");
  assertEquals(listener.endpoint, parseEndpoint("tcp://0.0.0.0:9999"));
  for (const hostname of ["server", server.address]) {
    const startMs = clock.now();
    const conn = await dialFrom(
      network.host("client"),
      `tcp://${hostname}:9999`,
    );
    assertEquals(clock.now() - startMs, 20);
    const accepted = await listener.accept();
    assertEquals(clock.now() - startMs, 30);
    await conn.write(Uint8Array.of(1));
    assertEquals(await readSome(accepted), [1]);
  }
});

test("choose a port, and refuse one that is taken", async (network) => {
  const server = network.host("server");
  const first = await listenOn(server, "tcp://server:0");
  const second = await listenOn(server, "tcp://server:0");
  const { port } = first.endpoint as { port: number };
  assert(port >= 49152 && port < 65536);
  assert(port !== (second.endpoint as { port: number }).port);
  const again = () =>
    server.transports.tcp.listen(first.endpoint, {}) as unknown;
  assertThrows(again, EndpointError, `:${port}: address in use`);
  // Another host has ports of its own, and a closed listener frees its port.
  await listenOn(network.host("other"), `tcp://other:${port}`);
  first.close();
  await listenOn(server, `tcp://server:${port}`);
});

test("listen at the addresses of their own host alone", async (network) => {
  const server = network.host("server");
  network.host("other");
  await assertRejects(
    () => listenOn(server, "tcp://other:1"),
    EndpointError,
    "Cannot listen on tcp://other:1: address not available on this machine",
  );
  await listenOn(server, "tcp://127.0.0.1:1");
  await listenOn(server, `tcp://${server.address}:2`);
  await dialFrom(server, "tcp://localhost:1");
  await assertRejects(
    () => dialFrom(network.host("other"), "tcp://server:1"),
    EndpointError,
    "connection refused",
  );
});

test("are refused where nobody listens", async (network) => {
  const client = network.host("client");
  const server = network.host("server");
  const { clock } = network;
  const startMs = clock.now();
  await assertRejects(
    () => dialFrom(client, "tcp://server:9999"),
    EndpointError,
    "Cannot connect to tcp://server:9999: connection refused",
  );
  assertEquals(clock.now() - startMs, 20);
  (await listenOn(server, "tcp://server:9999")).close();
  await assertRejects(
    () => dialFrom(client, "tcp://server:9999"),
    EndpointError,
    "connection refused",
  );
});

test("hear of names that are unknown or fail", async (network) => {
  const client = network.host("client");
  await listenOn(network.host("server"), "tcp://server:1");
  await assertRejects(
    () => dialFrom(client, "tcp://nobody:1"),
    EndpointError,
    "Cannot connect to tcp://nobody:1: no such host",
  );
  network.names.fail("server");
  await assertRejects(
    () => dialFrom(client, "tcp://server:1"),
    EndpointError,
    "no such host",
  );
  network.names.heal("server");
  await dialFrom(client, "tcp://server:1");
});

test("try again for two minutes where nobody answers", async (network) => {
  const { clock } = network;
  const client = network.host("client");
  const startMs = clock.now();
  await assertRejects(
    () => dialFrom(client, "tcp://10.99.0.1:1"),
    EndpointError,
    "Cannot connect to tcp://10.99.0.1:1: timed out",
  );
  assertEquals(clock.now() - startMs, 127_000);
});

test("reach a host that comes back while they try", async (network) => {
  const { clock } = network;
  const server = network.host("server");
  await listenOn(server, "tcp://server:1");
  network.partition("client", "server");
  const startMs = clock.now();
  const dialling = dialFrom(network.host("client"), "tcp://server:1");
  await clock.sleep(5000);
  network.heal();
  await dialling;
  assertEquals(clock.now() - startMs, 7020);
});

test("stop trying when their signal is aborted", async (network) => {
  const { clock } = network;
  const client = network.host("client");
  const controller = new AbortController();
  const dialling = dialFrom(client, "tcp://10.99.0.1:1", controller.signal);
  const startMs = clock.now();
  const rejected = assertRejects(() => dialling, Error, "enough");
  await clock.sleep(500);
  controller.abort(new Error("It is enough"));
  await rejected;
  assertEquals(clock.now() - startMs, 500);
  await assertRejects(
    () => dialFrom(client, "tcp://10.99.0.1:1", controller.signal),
    Error,
    "enough",
  );
});

test("do not leave a connection behind that was given up", async (network) => {
  const { clock } = network;
  const listener = await listenOn(network.host("server"), "tcp://server:1");
  const controller = new AbortController();
  const rejected = assertRejects(() =>
    dialFrom(network.host("client"), "tcp://server:1", controller.signal)
  );
  await clock.sleep(15);
  controller.abort();
  await rejected;
  const accepted = await listener.accept();
  assertEquals(await readSome(accepted), null);
});

test("get no answer where the backlog is full", async (network) => {
  const client = network.host("client");
  const listener = await listenOn(
    network.host("server"),
    "tcp://server:1",
    2,
  );
  const conns = [
    dialFrom(client, "tcp://server:1"),
    dialFrom(client, "tcp://server:1"),
  ];
  await Promise.all(conns);
  await network.clock.sleep(100);
  const startMs = network.clock.now();
  const third = dialFrom(client, "tcp://server:1");
  await network.clock.sleep(100);
  await listener.accept();
  await third;
  assert(network.clock.now() - startMs >= 1000);
});

test("reset what a closed listener has not accepted", async (network) => {
  const client = network.host("client");
  const listener = await listenOn(network.host("server"), "tcp://server:1");
  const waiting = await dialFrom(client, "tcp://server:1");
  await network.clock.sleep(100);
  const accepting = [listener.accept(), listener.accept()];
  const closed = assertRejects(
    () => accepting[1]!,
    Deno.errors.BadResource,
  );
  const arriving = await dialFrom(client, "tcp://server:1");
  listener.close();
  await closed;
  await assertRejects(() => listener.accept(), Deno.errors.BadResource);
  await assertRejects(() => readSome(arriving), Deno.errors.ConnectionReset);
  // The first was accepted: it lives.
  await (await accepting[0]!).write(Uint8Array.of(1));
  assertEquals(await readSome(waiting), [1]);
});

test("keep unix and memory endpoints inside their host", async (network) => {
  const [here, there] = [network.host("here"), network.host("there")];
  for (const endpoint of ["unix:/run/hub.sock", "memory:hub"]) {
    const listener = await listenOn(here, endpoint);
    const conn = await dialFrom(here, endpoint);
    await conn.write(Uint8Array.of(1));
    assertEquals(await readSome(await listener.accept()), [1]);
    assertEquals(conn.remoteAddr.transport, "unix");
    await assertRejects(() => dialFrom(there, endpoint), EndpointError);
  }
});
