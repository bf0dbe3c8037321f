import { assert, assertEquals } from "@std/assert";
import type { HandlerCallbacks } from "../../../src/io/handler.ts";
import type { Peer } from "../../../src/io/peer.ts";
import { frame, RawClient } from "../../support/raw_client.ts";
import { VirtualServer } from "../../support/virtual_server.ts";
import { turns, within } from "../../support/wait.ts";

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Everything up to the end of the stream, as messages. */
async function readAll(client: RawClient): Promise<string[]> {
  const bytes = await client.receiveAll();
  const view = new DataView(bytes.buffer);
  const messages: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + view.getUint32(at);
    messages.push(decode(bytes.subarray(at + 4, end)));
    at = end;
  }
  return messages;
}

Deno.test("Server.drain() answers what was received, says the last word and closes", async () => {
  await using virtual = await VirtualServer.start({
    async message(peer, message) {
      await turns(1);
      peer.send(`answer to ${message}`);
    },
    drain: (peer, { comeBackInMs }) =>
      peer.send(`come back in ${comeBackInMs}`),
  }, { random: () => 0.5 });
  using client = await virtual.dial();
  await client.send(new Uint8Array([...frame("a"), ...frame("b")]));
  await turns(1);
  const drained = virtual.server.drain({ comeBackWithinMs: 3000 });
  const messages = await readAll(client);
  assertEquals(messages.toSorted(), [
    "answer to a",
    "answer to b",
    "come back in 1500",
  ]);
  assertEquals(virtual.server.status, "draining");
  client.conn.close();
  await within("the drain", drained);
  assertEquals(virtual.server.status, "stopped");
  assertEquals(virtual.endings, ["shut down"]);
  await virtual.server.closed;
  assertEquals(
    virtual.recorder.events.map(({ type }) => type),
    ["listening", "accepted", "draining", "closed", "stopped"],
  );
});

Deno.test("Server.drain() spreads the times at which peers come back", async () => {
  const draws = [0, 0.25, 0.999];
  const told: number[] = [];
  await using virtual = await VirtualServer.start({
    message() {},
    drain: (_peer, { comeBackInMs }) => void told.push(comeBackInMs),
  }, { random: () => draws.shift() ?? 0 });
  for (let i = 0; i < 3; i++) await virtual.dial();
  void virtual.server.drain({ comeBackWithinMs: 1000 });
  await turns();
  assertEquals(told, [0, 250, 999]);
});

Deno.test("Server.drain() waits for a last word that takes its time", async () => {
  const gate = Promise.withResolvers<void>();
  await using virtual = await VirtualServer.start({
    message() {},
    async drain(peer) {
      await gate.promise;
      peer.send("saved");
    },
  });
  using client = await virtual.dial();
  const drained = virtual.server.drain();
  await turns();
  assertEquals(virtual.endings, []);
  gate.resolve();
  assertEquals(await readAll(client), ["saved"]);
  client.conn.close();
  await within("the drain", drained);
  assertEquals(virtual.endings, ["shut down"]);
});

Deno.test("Server.drain() ends a connection whose drain callback throws, now or later", async () => {
  for (const later of [false, true]) {
    await using virtual = await VirtualServer.start({
      message() {},
      async drain() {
        if (later) await turns(1);
        throw new Error("No last word");
      },
    });
    using client = await virtual.dial();
    const drained = virtual.server.drain();
    assertEquals(await readAll(client), []);
    client.conn.close();
    await within("the drain", drained);
    assertEquals(virtual.endings, ["failed"]);
  }
});

Deno.test("Server.drain() calls nothing for a peer that is not let in yet", async () => {
  const log: string[] = [];
  await using virtual = await VirtualServer.start<{ name: string }>({
    async open(peer) {
      const name = await peer.receive();
      log.push(`login ${name}`);
      return { name: name ?? "nobody" };
    },
    message: () => void log.push("message"),
    drain: (peer) => void log.push(`drain ${peer.state.name}`),
    finish: (peer) => void log.push(`finish ${peer.state.name}`),
  });
  using client = await virtual.dial();
  const drained = virtual.server.drain();
  assertEquals(await readAll(client), []);
  client.conn.close();
  await within("the drain", drained);
  assertEquals(virtual.endings, ["shut down"]);
  assertEquals(log, ["login undefined"]);
});

Deno.test("Server.drain() does not wait for more from a peer that is being written to", async () => {
  await using virtual = await VirtualServer.start({
    message(peer) {
      for (let i = 0; i < 3; i++) peer.send("x".repeat(40_000));
    },
    // The peer stays below this, so that it is read from.
  }, { limits: { slowBytes: 1_000_000 } });
  using client = await virtual.dial();
  await client.send(frame("go"));
  await turns();
  const drained = virtual.server.drain();
  await turns();
  assertEquals((await readAll(client)).length, 3);
  client.conn.close();
  await within("the drain", drained, 1000);
  assertEquals(virtual.endings, ["shut down"]);
});

Deno.test("Server.drain() ends a handler that is a loop after the message in hand", async () => {
  const log: string[] = [];
  await using virtual = await VirtualServer.start(async (peer) => {
    for await (const message of peer) {
      await turns(2);
      peer.send(message);
      log.push(message);
    }
    log.push("end of loop");
  });
  using busy = await virtual.dial();
  using idle = await virtual.dial();
  await busy.send(new Uint8Array([...frame("a"), ...frame("b")]));
  await turns(1);
  const drained = virtual.server.drain();
  assertEquals(await readAll(busy), ["a", "b"]);
  assertEquals(await readAll(idle), []);
  busy.conn.close();
  idle.conn.close();
  await within("the drain", drained);
  assertEquals(log.toSorted(), ["a", "b", "end of loop", "end of loop"]);
  assertEquals(virtual.endings, ["shut down", "shut down"]);
});

Deno.test("finish keeps a connection until answers under way are sent", async () => {
  for (const how of ["half-close", "drain"]) {
    const gate = Promise.withResolvers<void>();
    const underWay: Promise<void>[] = [];
    await using virtual = await VirtualServer.start({
      message(peer, message) {
        underWay.push(gate.promise.then(() => void peer.send(message)));
      },
      finish: () => Promise.all(underWay),
    });
    using client = await virtual.dial();
    await client.send(new Uint8Array([...frame("a"), ...frame("b")]));
    await turns();
    if (how === "drain") void virtual.server.drain();
    else await client.closeWrite();
    await turns();
    assertEquals(virtual.endings, []);
    gate.resolve();
    assertEquals(await readAll(client), ["a", "b"], how);
    client.conn.close();
    await turns();
    assertEquals(virtual.endings, [
      how === "drain" ? "shut down" : "peer closed",
    ]);
  }
});

Deno.test("finish may close its own connection and wait for it", async () => {
  await using virtual = await VirtualServer.start({
    message() {},
    finish: (peer) => peer.close("that was all"),
    close: (peer) => peer.close("once more"),
  });
  using client = await virtual.dial();
  await client.closeWrite();
  assertEquals(await readAll(client), []);
  await turns();
  assertEquals(virtual.endings, ["local closed: that was all"]);
});

Deno.test("Server.drain() cuts short what is not done at the deadline, whatever hangs", async () => {
  const never = new Promise<never>(() => {});
  const hanging: [string, HandlerCallbacks<string, string, undefined>][] = [
    ["message", { message: () => never }],
    ["open", { open: () => never, message() {} }],
    ["drain", { message() {}, drain: () => never }],
    ["finish", { message() {}, finish: () => never }],
    ["close", { message() {}, close: () => never }],
  ];
  for (const [what, handler] of hanging) {
    await using virtual = await VirtualServer.start(handler, {
      limits: { lingerMs: 100 },
    });
    using client = await virtual.dial();
    await client.send(frame("hello"));
    await turns();
    let done = false;
    const drained = virtual.server.drain({ deadlineMs: 5000 })
      .then(() => done = true);
    await virtual.clock.advance(4999);
    assertEquals(done, false, what);
    await virtual.clock.advance(2);
    await within(`the drain with a hung ${what}`, drained, 1000);
    assertEquals(virtual.server.peers.size, 0, what);
    assertEquals(
      virtual.endings,
      [what === "close" ? "shut down" : "shut down: out of time"],
      what,
    );
    // The peer learns of it.
    assertEquals(await readAll(client), [], what);
  }
});

Deno.test("Server.drain() cuts short a handler that is a loop and hangs", async () => {
  const peers: Peer<string, string>[] = [];
  await using virtual = await VirtualServer.start(async (peer) => {
    peers.push(peer);
    await new Promise((resolve) =>
      peer.signal.addEventListener("abort", resolve)
    );
  });
  await virtual.dial();
  const drained = virtual.server.drain({ deadlineMs: 100 });
  await virtual.clock.advance(101);
  await within("the drain", drained, 1000);
  assertEquals(virtual.endings, ["shut down: out of time"]);
  assert(peers[0]?.signal.aborted);
});

Deno.test("Server.drain() cuts short a peer that takes nothing", async () => {
  await using virtual = await VirtualServer.start({
    message(peer) {
      for (let i = 0; i < 20; i++) peer.send("x".repeat(40_000));
    },
  });
  using client = await virtual.dial();
  await client.send(frame("go"));
  await turns();
  const drained = virtual.server.drain({ deadlineMs: 1000 });
  await virtual.clock.advance(1001);
  await within("the drain", drained, 1000);
  assertEquals(virtual.endings, ["shut down: out of time"]);
});

Deno.test("Server.drain() without a deadline waits as long as it takes", async () => {
  const gate = Promise.withResolvers<void>();
  await using virtual = await VirtualServer.start({
    async message(peer, message) {
      await gate.promise;
      peer.send(message);
    },
  });
  using client = await virtual.dial();
  await client.send(frame("at last"));
  await turns();
  const drained = virtual.server.drain({ deadlineMs: Infinity });
  await virtual.clock.advance(10_000_000);
  gate.resolve();
  assertEquals(await readAll(client), ["at last"]);
  client.conn.close();
  await within("the drain", drained, 1000);
});

Deno.test("Server.abort() ends everything at once, hung handlers too", async () => {
  await using virtual = await VirtualServer.start({
    message: () => new Promise(() => {}),
  });
  using idle = await virtual.dial();
  using busy = await virtual.dial();
  await busy.send(frame("x"));
  await turns();
  await within("abort()", virtual.server.abort(), 1000);
  assertEquals(virtual.server.status, "stopped");
  assertEquals(virtual.endings.length, 2);
  assertEquals(await readAll(idle), []);
  assertEquals(virtual.clock.armed, 0);
});

Deno.test("Server.drain() may be called again, and after the end", async () => {
  await using virtual = await VirtualServer.start({ message() {} });
  const { server } = virtual;
  const first = server.drain();
  assertEquals(server.drain(), first);
  await first;
  await server.drain();
  await server.close();
  await server.abort();
  await server.suspend();
  await server.resume();
  assertEquals(server.status, "stopped");
});

Deno.test("serve() drains when its signal is aborted", async () => {
  const controller = new AbortController();
  await using virtual = await VirtualServer.start({ message() {} }, {
    signal: controller.signal,
  });
  using client = await virtual.dial();
  controller.abort();
  assertEquals(await readAll(client), []);
  client.conn.close();
  await within("the end", virtual.server.closed);
  assertEquals(virtual.endings, ["shut down"]);
});

Deno.test("Server.drain() takes in nobody any more", async () => {
  await using virtual = await VirtualServer.start({
    message: () => new Promise(() => {}),
  });
  using busy = await virtual.dial();
  await busy.send(frame("x"));
  await turns();
  const { endpoint } = virtual.server;
  void virtual.server.drain();
  let refused = false;
  await RawClient.connect(endpoint).catch(() => refused = true);
  assert(refused);
});
