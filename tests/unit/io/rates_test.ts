import { assert, assertEquals } from "@std/assert";
import { frame, type RawClient } from "../../support/raw_client.ts";
import { VirtualServer } from "../../support/virtual_server.ts";
import { turns, within } from "../../support/wait.ts";

/** `count` frames of 10 bytes each. */
function frames(count: number): Uint8Array {
  return Uint8Array.from(
    Array.from({ length: count }, () => [...frame("123456")]).flat(),
  );
}

async function closed(client: RawClient): Promise<void> {
  await client.receiveAll();
  client.conn.close();
  await turns();
}

Deno.test("messagesPerSecond makes a peer wait that says too much at once", async () => {
  await using virtual = await VirtualServer.start({
    message: (peer, message) => peer.send(message),
  }, { limits: { messagesPerSecond: 10 } });
  using client = await virtual.dial();
  await client.send(frames(100));
  const { counters } = virtual.server;
  await turns(20);
  // A second's worth at once, and then the rate.
  const counts: number[] = [];
  for (let second = 0; second < 5; second++) {
    counts.push(counters.messagesIn);
    await virtual.clock.advance(1000);
  }
  assertEquals(counts, [11, 21, 31, 41, 51]);
  await virtual.clock.advance(5000);
  assertEquals(counters.messagesIn, 100);
  assertEquals(counters.messagesOut, 100);
  assert(virtual.recorder.of("limit").length > 0);
  for (const { limit } of virtual.recorder.of("limit")) {
    assertEquals(limit, "messagesPerSecond");
  }
  assertEquals(virtual.endings, []);
});

Deno.test("messagesPerSecond leaves a peer alone that keeps to it", async () => {
  await using virtual = await VirtualServer.start({
    message: (peer, message) => peer.send(message),
  }, { limits: { messagesPerSecond: 10 } });
  using client = await virtual.dial();
  for (let i = 0; i < 50; i++) {
    await client.send(frames(1));
    await client.receiveFrame();
    await virtual.clock.advance(100);
  }
  assertEquals(virtual.warnings, []);
});

Deno.test("messagesPerSecond holds for one connection, not for the others", async () => {
  await using virtual = await VirtualServer.start({
    message: (peer, message) => peer.send(message),
  }, { limits: { messagesPerSecond: 10 } });
  using loud = await virtual.dial();
  using quiet = await virtual.dial();
  await loud.send(frames(100));
  await turns();
  await quiet.send(frames(5));
  for (let i = 0; i < 5; i++) await quiet.receiveFrame();
  assertEquals(virtual.server.counters.messagesIn, 16);
});

Deno.test("messagesPerSecond holds for a handler that receives", async () => {
  let received = 0;
  await using virtual = await VirtualServer.start(async (peer) => {
    for await (const _ of peer) received++;
  }, { limits: { messagesPerSecond: 10 } });
  using client = await virtual.dial();
  await client.send(frames(30));
  await turns(20);
  assertEquals(received, 10);
  await virtual.clock.advance(1000);
  assertEquals(received, 20);
  await client.closeWrite();
  await virtual.clock.advance(1500);
  await closed(client);
  assertEquals(received, 30);
  assertEquals(virtual.endings, ["peer closed"]);
});

Deno.test("bytesPerSecond makes reading wait, and with it the peer", async () => {
  let handled = 0;
  await using virtual = await VirtualServer.start({
    message: () => void handled++,
  }, { limits: { bytesPerSecond: 1000 } });
  using client = await virtual.dial();
  let sent = 0;
  const sending = (async () => {
    for (; sent < 40; sent++) await client.send(frames(1000));
  })();
  const { counters } = virtual.server;
  for (let second = 0; second < 200; second++) {
    await virtual.clock.advance(1000);
    // One read may go over; what follows waits for it.
    const allowed = 1000 * (second + 2) + 65_536;
    assert(counters.bytesIn <= allowed, `${counters.bytesIn} at ${second}`);
  }
  assert(counters.bytesIn > 150_000, `${counters.bytesIn} bytes only`);
  assert(sent < 40, "the peer was not held back");
  const [first] = virtual.recorder.of("limit");
  assertEquals(first?.limit, "bytesPerSecond");
  assertEquals(virtual.endings, []);
  client.conn.close();
  await sending.catch(() => {});
  assert(handled > 10_000);
});

Deno.test("bytesPerSecond does not hold up the end of a connection", async () => {
  for (const how of ["close", "drain", "abort"]) {
    await using virtual = await VirtualServer.start({
      message: (peer, message) =>
        void (message === "close!" ? peer.close("bye") : undefined),
    }, { limits: { bytesPerSecond: 1, lingerMs: 1000 } });
    using client = await virtual.dial();
    await client.send(how === "close" ? frame("close!") : frames(1));
    await turns();
    if (how === "abort") {
      for (const peer of virtual.server.peers) peer.abort();
    }
    if (how === "drain") void virtual.server.drain({ deadlineMs: 9000 });
    await client.send(frames(100)).catch(() => {});
    await virtual.clock.advance(1100);
    assertEquals(virtual.endings.length, 1, how);
  }
});

Deno.test("a peer that waits for its rate does not time out", async () => {
  await using virtual = await VirtualServer.start({
    message: (peer, message) => peer.send(message),
  }, {
    limits: {
      messagesPerSecond: 0.1,
      idleMs: 2000,
      frameMs: 2000,
      firstMessageMs: 2000,
    },
  });
  using client = await virtual.dial();
  await client.send(frames(3));
  await client.receiveFrame();
  await virtual.clock.advance(20_000);
  await within("the second", client.receiveFrame());
  await within("the third", client.receiveFrame());
  assertEquals(virtual.endings, []);
});
