import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { connect, type ConnectOptions } from "../../../src/client/connect.ts";
import type { Client } from "../../../src/client/client.ts";
import { inOrder } from "../../../src/client/correlation.ts";
import { MAX_UNREAD } from "../../../src/client/unread.ts";
import { ConnectionEndedError } from "../../../src/io/peer.ts";
import { LocalProtocolError } from "../../../src/proto/errors.ts";
import { TEXT_WIRE, VirtualServer } from "../../support/virtual_server.ts";
import { turns, within } from "../../support/wait.ts";

/** No UTF-8. */
const NO_TEXT = Uint8Array.of(0xff);

type TextOptions = Partial<ConnectOptions<string, string>>;

function dial(
  virtual: VirtualServer<unknown>,
  options: TextOptions = {},
): Promise<Client<string>> {
  return connect({
    to: virtual.server.endpoint,
    wire: TEXT_WIRE,
    clock: virtual.clock,
    ...options,
  });
}

/** A server that echoes, and says as many words as it is asked for: `say 3`. */
function talker(): Promise<VirtualServer> {
  return VirtualServer.start({
    message(peer, message) {
      const [, count] = /^say (\d+)$/.exec(message) ?? [];
      if (message === "silence") return;
      if (message === "leave") return void peer.close();
      if (count === undefined) return void peer.send(message);
      for (let i = 0; i < Number(count); i++) peer.send(`word ${i}`);
    },
  });
}

Deno.test("Client.receive() gets every message in order, and undefined at the end", async () => {
  await using virtual = await talker();
  await using client = await dial(virtual);
  client.send("say 3");
  client.send("leave");
  const words: (string | undefined)[] = [];
  for (let i = 0; i < 4; i++) words.push(await client.receive());
  assertEquals(words, ["word 0", "word 1", "word 2", undefined]);
  assertEquals(await client.receive(), undefined);
  assertEquals(client.ending?.cause, "peer closed");
  assertEquals(client.send("too late"), false);
});

Deno.test("Client is a loop over what it gets", async () => {
  await using virtual = await talker();
  await using client = await dial(virtual);
  client.send("say 5");
  client.send("leave");
  const words: string[] = [];
  for await (const word of client) words.push(word);
  assertEquals(words.length, 5);
});

Deno.test("Client calls message for what answers no request, one at a time", async () => {
  await using virtual = await talker();
  const words: string[] = [];
  let running = 0;
  await using client = await dial(virtual, {
    correlate: inOrder((text) => !text.startsWith("word")),
    async message(word) {
      assertEquals(++running, 1);
      await turns(1);
      words.push(word);
      running--;
    },
  });
  client.send("say 3");
  assertEquals(await client.request("echo"), "echo");
  assertEquals(words, ["word 0", "word 1", "word 2"]);
});

Deno.test("Client.request() wants to know how answers are told", async () => {
  await using virtual = await talker();
  await using client = await dial(virtual);
  await assertRejects(
    () => client.request("x"),
    TypeError,
    "current value of 'correlate' is undefined",
  );
});

Deno.test("Client.request() matches many requests in flight with their answers", async () => {
  await using virtual = await talker();
  await using client = await dial(virtual, { correlate: inOrder() });
  const words = Array.from({ length: 500 }, (_, at) => `request ${at}`);
  const answers = words.map((word) => client.request(word));
  assertEquals(await Promise.all(answers), words);
});

Deno.test("Client.request() rejects when the connection ends, when time is up, on abort", async () => {
  await using virtual = await talker();
  await using client = await dial(virtual, { correlate: inOrder() });
  const late = assertRejects(
    () => client.request("silence", { timeoutMs: 1000 }),
    Error,
    "none came within 1000 ms",
  );
  await virtual.clock.advance(1001);
  await late;
  const controller = new AbortController();
  const aborted = assertRejects(
    () => client.request("silence", { signal: controller.signal }),
    Error,
    "Enough",
  );
  controller.abort(new Error("Enough"));
  await aborted;
  await assertRejects(
    () => client.request("x", { signal: controller.signal }),
    Error,
    "Enough",
  );
  const cut = assertRejects(
    () => client.request("silence"),
    ConnectionEndedError,
    "the connection ended: peer closed",
  );
  client.send("leave");
  await cut;
  await client.closed;
  await assertRejects(() => client.request("x"), ConnectionEndedError);
  assertEquals(virtual.server.counters.messagesIn, 4);
});

Deno.test("Client.request() throws for what the wire cannot carry, and lives on", async () => {
  await using virtual = await talker();
  await using client = await dial(virtual, { correlate: inOrder() });
  await assertRejects(
    () => client.request("x".repeat(100_000)),
    LocalProtocolError,
  );
  assertThrows(() => client.send("x".repeat(100_000)), LocalProtocolError);
  assertEquals(await client.request("fine"), "fine");
});

Deno.test("Client stops reading when nobody reads what it got, and says so", async () => {
  await using virtual = await talker();
  await using client = await dial(virtual, {
    correlate: inOrder((text) => !text.startsWith("word")),
  });
  const count = MAX_UNREAD * 10;
  client.send(`say ${count}`);
  await turns(20);
  const late = assertRejects(
    () => client.request("echo", { timeoutMs: 1000 }),
    Error,
    `none came within 1000 ms, and reading waits for ${MAX_UNREAD} unread messages to be received`,
  );
  await virtual.clock.advance(1001);
  await late;
  for (let i = 0; i < count; i++) {
    assertEquals(await client.receive(), `word ${i}`);
  }
  assertEquals(await client.request("echo again"), "echo again");
});

Deno.test("Client.close() does not wait for unread messages to be read", async () => {
  await using virtual = await talker();
  const client = await dial(virtual, {
    correlate: inOrder((text) => !text.startsWith("word")),
  });
  client.send(`say ${MAX_UNREAD * 2}`);
  const pending = assertRejects(
    () => client.request("echo"),
    ConnectionEndedError,
  );
  await turns(20);
  await within("close()", client.close(), 1000);
  await within("its end", client.closed, 1000);
  await pending;
  // What had arrived can still be read.
  assertEquals(await client.receive(), "word 0");
  await turns();
  assertEquals(virtual.endings, ["peer closed"]);
});

Deno.test("Client.close() does not wait for a message callback that hangs", async () => {
  await using virtual = await talker();
  const client = await dial(virtual, {
    correlate: inOrder((text) => !text.startsWith("word")),
    message: () => new Promise(() => {}),
  });
  client.send("say 1");
  await turns();
  const pending = assertRejects(
    () => client.request("silence"),
    ConnectionEndedError,
  );
  await within("close()", client.close(), 1000);
  await within("the request's end", pending, 1000);
  await virtual.clock.advance(5000);
  assertEquals(virtual.endings, ["peer closed"]);
});

Deno.test("Client may be closed from its own message callback", async () => {
  await using virtual = await talker();
  const client = await dial(virtual, {
    message: () => client.close("heard enough"),
  });
  client.send("say 1");
  const ending = await within("its end", client.closed, 1000);
  assertEquals(ending, { cause: "local closed", reason: "heard enough" });
});

Deno.test("Client ends when its message callback throws, now or later", async () => {
  for (const later of [false, true]) {
    await using virtual = await talker();
    const client = await dial(virtual, {
      async message() {
        if (later) await turns(1);
        throw new Error("The callback's own fault");
      },
    });
    client.send("say 1");
    const ending = await within("its end", client.closed, 1000);
    assertEquals(ending.cause, "failed");
    assert(ending.error instanceof Error);
  }
});

Deno.test("Client ends at what is no message, unless it is told what to do about it", async () => {
  for (const tolerant of [false, true]) {
    const codes: string[] = [];
    await using virtual = await VirtualServer.start({
      open: (peer) => void peer.send("first"),
      message() {},
    });
    // To this client, the word "bad" is none.
    const { framing, codec } = TEXT_WIRE;
    const decode = (payload: Uint8Array): string =>
      codec.decode(codec.decode(payload) === "bad" ? NO_TEXT : payload);
    const client = await dial(virtual, {
      wire: { framing, codec: { ...codec, decode } },
      ...(tolerant ? { invalid: (error) => void codes.push(error.code) } : {}),
    });
    assertEquals(await client.receive(), "first");
    for (const peer of virtual.server.peers) {
      peer.send("bad");
      peer.send("good");
    }
    if (tolerant) {
      assertEquals(await client.receive(), "good");
      assertEquals(codes, ["malformed"]);
      await client.close();
    } else {
      assertEquals(await client.receive(), undefined);
      assertEquals(client.ending?.cause, "limit");
    }
    await client.closed;
  }
});

Deno.test("Client goes on reading while the server does not take what it sends", async () => {
  // Both send more than the pipes hold before either has read anything.
  const large = "x".repeat(60_000);
  await using virtual = await VirtualServer.start({
    message: (peer, message) => peer.send(message),
  });
  await using client = await dial(virtual, { correlate: inOrder() });
  const answers = Array.from({ length: 20 }, () => client.request(large));
  for (const answer of answers) {
    assertEquals((await within("an answer", answer, 2000)).length, 60_000);
  }
});

Deno.test("Client.drained() waits until the server has taken enough", async () => {
  const gate = Promise.withResolvers<void>();
  await using virtual = await VirtualServer.start({
    message: () => gate.promise,
  });
  await using client = await dial(virtual, { limits: { slowBytes: 10_000 } });
  for (let sent = 0; !client.isSlow; sent++) {
    client.send("x".repeat(5000));
    await turns();
    assert(sent < 100, "the server takes everything");
  }
  let drained = false;
  const draining = client.drained().then(() => drained = true);
  await turns();
  assertEquals(drained, false);
  gate.resolve();
  await within("drained()", draining, 1000);
  assertEquals(client.isSlow, false);
});

Deno.test("Client.end() sends the last word and still receives", async () => {
  await using virtual = await talker();
  await using client = await dial(virtual);
  client.send("say 2");
  await client.end();
  assertEquals(client.send("more"), false);
  const words: string[] = [];
  for await (const word of client) words.push(word);
  assertEquals(words, ["word 0", "word 1"]);
});

Deno.test("Client has no deadline for a server that is silent, unless it is told", async () => {
  await using virtual = await VirtualServer.start({ message() {} }, {
    limits: { idleMs: Infinity, firstMessageMs: Infinity },
  });
  await using patient = await dial(virtual);
  await using hasty = await dial(virtual, { limits: { idleMs: 5000 } });
  await virtual.clock.advance(4999);
  assertEquals([patient.ending, hasty.ending], [undefined, undefined]);
  await virtual.clock.advance(10_000_000);
  assertEquals(patient.ending, undefined);
  assertEquals(hasty.ending, {
    cause: "timed out",
    reason: "idle for 5000 ms",
  });
});
