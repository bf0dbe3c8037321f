import { assert, assertEquals } from "@std/assert";
import { connect } from "../../../src/client/connect.ts";
import { keepConnected } from "../../../src/client/persistent.ts";
import { ServerList } from "../../../src/client/servers.ts";
import { netTransport } from "../../../src/io/net.ts";
import { alarm } from "../../../src/io/clock.ts";
import type { Peer } from "../../../src/io/peer.ts";
import { Group } from "../../../src/server/group.ts";
import { serve } from "../../../src/server/serve.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { frame } from "../../support/raw_client.ts";
import { CLIENT_TLS, SERVER_TLS } from "../../support/tls.ts";
import { TEXT_WIRE, VirtualServer } from "../../support/virtual_server.ts";
import { turns, within } from "../../support/wait.ts";

const ECHO = {
  message: (peer: { send(message: string): boolean }, message: string) =>
    peer.send(message),
};

/** Catches what would end the process. */
function uncaught(): Disposable & { readonly messages: string[] } {
  const messages: string[] = [];
  const listen = (event: ErrorEvent) => {
    messages.push(event.message);
    event.preventDefault();
  };
  addEventListener("error", listen);
  return {
    messages,
    [Symbol.dispose]: () => removeEventListener("error", listen),
  };
}

Deno.test("messagesPerSecond holds for a peer whose answers make it slow", async () => {
  await using virtual = await VirtualServer.start({
    message: (peer) => peer.send("x".repeat(3000)),
  }, { limits: { messagesPerSecond: 2, slowBytes: 1000 } });
  using client = await virtual.dial();
  for (let i = 0; i < 10; i++) await client.send(frame("q"));
  await turns(20);
  assertEquals(virtual.server.counters.messagesIn, 3);
  await virtual.clock.advance(1000);
  assertEquals(virtual.server.counters.messagesIn, 5);
});

Deno.test("idleMs does not count the time that the handler takes", async () => {
  await using virtual: VirtualServer = await VirtualServer.start({
    async message(peer, message): Promise<void> {
      await new Promise<void>((resolve) => {
        alarm(virtual.clock, 800, resolve);
      });
      peer.send(message);
    },
  }, { limits: { idleMs: 1000 } });
  using client = await virtual.dial();
  await client.send(frame("slow"));
  await virtual.clock.advance(900);
  await client.receiveFrame();
  await virtual.clock.advance(800);
  assertEquals(virtual.warnings, []);
  await virtual.clock.advance(200);
  assertEquals(virtual.recorder.of("limit")[0]?.limit, "idleMs");
});

Deno.test("idleMs set by a handler that was left behind arms no timer", async () => {
  const virtual = await VirtualServer.start({
    message: async (peer, message) => {
      if (message === "hang") await new Promise(() => {});
      peer.send(message);
    },
  });
  using client = await virtual.dial();
  await client.send(frame("hang"));
  await turns();
  const [peer] = virtual.server.peers;
  await virtual.server.abort();
  peer!.idleMs = 50;
  await turns();
  assertEquals(virtual.clock.armed, 0);
});

Deno.test("a group's last words that are too much end a connection once", async () => {
  const group = new Group<string>();
  await using virtual = await VirtualServer.start({
    open: (peer) => group.add(peer),
    message(peer: Peer<string, string>) {
      void peer.signal;
      group.broadcast("x".repeat(3000));
      void peer.close("bye");
      assertEquals(peer.signal.reason, peer.ending);
    },
  }, { limits: { slowBytes: 1000, maxBufferedBytes: 2000 } });
  using client = await virtual.dial();
  await client.send(frame("go"));
  await client.receiveAll();
  await turns();
  assertEquals(virtual.recorder.of("closed")[0]?.ending.cause, "limit");
});

Deno.test("gap() that throws ends the connection that it was for", async () => {
  const group = new Group<string>({
    maxWaitingBytes: 10_000,
    gap: () => {
      throw new Error("No gap");
    },
  });
  await using virtual = await VirtualServer.start({
    open: (peer) => group.add(peer),
    message() {},
  }, { limits: { slowBytes: 1000 } });
  using client = await virtual.dial();
  for (let i = 0; i < 200; i++) {
    group.broadcast("x".repeat(1000));
    await turns(1);
  }
  await client.receiveAll();
  client.conn.close();
  await turns();
  assertEquals(virtual.endings, ["failed"]);
  assertEquals(group.isSlow, false);
});

for (const type of ["accepted", "closed", "limit", "draining"] as const) {
  Deno.test(`an observer that throws at "${type}" leaves the server whole`, async () => {
    using errors = uncaught();
    const clock = new VirtualClock();
    const server = await serve({
      listen: `memory:throws at ${type}`,
      wire: TEXT_WIRE,
      handler: ECHO,
      clock,
      limits: { idleMs: 1000 },
      observe(event) {
        if (event.type === type) throw new Error(`Told ${type}`);
      },
    });
    const client = await connect({ to: server.endpoint, wire: TEXT_WIRE });
    client.send("hello");
    assertEquals(await client.receive(), "hello");
    await clock.advance(1100);
    assertEquals((await client.closed).cause, "peer closed");
    await server.drain();
    assertEquals(server.status, "stopped");
    assertEquals(errors.messages, [`Uncaught Error: Told ${type}`]);
  });
}

Deno.test("abort() closes a connection that is being accepted", async () => {
  let opened = 0;
  const server = await serve({
    listen: "memory:aborted",
    wire: TEXT_WIRE,
    handler: { open: () => void opened++, message() {} },
    clock: new VirtualClock(),
  });
  const connecting = connect({ to: server.endpoint, wire: TEXT_WIRE });
  await server.abort();
  assertEquals((await (await connecting).closed).cause, "peer closed");
  assertEquals(opened, 0);
});

Deno.test('overLimit "wait" refuses nobody when two endpoints share the last place', async () => {
  await using server = await serve({
    listen: ["memory:left place", "memory:right place"],
    wire: TEXT_WIRE,
    handler: ECHO,
    limits: { maxConnections: 1 },
    overLimit: "wait",
  });
  const [left, right] = await Promise.all(
    server.endpoints.map((to) => connect({ to, wire: TEXT_WIRE })),
  );
  right!.send("me too");
  await turns();
  assertEquals(server.counters.accepted, 1);
  await left!.close();
  assertEquals(await right!.receive(), "me too");
  assertEquals(server.counters.refused, 0);
  await right!.close();
});

Deno.test("keepConnected() passes over a time to stay away that is none", async () => {
  for (const inMs of [NaN, Infinity, -1, "soon"]) {
    const to = `memory:away ${inMs}`;
    const open = () => serve({ listen: to, wire: TEXT_WIRE, handler: ECHO });
    const first = await open();
    await using client = await keepConnected({
      to,
      wire: TEXT_WIRE,
      reconnect: { spreadMs: 1, minMs: 1 },
      comeBackInMs: () => inMs as number,
    });
    client.send("hello");
    assertEquals(await client.receive(), "hello");
    await first.abort();
    await using _second = await open();
    await within("a connection", client.drained());
    assert(client.server !== undefined);
  }
});

Deno.test("keepConnected() ends a connection for which no heartbeat can be made", async () => {
  await using server = await serve({
    listen: "memory:no heart",
    wire: TEXT_WIRE,
    handler: ECHO,
  });
  const client = await keepConnected({
    to: server.endpoint,
    wire: TEXT_WIRE,
    heartbeat: {
      message: () => {
        throw new Error("No beat");
      },
    },
  });
  for await (const status of client.status()) {
    if (status.type !== "disconnected") continue;
    assertEquals(
      status.ending.reason,
      "no heartbeat could be sent: Error: No beat",
    );
    break;
  }
  await client.close();
});

Deno.test("ServerList remembers a bounded number of servers", () => {
  const list = new ServerList(["memory:first"], undefined);
  const told = Array.from({ length: 2000 }, (_, i) => `memory:${i}`);
  assertEquals(list.learn(told).length, 999);
  assertEquals(list.learn(["memory:more"]), []);
  assertEquals(list.size, 1000);
});

Deno.test("connecting with a client certificate can be given up", async () => {
  // Nobody accepts, and there is room for one: the second connection, which sends the certificate, hangs.
  using listener = Deno.listen({
    hostname: "127.0.0.1",
    port: 0,
    tcpBacklog: 0,
  });
  const { port } = listener.addr;
  const given = new AbortController();
  const connecting = netTransport.connect(
    { scheme: "tls", hostname: "127.0.0.1", port },
    { ...SERVER_TLS, ...CLIENT_TLS, signal: given.signal },
  ).then(() => "connected", (error) => error.message);
  setTimeout(() => given.abort(new Error("Enough")), 100);
  assertEquals(await within("the end", connecting), "Enough");
});
