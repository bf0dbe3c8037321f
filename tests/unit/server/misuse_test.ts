import { assertEquals, assertRejects } from "@std/assert";
import {
  connect,
  ConnectionEndedError,
  inOrder,
  lines,
  serve,
  text,
} from "../../../mod.ts";

const wire = lines(text());

Deno.test("Server.suspend() and resume() wait for each other", async () => {
  await using server = await serve({
    listen: "memory:turns",
    wire,
    handler: { message: (peer, line) => peer.send(line) },
  });
  await Promise.all([
    server.suspend(),
    server.resume(),
    server.suspend(),
    server.resume(),
  ]);
  assertEquals(server.status, "listening");
  await using client = await connect({ to: server.endpoint, wire });
  client.send("ahoy");
  assertEquals(await client.receive(), "ahoy");
});

Deno.test("Client.request() fails at once after end()", async () => {
  await using server = await serve({
    listen: "memory:last-word",
    wire,
    handler: async (peer) => {
      for await (const line of peer) peer.send(line);
    },
  });
  await using client = await connect({
    to: server.endpoint,
    wire,
    correlate: inOrder(),
  });
  await client.end();
  await assertRejects(
    () => client.request("too late"),
    ConnectionEndedError,
    "nothing more is sent",
  );
});

Deno.test("A handler that does not await its receive() ends its connection", async () => {
  const endings: unknown[] = [];
  await using server = await serve({
    listen: "memory:unawaited",
    wire,
    handler: {
      message: (peer) => void peer.receive(),
      close: (_peer, { cause, error }) => endings.push(cause, `${error}`),
    },
  });
  await using client = await connect({ to: server.endpoint, wire });
  client.send("first");
  assertEquals(await client.receive(), undefined);
  await client.closed;
  await server.drain();
  assertEquals(endings, [
    "failed",
    "TypeError: Cannot go on: the handler has returned while its receive() was waiting",
  ]);
});
