import { assertEquals } from "@std/assert";
import type { Peer } from "../../../src/io/peer.ts";
import { lines } from "../../../src/proto/framing/delimited.ts";
import { text } from "../../../src/proto/codec/text.ts";
import { connect } from "../../../src/client/connect.ts";
import { serve } from "../../../src/server/serve.ts";
import type { Server } from "../../../src/server/server.ts";
import { within } from "../../support/wait.ts";

const wire = lines(text());

/** A server whose answer is ready when the test says so, and waited for in `finish`. */
async function startSlow(
  name: string,
  outcome: (peer: Peer<string, string>) => unknown,
): Promise<{ server: Server<string, string>; asked: Promise<void> }> {
  const asked = Promise.withResolvers<void>();
  const finishing = Promise.withResolvers<void>();
  let answering: Promise<unknown> | undefined;
  const server = await serve<string, string>({
    listen: `memory:${name}`,
    wire,
    handler: {
      message(peer) {
        answering = finishing.promise.then(() => outcome(peer));
        asked.resolve();
      },
      finish() {
        finishing.resolve();
        return answering;
      },
    },
  });
  return { server, asked: asked.promise };
}

Deno.test("finish() keeps a connection whose peer says no more", async () => {
  const { server, asked } = await startSlow(
    "finish end",
    (peer) => peer.send("late"),
  );
  await using _ = server;
  await using client = await connect({ to: server.endpoint, wire });
  client.send("question");
  await asked;
  await client.end();
  assertEquals(await within("late", client.receive()), "late");
  assertEquals(await within("the end", client.receive()), undefined);
});

Deno.test("finish() keeps a connection while its server drains", async () => {
  const { server, asked } = await startSlow(
    "finish drain",
    (peer) => peer.send("late"),
  );
  await using client = await connect({ to: server.endpoint, wire });
  client.send("question");
  await asked;
  const drained = server.drain();
  assertEquals(await within("late", client.receive()), "late");
  assertEquals(await within("the end", client.receive()), undefined);
  await drained;
});

Deno.test("finish() ends a connection when it rejects", async () => {
  const { server, asked } = await startSlow(
    "finish fails",
    () => Promise.reject(new Error("Cannot answer")),
  );
  await using client = await connect({ to: server.endpoint, wire });
  client.send("question");
  await asked;
  const [peer] = server.peers;
  const drained = server.drain();
  assertEquals(await within("the end", client.receive()), undefined);
  await drained;
  assertEquals((await peer!.closed).cause, "failed");
});

Deno.test("finish() is cut short at the deadline of a drain", async () => {
  const { server, asked } = await startSlow(
    "finish never",
    () => new Promise(() => {}),
  );
  await using client = await connect({ to: server.endpoint, wire });
  client.send("question");
  await asked;
  await within("the drain", server.drain({ deadlineMs: 20 }));
  assertEquals(await client.receive(), undefined);
});
