import { assert, assertEquals, assertRejects } from "@std/assert";
import { EndpointError } from "../../../src/io/endpoint_error.ts";
import type { Conn, Listener } from "../../../src/io/transport.ts";
import {
  systemTransports,
  type Transports,
} from "../../../src/io/transports.ts";
import { serve } from "../../../src/server/serve.ts";
import { DEFAULT_SERVER_LIMITS } from "../../../src/server/limits.ts";
import { frame, RawClient } from "../../support/raw_client.ts";
import { Recorder } from "../../support/recorder.ts";
import { TEXT_WIRE, VirtualServer } from "../../support/virtual_server.ts";
import { turns, within } from "../../support/wait.ts";

const ECHO = {
  message: (peer: { send(message: string): boolean }, message: string) =>
    peer.send(message),
};

Deno.test("serve() refuses options that cannot be meant", async () => {
  const base = { wire: TEXT_WIRE, handler: ECHO };
  await assertRejects(
    () => serve({ ...base, listen: [] }),
    TypeError,
    "'listen' must name an endpoint",
  );
  await assertRejects(() => serve({ ...base, listen: "9999" }), SyntaxError);
  await assertRejects(
    () => serve({ ...base, listen: "memory:x", limits: { maxConnections: 0 } }),
    RangeError,
    "'maxConnections' must be a number above 0: current value is 0",
  );
  await assertRejects(
    () =>
      serve({
        ...base,
        listen: "memory:x",
        signal: AbortSignal.abort(new Error("Too late")),
      }),
    Error,
    "Too late",
  );
});

Deno.test("serve() listens at all endpoints or at none", async () => {
  const base = { wire: TEXT_WIRE, handler: ECHO };
  await using _taken = await serve({ ...base, listen: "memory:taken" });
  const error = await assertRejects(
    () => serve({ ...base, listen: ["memory:free", "memory:taken"] }),
    EndpointError,
  );
  assertEquals(error.endpoint, "memory:taken");
  await using server = await serve({ ...base, listen: "memory:free" });
  assertEquals(server.endpoints, ["memory:free"]);
});

Deno.test("Server.info() tells what it is and does", async () => {
  await using virtual = await VirtualServer.start(ECHO, {
    limits: { maxConnections: 7 },
  });
  const { server, clock } = virtual;
  using client = await virtual.dial();
  await client.send(frame("x"));
  await client.receiveFrame();
  await clock.advance(1234);
  const info = server.info();
  assertEquals(info.status, "listening");
  assertEquals(info.endpoints, [server.endpoint]);
  assertEquals(info.connections, 1);
  assertEquals(info.uptimeMs, 1234);
  assertEquals(info.startedAt, server.startedAt);
  assertEquals(info.limits, { ...DEFAULT_SERVER_LIMITS, maxConnections: 7 });
  const { counters } = info;
  assertEquals(
    [counters.accepted, counters.refused, counters.closed],
    [1, 0, 0],
  );
  assertEquals([counters.messagesIn, counters.messagesOut], [1, 1]);
  assertEquals([counters.bytesIn, counters.bytesOut], [5, 5]);
  client.conn.close();
  await turns();
  assertEquals(counters.closed, 1);
  await server.drain();
  assertEquals(server.info().status, "stopped");
});

Deno.test("Server tells the life of a connection in order, with whom it is about", async () => {
  await using virtual = await VirtualServer.start(ECHO);
  const { server, recorder } = virtual;
  using client = await virtual.dial();
  const [peer] = server.peers;
  client.conn.close();
  await turns();
  await server.drain({ deadlineMs: 500 });
  assertEquals(
    recorder.events.map((event) =>
      "peer" in event ? [event.type, event.peer.id, event.peer.endpoint] : event
    ),
    [
      { type: "listening", endpoint: server.endpoint },
      ["accepted", peer!.id, server.endpoint],
      ["closed", peer!.id, server.endpoint],
      { type: "draining", connections: 0, deadlineMs: 500 },
      { type: "stopped" },
    ],
  );
});

Deno.test("Server turns connections away beyond maxConnections, without a word or with one", async () => {
  for (const reason of [undefined, "full"]) {
    await using virtual = await VirtualServer.start(ECHO, {
      limits: { maxConnections: 2 },
      ...(reason === undefined
        ? {}
        : { overLimit: (limit) => `${reason}: ${limit}` }),
    });
    const { server, recorder } = virtual;
    using first = await virtual.dial();
    using _second = await virtual.dial();
    using third = await virtual.dial();
    // What it says meanwhile does not get in the way of the answer.
    await third.send(frame("hello?")).catch(() => {});
    const expected = reason === undefined
      ? new Uint8Array()
      : frame("full: maxConnections");
    assertEquals(await third.receiveAll(), expected);
    assertEquals(recorder.of("refused"), [{
      type: "refused",
      endpoint: server.endpoint,
      address: server.endpoint,
      limit: "maxConnections",
    }]);
    assertEquals([server.counters.accepted, server.counters.refused], [2, 1]);
    first.conn.close();
    await turns();
    using fourth = await virtual.dial();
    await fourth.send(frame("room now"));
    assertEquals(
      await fourth.receiveFrame(),
      new TextEncoder().encode("room now"),
    );
  }
});

Deno.test("Server turns connections away beyond maxConnectionsPerSource", async () => {
  await using virtual = await VirtualServer.start(ECHO, {
    limits: { maxConnectionsPerSource: 1 },
    overLimit: (limit) => limit,
  });
  using _first = await virtual.dial();
  using second = await virtual.dial();
  assertEquals(await second.receiveAll(), frame("maxConnectionsPerSource"));
  assertEquals(virtual.server.counters.refused, 1);
});

Deno.test("Server does not wait long for one that does not take its refusal", async () => {
  await using virtual = await VirtualServer.start(ECHO, {
    limits: { maxConnections: 1 },
    overLimit: (limit) => limit,
  });
  using _first = await virtual.dial();
  using stubborn = await virtual.dial();
  await virtual.clock.advance(999);
  await stubborn.send(frame("still here"));
  await virtual.clock.advance(2);
  await assertRejects(() => stubborn.send(frame("gone?")));
});

Deno.test("Server forgets those it is turning away when it stops", async () => {
  await using virtual = await VirtualServer.start(ECHO, {
    limits: { maxConnections: 1 },
    overLimit: (limit) => limit,
  });
  using first = await virtual.dial();
  using stubborn = await virtual.dial();
  first.conn.close();
  await turns();
  await virtual.server.drain();
  await turns();
  await assertRejects(() => stubborn.send(frame("gone?")));
  assertEquals(virtual.clock.armed, 0);
});

Deno.test("Server leaves connections waiting beyond maxConnections, if told so", async () => {
  await using virtual = await VirtualServer.start(ECHO, {
    limits: { maxConnections: 1 },
    overLimit: "wait",
  });
  using first = await virtual.dial();
  using second = await virtual.dial();
  await second.send(frame("patience"));
  await turns();
  assertEquals(virtual.server.counters.accepted, 1);
  assertEquals(virtual.warnings, ["waiting"]);
  first.conn.close();
  await turns();
  assertEquals(
    await second.receiveFrame(),
    new TextEncoder().encode("patience"),
  );
  assertEquals(virtual.server.counters.refused, 0);
});

Deno.test("Server.suspend() stops listening and leaves connections alone; resume() goes on", async () => {
  await using virtual = await VirtualServer.start(ECHO);
  const { server, recorder } = virtual;
  using client = await virtual.dial();
  await server.suspend();
  await server.suspend();
  assertEquals(server.status, "suspended");
  await assertRejects(() => RawClient.connect(server.endpoint), EndpointError);
  await client.send(frame("still served"));
  await client.receiveFrame();
  await server.resume();
  await server.resume();
  assertEquals(server.status, "listening");
  using late = await virtual.dial();
  await late.send(frame("served"));
  await late.receiveFrame();
  assertEquals(
    recorder.events.map(({ type }) => type),
    ["listening", "accepted", "suspended", "listening", "accepted"],
  );
});

Deno.test("Server.resume() rejects when the endpoint is gone, and may be tried again", async () => {
  await using virtual = await VirtualServer.start(ECHO);
  const { server } = virtual;
  await server.suspend();
  const thief = await serve({
    listen: server.endpoint,
    wire: TEXT_WIRE,
    handler: ECHO,
  });
  await assertRejects(() => server.resume(), EndpointError);
  assertEquals(server.status, "suspended");
  await thief.drain();
  await server.resume();
  assertEquals(server.status, "listening");
});

/** Roads whose listeners open when told to. */
function slowRoads(): { transports: Transports; open: () => void } {
  const gate = Promise.withResolvers<void>();
  const { memory } = systemTransports;
  return {
    open: gate.resolve,
    transports: {
      ...systemTransports,
      memory: {
        connect: memory.connect,
        async listen(endpoint, options): Promise<Listener> {
          await gate.promise;
          return await memory.listen(endpoint, options);
        },
      },
    },
  };
}

Deno.test("serve() does not go on listening when it is drained while it opens", async () => {
  const { transports, open } = slowRoads();
  const controller = new AbortController();
  const recorder = new Recorder();
  const serving = serve({
    listen: "memory:opening",
    wire: TEXT_WIRE,
    handler: ECHO,
    signal: controller.signal,
    observe: recorder.observe,
    transports,
  });
  controller.abort();
  open();
  const server = await serving.catch(() => undefined);
  if (server !== undefined) await within("its end", server.closed);
  await turns();
  await assertRejects(() => RawClient.connect("memory:opening"), EndpointError);
});

Deno.test("Server that drains while it resumes does not listen afterwards", async () => {
  const { transports, open } = slowRoads();
  open();
  const server = await serve({
    listen: "memory:resuming",
    wire: TEXT_WIRE,
    handler: ECHO,
    transports,
  });
  await server.suspend();
  const resuming = server.resume();
  const drained = server.drain();
  await resuming;
  await drained;
  await turns();
  assertEquals(server.status, "stopped");
  await assertRejects(
    () => RawClient.connect("memory:resuming"),
    EndpointError,
  );
});

Deno.test("Server that drains takes care of a connection accepted in that moment", async () => {
  const accepted = Promise.withResolvers<Conn>();
  const { memory } = systemTransports;
  const recorder = new Recorder();
  const server = await serve({
    listen: "memory:moment",
    wire: TEXT_WIRE,
    handler: ECHO,
    observe: recorder.observe,
    transports: {
      ...systemTransports,
      memory: {
        connect: memory.connect,
        listen: (endpoint) => ({
          endpoint,
          accept: () => accepted.promise,
          // The runtime has accepted it already, so that closing does not undo it.
          close() {},
        }),
      },
    },
  });
  const real = await memory.listen({ scheme: "memory", name: "pair" }, {});
  const client = await memory.connect({ scheme: "memory", name: "pair" }, {});
  const conn = await real.accept();
  real.close();
  const drained = server.drain({ deadlineMs: 1000 });
  accepted.resolve(conn);
  assertEquals(await client.read(new Uint8Array(1)), null);
  client.close();
  await within("the drain", drained);
  assertEquals(server.peers.size, 0);
  assert(recorder.of("accepted").length === recorder.of("closed").length);
});
