import { assert, assertEquals } from "@std/assert";
import type { ConnectionLimits } from "../../../src/io/limits.ts";
import { frame } from "../../support/raw_client.ts";
import { turns } from "../../support/wait.ts";
import { VirtualServer } from "../../support/virtual_server.ts";

/** An echo with limits of its own. */
function echo(limits: ConnectionLimits): Promise<VirtualServer> {
  return VirtualServer.start(
    { message: (peer, message) => peer.send(message) },
    { limits },
  );
}

Deno.test("idleMs cuts off a peer that has fallen silent", async () => {
  await using virtual = await echo({ idleMs: 60_000 });
  using client = await virtual.dial();
  await client.send(frame("a"));
  await client.receiveFrame();
  await virtual.clock.advance(59_999);
  assertEquals(virtual.warnings, []);
  await client.send(frame("b"));
  await client.receiveFrame();
  await virtual.clock.advance(59_999);
  assertEquals(virtual.warnings, []);
  await virtual.clock.advance(2);
  assertEquals(virtual.warnings, ["limit idleMs: idle for 60000 ms"]);
  assertEquals((await client.receiveAll()).length, 0);
  client.conn.close();
  await turns();
  assertEquals(virtual.endings, ["timed out: idle for 60000 ms"]);
});

Deno.test("firstMessageMs cuts off a peer that says nothing", async () => {
  await using virtual = await echo({ firstMessageMs: 5000 });
  using client = await virtual.dial();
  await virtual.clock.advance(4999);
  assertEquals(virtual.warnings, []);
  await virtual.clock.advance(2);
  assertEquals(virtual.warnings, [
    "limit firstMessageMs: no whole first message within 5000 ms",
  ]);
  assertEquals((await client.receiveAll()).length, 0);
});

Deno.test("firstMessageMs cuts off a first message that is not whole in time", async () => {
  await using virtual = await echo({ firstMessageMs: 5000 });
  using client = await virtual.dial();
  await virtual.clock.advance(4000);
  await client.send(frame("hello").subarray(0, 6));
  await virtual.clock.advance(1001);
  assertEquals(virtual.warnings, [
    "limit firstMessageMs: no whole first message within 5000 ms",
  ]);
});

Deno.test("firstMessageMs is over with the first message", async () => {
  await using virtual = await echo({ firstMessageMs: 5000 });
  using client = await virtual.dial();
  await client.send(frame("hello"));
  await virtual.clock.advance(100_000);
  assertEquals(virtual.warnings, []);
  assertEquals(virtual.server.peers.size, 1);
});

Deno.test("firstMessageMs holds for a login of several messages too", async () => {
  await using virtual = await VirtualServer.start<string>({
    async open(peer) {
      const name = await peer.receive();
      peer.send("password?");
      await peer.receive();
      if (peer.ending !== undefined) throw new Error("It has gone");
      return name ?? "";
    },
    message() {},
  }, { limits: { firstMessageMs: 5000 } });
  using client = await virtual.dial();
  await client.send(frame("mallory"));
  await client.receiveFrame();
  await virtual.clock.advance(5001);
  assertEquals(virtual.warnings, [
    "limit firstMessageMs: not let in within 5000 ms",
  ]);
});

Deno.test("frameMs cuts off a peer that sends a byte now and then", async () => {
  await using virtual = await echo({ frameMs: 30_000, idleMs: 5000 });
  using client = await virtual.dial();
  await client.send(frame("hello"));
  await client.receiveFrame();
  const slow = frame("x".repeat(1000));
  let sent = 0;
  for (; virtual.warnings.length === 0; sent++) {
    assert(sent < 40, "it goes on for ever");
    await client.send(slow.subarray(sent, sent + 1));
    await virtual.clock.advance(1000);
  }
  assertEquals(sent, 30);
  assertEquals(virtual.warnings, [
    "limit frameMs: a frame was not whole within 30000 ms",
  ]);
});

Deno.test("frameMs begins anew with each frame", async () => {
  await using virtual = await echo({ frameMs: 1000 });
  using client = await virtual.dial();
  const bytes = frame("ab");
  for (let round = 0; round < 20; round++) {
    for (const byte of bytes) {
      await client.send(Uint8Array.of(byte));
      await virtual.clock.advance(150);
    }
    await client.receiveFrame();
  }
  assertEquals(virtual.warnings, []);
});

Deno.test("frameMs counts from the first byte of a frame that came with another's end", async () => {
  await using virtual = await echo({ frameMs: 1000 });
  using client = await virtual.dial();
  await client.send(new Uint8Array([...frame("ab"), 0, 0]));
  await client.receiveFrame();
  await virtual.clock.advance(999);
  assertEquals(virtual.warnings, []);
  await virtual.clock.advance(2);
  assertEquals(virtual.warnings, [
    "limit frameMs: a frame was not whole within 1000 ms",
  ]);
});

Deno.test("writeMs cuts off a peer that takes nothing", async () => {
  await using virtual = await VirtualServer.start({
    message(peer) {
      for (let i = 0; i < 10; i++) peer.send("x".repeat(50_000));
    },
  }, { limits: { writeMs: 10_000 } });
  using client = await virtual.dial();
  await client.send(frame("go"));
  await virtual.clock.advance(9_999);
  assertEquals(virtual.warnings, ["slow true"]);
  await virtual.clock.advance(2);
  assertEquals(virtual.warnings, [
    "slow true",
    "limit writeMs: no write progress for 10000 ms",
  ]);
  await turns();
  assertEquals(virtual.endings, [
    "timed out: no write progress for 10000 ms",
  ]);
});

Deno.test("writeMs begins anew whenever some bytes were taken", async () => {
  await using virtual = await VirtualServer.start({
    message(peer) {
      for (let i = 0; i < 10; i++) peer.send("x".repeat(50_000));
    },
  }, { limits: { writeMs: 10_000 } });
  using client = await virtual.dial();
  await client.send(frame("go"));
  for (let i = 0; i < 10; i++) {
    await virtual.clock.advance(9_000);
    await client.receiveFrame();
  }
  assertEquals(virtual.warnings, ["slow true", "slow false"]);
});

Deno.test("writeMs holds for the farewell too", async () => {
  await using virtual = await VirtualServer.start({
    message(peer) {
      for (let i = 0; i < 10; i++) peer.send("x".repeat(50_000));
      void peer.close("that was all");
    },
  }, { limits: { writeMs: 10_000 } });
  using _client = await virtual.dial();
  await _client.send(frame("go"));
  await virtual.clock.advance(9_999);
  assertEquals(virtual.endings, []);
  await virtual.clock.advance(2);
  assertEquals(virtual.endings, ["local closed: that was all"]);
});

Deno.test("lingerMs bounds the wait for a peer that does not close", async () => {
  await using virtual = await VirtualServer.start({
    message: (peer) => void peer.close("bye"),
  }, { limits: { lingerMs: 2000 } });
  using client = await virtual.dial();
  await client.send(frame("go"));
  // What it still sends does not buy it time.
  for (let i = 0; i < 19; i++) {
    await virtual.clock.advance(100);
    await client.send(frame("more"));
  }
  assertEquals(virtual.endings, []);
  await virtual.clock.advance(101);
  assertEquals(virtual.endings, ["local closed: bye"]);
  assertEquals(virtual.warnings, []);
});

Deno.test("frameMs begins anew with a frame whose start came with another's end", async () => {
  await using virtual = await echo({ frameMs: 1000 });
  using client = await virtual.dial();
  const bytes = frame("abcd");
  await client.send(bytes.subarray(0, 1));
  for (let round = 0; round < 20; round++) {
    await client.send(Uint8Array.from([...bytes.subarray(1), bytes[0]!]));
    await virtual.clock.advance(250);
  }
  assertEquals(virtual.warnings, []);
});

Deno.test("a handler that takes its time is not the peer's fault", async () => {
  const gate = Promise.withResolvers<void>();
  await using virtual = await VirtualServer.start({
    async message(peer, message) {
      await gate.promise;
      peer.send(message);
    },
  }, { limits: { idleMs: 5000, frameMs: 1000, firstMessageMs: 1000 } });
  using client = await virtual.dial();
  await client.send(frame("a"));
  await virtual.clock.advance(50_000);
  assertEquals(virtual.warnings, []);
  gate.resolve();
  await client.receiveFrame();
  await virtual.clock.advance(4900);
  assertEquals(virtual.warnings, []);
  assertEquals(virtual.server.peers.size, 1);
});

Deno.test("Peer.idleMs changes how long a peer may be silent, either way", async () => {
  await using virtual = await VirtualServer.start({
    message(peer, message) {
      peer.idleMs = Number(message);
      peer.send(`${peer.idleMs}`);
    },
  }, { limits: { idleMs: 10_000 } });
  for (const [idleMs, livesMs] of [[2000, 1999], [60_000, 59_999]] as const) {
    using client = await virtual.dial();
    await client.send(frame(`${idleMs}`));
    await client.receiveFrame();
    await virtual.clock.advance(livesMs);
    assertEquals(virtual.server.peers.size, 1, `${idleMs}`);
    await virtual.clock.advance(2);
    assertEquals(
      virtual.warnings.at(-1),
      `limit idleMs: idle for ${idleMs} ms`,
    );
    client.conn.close();
    await turns();
    assertEquals(virtual.server.peers.size, 0);
  }
});

Deno.test("limits of Infinity arm no timer at all", async () => {
  await using virtual = await echo({
    idleMs: Infinity,
    firstMessageMs: Infinity,
    frameMs: Infinity,
    writeMs: Infinity,
    lingerMs: Infinity,
  });
  using client = await virtual.dial();
  await client.send(frame("a"));
  await client.receiveFrame();
  await client.send(frame("b").subarray(0, 3));
  await turns();
  assertEquals(virtual.clock.armed, 0);
});

Deno.test("a connection has one timer while it lives and none afterwards", async () => {
  await using virtual = await echo({});
  using client = await virtual.dial();
  for (let i = 0; i < 5; i++) {
    await client.send(frame("a"));
    await client.receiveFrame();
    await virtual.clock.advance(10_000);
    assertEquals(virtual.clock.armed, 1);
  }
  client.conn.close();
  await turns();
  assertEquals(virtual.endings, ["peer closed"]);
  assertEquals(virtual.clock.armed, 0);
});
