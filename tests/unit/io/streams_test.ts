import { assertEquals, assertRejects } from "@std/assert";
import { ConnectionEndedError } from "../../../src/io/peer.ts";
import { RemoteProtocolError } from "../../../src/proto/errors.ts";
import { frame } from "../../support/raw_client.ts";
import { VirtualServer } from "../../support/virtual_server.ts";
import { turns, within } from "../../support/wait.ts";

Deno.test("Peer.readable ends with the connection", async () => {
  const seen: string[] = [];
  await using virtual = await VirtualServer.start(async (peer) => {
    for await (const message of peer.readable) seen.push(message);
    seen.push("end");
  });
  using client = await virtual.dial();
  await client.send(new Uint8Array([...frame("a"), ...frame("b")]));
  await client.closeWrite();
  await client.receiveAll();
  assertEquals(seen, ["a", "b", "end"]);
});

Deno.test("Peer.readable fails at what is no message", async () => {
  let error: unknown;
  await using virtual = await VirtualServer.start(async (peer) => {
    error = await assertRejects(() => Array.fromAsync(peer.readable));
  });
  using client = await virtual.dial();
  await client.send(frame(Uint8Array.of(0xff)));
  await client.receiveAll();
  assertEquals(error instanceof RemoteProtocolError, true);
});

Deno.test("Peer.readable closes the connection when it is cancelled", async () => {
  await using virtual = await VirtualServer.start(async (peer) => {
    for await (const message of peer.readable) {
      if (message === "enough") break;
    }
  });
  using client = await virtual.dial();
  await client.send(new Uint8Array([...frame("a"), ...frame("enough")]));
  assertEquals((await client.receiveAll()).length, 0);
  client.conn.close();
  await turns();
  assertEquals(virtual.endings, [
    "local closed: the readable stream was cancelled",
  ]);
});

Deno.test("Peer.readable takes no more than is asked for", async () => {
  const gate = Promise.withResolvers<void>();
  await using virtual = await VirtualServer.start(async (peer) => {
    const reader = peer.readable.getReader();
    await reader.read();
    await gate.promise;
  });
  using client = await virtual.dial();
  for (let i = 0; i < 10; i++) await client.send(frame(`${i}`));
  await turns();
  assertEquals(virtual.server.counters.messagesIn, 1);
  gate.resolve();
});

Deno.test("Peer.writable waits while the peer is slow, and closes the connection", async () => {
  const written: number[] = [];
  await using virtual = await VirtualServer.start(async (peer) => {
    const writer = peer.writable.getWriter();
    for (let i = 0; i < 10; i++) {
      await writer.write("x".repeat(40_000));
      written.push(i);
    }
    await writer.close();
  });
  using client = await virtual.dial();
  await turns(10);
  const { length } = written;
  assertEquals(length < 6, true, `${length} were written`);
  for (let i = 0; i < 10; i++) await within("it", client.receiveFrame());
  assertEquals((await client.receiveAll()).length, 0);
  client.conn.close();
  await turns();
  assertEquals(written.length, 10);
  assertEquals(virtual.endings, ["local closed"]);
});

Deno.test("Peer.writable fails when the connection ends, and aborts it", async () => {
  let error: unknown;
  await using virtual = await VirtualServer.start(async (peer) => {
    const writer = peer.writable.getWriter();
    if (await peer.receive() === "abort") return await writer.abort();
    error = await assertRejects(async () => {
      for (;;) await writer.write("x".repeat(40_000));
    });
  });
  using gone = await virtual.dial();
  await gone.send(frame("write"));
  await turns();
  gone.conn.close();
  await turns();
  assertEquals(error instanceof ConnectionEndedError, true);
  using client = await virtual.dial();
  await client.send(frame("abort"));
  assertEquals((await client.receiveAll()).length, 0);
  await turns();
  assertEquals(virtual.endings, [
    "peer closed: reset",
    "local closed: the writable stream was aborted",
  ]);
});
