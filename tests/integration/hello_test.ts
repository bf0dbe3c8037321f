import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../src/client/connect.ts";
import { keepConnected } from "../../src/client/persistent.ts";
import { EndpointError } from "../../src/io/endpoint_error.ts";
import type { Handler } from "../../src/io/handler.ts";
import type { Peer } from "../../src/io/peer.ts";
import { json } from "../../src/proto/codec/json.ts";
import { msgpack } from "../../src/proto/codec/msgpack.ts";
import { text } from "../../src/proto/codec/text.ts";
import { FrameReader } from "../../src/proto/frame_reader.ts";
import { encodeFrame } from "../../src/proto/frame_writer.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import {
  type Negotiated,
  negotiated,
  type NegotiatedOptions,
} from "../../src/proto/hello.ts";
import { HelloError } from "../../src/proto/hello/error.ts";
import { Group } from "../../src/server/group.ts";
import { serve, type ServeOptions } from "../../src/server/serve.ts";
import type { Server } from "../../src/server/server.ts";
import { secrets } from "../support/hello.ts";
import { VirtualClock } from "../../src/sim/virtual_clock.ts";
import { frame, RawClient } from "../support/raw_client.ts";
import { Recorder } from "../support/recorder.ts";
import { turns, waitUntil } from "../support/wait.ts";

interface Message {
  say: string;
}

const ABLE: NegotiatedOptions<Message> = {
  framing: lengthPrefixed,
  versions: [1, 2],
  codecs: [msgpack<Message>(), json<Message>()],
  compressions: ["zstd", "gzip", "none"],
  checksums: ["crc32c", "none"],
};

function wire(
  options: Partial<NegotiatedOptions<Message>> = {},
): Negotiated<Message> {
  return negotiated({ ...ABLE, ...options });
}

const echo: Handler<Message, Message> = {
  message: (peer, message) => peer.send(message),
};

const watches = Array.from(
  { length: 300 },
  (_, i) => `watch ${i}, all is well`,
);
const long: Message = { say: watches.join("; ") };

async function start(
  options: Partial<ServeOptions<Message, Message, undefined>> = {},
): Promise<{ server: Server<Message, Message>; recorder: Recorder }> {
  const recorder = new Recorder();
  const server = await serve<Message, Message>({
    listen: "tcp://127.0.0.1:0",
    wire: wire(),
    handler: echo,
    observe: recorder.observe,
    ...options,
  });
  return { server, recorder };
}

Deno.test("serve() and connect() talk as their hello has agreed", async () => {
  const peers: Peer<Message, Message>[] = [];
  const { server } = await start({
    handler: {
      open: (peer) => void peers.push(peer),
      message: (peer, message) => peer.send(message),
    },
  });
  await using _server = server;
  await using client = await connect({ to: server.endpoint, wire: wire() });
  const agreement = {
    version: 2,
    codec: "msgpack",
    compression: "zstd",
    checksum: "crc32c",
    maxFrameBytes: 1 << 20,
  } as const;
  assertEquals(client.agreement, agreement);
  client.send(long);
  assertEquals(await client.receive(), long);
  assertEquals(peers[0]!.agreement, agreement);
  assert(server.counters.bytesIn < long.say.length / 4);
});

Deno.test("serve() agrees with each client on its own, and groups reach all of them", async () => {
  const all = wire();
  const room = new Group<Message>({ gap: () => ({ say: "missed" }) });
  const { server } = await start({
    wire: all,
    handler: {
      open: (peer) => void room.add(peer),
      message: (peer, message) => {
        room.broadcast(message, { except: peer });
        room.broadcast({ say: `all: ${message.say}` });
      },
    },
  });
  await using _server = server;
  const abilities: Partial<NegotiatedOptions<Message>>[] = [
    {},
    { versions: [1] },
    { codecs: [json<Message>()], compressions: ["none"], checksums: ["none"] },
    { compressions: ["gzip"] },
    { maxFrameBytes: 20_000 },
  ];
  const clients = await Promise.all(
    abilities.map((options) =>
      connect({ to: server.endpoint, wire: wire(options) })
    ),
  );
  await waitUntil("all members", () => room.size === clients.length);
  assertEquals(clients.map(({ agreement }) => agreement?.compression), [
    "zstd",
    "zstd",
    "none",
    "gzip",
    "zstd",
  ]);
  for (const [i, sender] of clients.entries()) {
    sender.send(long);
    for (const [k, client] of clients.entries()) {
      if (k !== i) assertEquals(await client.receive(), long);
      assertEquals(await client.receive(), { say: `all: ${long.say}` });
    }
  }
  for (const client of clients) await client.close();
});

Deno.test("Group.broadcast() reaches members that join and leave in one turn, each in its wire", async () => {
  const all = wire();
  const room = new Group<Message>();
  const { server } = await start({
    wire: all,
    handler: { open: (peer) => void room.add(peer), message() {} },
  });
  await using _server = server;
  const plain = {
    codecs: [json<Message>()],
    compressions: ["none"],
    checksums: ["none"],
  } as const;
  await using a = await connect({ to: server.endpoint, wire: wire() });
  await using b = await connect({ to: server.endpoint, wire: wire(plain) });
  await waitUntil("both members", () => room.size === 2);
  const [peerA, peerB] = [...room] as [
    Peer<Message, Message>,
    Peer<Message, Message>,
  ];
  if (peerA.agreement?.codec !== "msgpack") throw new Error("order of members");
  room.broadcast({ say: "1" });
  room.delete(peerB);
  room.broadcast({ say: "2" });
  room.add(peerB);
  room.broadcast({ say: "3" });
  room.delete(peerA);
  room.broadcast({ say: "4" });
  room.add(peerA);
  room.broadcast({ say: "5" });
  const said = async (client: typeof a, count: number) => {
    const words: (string | undefined)[] = [];
    for (let i = 0; i < count; i++) words.push((await client.receive())?.say);
    return words;
  };
  assertEquals(await said(a, 4), ["1", "2", "3", "5"]);
  assertEquals(await said(b, 4), ["1", "3", "4", "5"]);
});

Deno.test("Group.broadcast() tells nobody what does not fit the wire of one member", async () => {
  const all = wire();
  const room = new Group<Message>();
  const { server } = await start({
    wire: all,
    handler: { open: (peer) => void room.add(peer), message() {} },
  });
  await using _server = server;
  const plain = { compressions: ["none"] } as const;
  await using big = await connect({ to: server.endpoint, wire: wire(plain) });
  await using small = await connect({
    to: server.endpoint,
    wire: wire({ ...plain, maxFrameBytes: 1024 }),
  });
  await waitUntil("both members", () => room.size === 2);
  let error: unknown;
  try {
    room.broadcast({ say: "x".repeat(2000) });
  } catch (thrown) {
    error = thrown;
  }
  assertEquals((error as { code?: string }).code, "frame_too_large");
  room.broadcast({ say: "fits" });
  assertEquals(await big.receive(), { say: "fits" });
  assertEquals(await small.receive(), { say: "fits" });
});

Deno.test("connect() throws HelloError when there is nothing in common, and the server tells why", async () => {
  const { server, recorder } = await start({ limits: { maxConnections: 1 } });
  await using _server = server;
  for (let i = 0; i < 3; i++) {
    const error = await assertRejects(
      () => connect({ to: server.endpoint, wire: wire({ versions: [3] }) }),
      HelloError,
    );
    assertEquals([error.code, error.peerCode], [
      "refused",
      "no_common_version",
    ]);
    // Its place is free again once it has gone.
    const failed = await recorder.until("hello failed", i + 1);
    assertEquals((failed.error as HelloError).code, "no_common_version");
    await waitUntil("room", () => server.info().connections === 0);
    await turns();
  }
  await using client = await connect({ to: server.endpoint, wire: wire() });
  client.send(long);
  assertEquals(await client.receive(), long);
});

Deno.test("serve() tells a client in its hello that there is no room", async () => {
  const { server } = await start({ limits: { maxConnections: 1 } });
  await using _server = server;
  await using _first = await connect({ to: server.endpoint, wire: wire() });
  const error = await assertRejects(
    () => connect({ to: server.endpoint, wire: wire() }),
    HelloError,
  );
  assertEquals([error.code, error.peerCode], ["refused", "maxConnections"]);
});

/** A server that does what it likes with the bytes it gets. */
function impostor(
  serveOne: (conn: Deno.Conn) => Promise<void>,
): { endpoint: string } & AsyncDisposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const done = (async () => {
    for await (const conn of listener) {
      await serveOne(conn).catch(() => {});
      try {
        conn.close();
      } catch {
        // Closed already.
      }
    }
  })();
  return {
    endpoint: `tcp://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    async [Symbol.asyncDispose]() {
      listener.close();
      await done;
    },
  };
}

Deno.test("connect() throws when the server echoes, ends, or answers in another protocol", async () => {
  const cases: [(conn: Deno.Conn) => Promise<void>, string][] = [
    [async (conn) => {
      const buffer = new Uint8Array(4096);
      const count = await conn.read(buffer);
      await conn.write(buffer.subarray(0, count ?? 0));
    }, "malformed"],
    [async (conn) => void await conn.read(new Uint8Array(4096)), "ended"],
    [
      async (conn) => void await conn.write(frame('{"type":"welcome"}')),
      "malformed",
    ],
    [
      async (conn) => void await conn.write(new Uint8Array(8).fill(0xff)),
      "malformed",
    ],
  ];
  for (const [answer, code] of cases) {
    await using server = impostor(answer);
    const error = await assertRejects(
      () => connect({ to: server.endpoint, wire: wire() }),
      HelloError,
    );
    assertEquals(error.code, code);
  }
});

Deno.test("connect() gives up on a server that accepts and never says hello", async () => {
  const clock = new VirtualClock();
  await using _server = await serve({
    listen: "memory:silent",
    wire: lengthPrefixed(text()),
    handler: { message() {} },
  });
  const connecting = assertRejects(
    () => connect({ to: "memory:silent", wire: wire(), clock, timeoutMs: 500 }),
    EndpointError,
    "timed out",
  );
  await clock.advance(499);
  await clock.advance(1);
  await connecting;
});

Deno.test("connect() gives up on the hello when it is aborted", async () => {
  await using _server = await serve({
    listen: "memory:silent",
    wire: lengthPrefixed(text()),
    handler: { message() {} },
  });
  const controller = new AbortController();
  const { signal } = controller;
  const connecting = assertRejects(
    () => connect({ to: "memory:silent", wire: wire(), signal }),
    Error,
    "enough",
  );
  await turns();
  controller.abort(new Error("enough"));
  await connecting;
});

Deno.test("serve() gives a client that says half a hello no longer than firstMessageMs", async () => {
  const clock = new VirtualClock();
  const { server, recorder } = await start({
    listen: "memory:slow",
    clock,
    limits: { firstMessageMs: 300 },
  });
  await using _server = server;
  using client = await RawClient.connect(server.endpoint);
  await client.send(frame("portolan/1 offer {}").subarray(0, 10));
  await clock.advance(299);
  assertEquals(recorder.of("hello failed").length, 0);
  await clock.advance(1);
  const { error } = await recorder.until("hello failed");
  assertEquals((error as HelloError).code, "timed_out");
  assertEquals((await client.receiveAll()).length, 0);
});

Deno.test("Server.drain() does not wait for hellos", async () => {
  const { server, recorder } = await start();
  using client = await RawClient.connect(server.endpoint);
  await client.send(new Uint8Array([0, 0]));
  await turns();
  await server.drain();
  await recorder.until("hello failed");
  await client.receiveAll();
});

/** Says the client's side of a hello by hand, but for the proof, which is returned with the wire. */
async function greetByHand(client: RawClient) {
  const hello = wire().hello("client", secrets(1));
  await client.send(hello.takeOutput());
  for (let part = 0; part < 2; part++) {
    hello.handle(frame(await client.receiveFrame()));
  }
  return { agreed: hello.outcome!.wire, proof: hello.takeOutput() };
}

Deno.test("serve() takes messages that come in one piece with the end of the hello", async () => {
  const { server } = await start();
  await using _server = server;
  using client = await RawClient.connect(server.endpoint);
  const { agreed, proof } = await greetByHand(client);
  const messages = Array.from({ length: 50 }, (_, i) => ({ say: `${i}` }));
  await client.send(
    new Uint8Array([
      ...proof,
      ...messages.flatMap((message) => [...encodeFrame(agreed, message)]),
    ]),
  );
  const reader = new FrameReader(agreed);
  const answers: Message[] = [];
  while (answers.length < messages.length) {
    reader.push(frame(await client.receiveFrame()));
    answers.push(...reader);
  }
  assertEquals(answers, messages);
});

Deno.test("serve() goes on after a frame whose checksum is wrong when the handler says so", async () => {
  const invalid: string[] = [];
  const { server } = await start({
    handler: {
      message: (peer, message) => peer.send(message),
      invalid: (_peer, error) => void invalid.push(error.code),
    },
  });
  await using _server = server;
  using client = await RawClient.connect(server.endpoint);
  const { agreed, proof } = await greetByHand(client);
  await client.send(proof);
  const wrong = encodeFrame(agreed, { say: "wrong" });
  wrong[8]! ^= 1;
  await client.send(wrong);
  await client.send(encodeFrame(agreed, { say: "right" }));
  const reader = new FrameReader(agreed);
  reader.push(frame(await client.receiveFrame()));
  assertEquals([...reader], [{ say: "right" }]);
  assertEquals(invalid, ["malformed"]);
});

Deno.test("serve() takes clients without a hello when told what they talk", async () => {
  const peers: Peer<Message, Message>[] = [];
  const { server } = await start({
    wire: wire({ withoutHello: json<Message>() }),
    handler: {
      open: (peer) => void peers.push(peer),
      message: (peer, message) => peer.send(message),
    },
  });
  await using _server = server;
  const plain = lengthPrefixed(json<Message>());
  await using old = await connect({ to: server.endpoint, wire: plain });
  await using able = await connect({ to: server.endpoint, wire: wire() });
  for (const client of [old, able]) {
    client.send(long);
    assertEquals(await client.receive(), long);
  }
  const codecs = peers.map(({ agreement }) => agreement?.codec);
  assertEquals(codecs.toSorted(), ["msgpack", undefined]);
});

Deno.test("keepConnected() says hello on each connection", async () => {
  const { server } = await start();
  await using _server = server;
  await using client = await keepConnected({
    to: server.endpoint,
    wire: wire(),
    reconnect: { minMs: 1 },
  });
  for (let i = 0; i < 2; i++) {
    client.send({ say: `${i}` });
    assertEquals(await client.receive(), { say: `${i}` });
    if (i > 0) break;
    const status = client.status();
    for (const peer of server.peers) peer.abort();
    for await (const { type } of status) if (type === "connected") break;
  }
});
