import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ResumableSocket } from "../../src/client/resumable_socket.ts";
import {
  decodeResume,
  encodeResume,
  RESUME_PROTOCOL,
} from "../../src/proto/resume/messages.ts";
import { bytes } from "../../src/proto/codec/bytes.ts";
import { raw } from "../../src/proto/framing/raw.ts";
import { gateway, type GatewayOptions } from "../../src/proxy/gateway.ts";
import { connect } from "../../src/client/connect.ts";
import { serve } from "../../src/server/serve.ts";
import type { Handler } from "../../src/io/handler.ts";
import { Breaker } from "../support/breaker.ts";
import { RawClient } from "../support/raw_client.ts";
import { Recorder } from "../support/recorder.ts";
import { utf8 } from "../support/three_ways.ts";
import { stalled, waitUntil, within } from "../support/wait.ts";

const WIRE = raw(bytes());

function service(
  handler: Handler<Uint8Array, Uint8Array>,
  listen = "tcp://127.0.0.1:0",
) {
  return serve({ listen, wire: WIRE, handler });
}

const ECHO: Handler<Uint8Array, Uint8Array> = {
  message: (peer, data) => peer.send(data) || peer.drained(),
};

function open(options: Partial<GatewayOptions> & { to: string }) {
  return gateway({ listen: "ws://127.0.0.1:0", ...options });
}

/** Bytes that show where one is missing or comes twice. */
function numbers(from: number, count: number): Uint8Array {
  const values = Uint32Array.from({ length: count }, (_, i) => from + i);
  return new Uint8Array(values.buffer);
}

Deno.test("gateway() lets WebSocket clients talk to a TCP service", async () => {
  await using behind = await service(ECHO);
  await using door = await open({ to: behind.endpoint });
  await using client = await connect({ to: door.endpoint, wire: WIRE });
  const sent = numbers(0, 250_000);
  const sending = (async () => {
    for (let at = 0; at < sent.length; at += 10_000) {
      if (!client.send(sent.subarray(at, at + 10_000))) await client.drained();
    }
  })();
  let length = 0;
  const parts: Uint8Array[] = [];
  while (length < sent.length) {
    const part = await within("an echo", client.receive());
    assert(part !== undefined);
    parts.push(part);
    length += part.length;
  }
  await sending;
  assertEquals(await new Blob(parts as BlobPart[]).bytes(), sent);
});

Deno.test("gateway() lets TCP clients talk to a WebSocket service", async () => {
  await using behind = await service(ECHO, "ws://127.0.0.1:0");
  await using door = await open({
    listen: "tcp://127.0.0.1:0",
    to: behind.endpoint,
  });
  using client = await RawClient.connect(door.endpoint);
  await client.send(utf8("there and back"));
  assertEquals(await client.receive(14), utf8("there and back"));
  await client.closeWrite();
  assertEquals((await client.receiveAll()).length, 0);
});

Deno.test("gateway() closes a client whose service is gone, and says why once", async () => {
  const behind = await service(ECHO);
  const { endpoint } = behind;
  await behind.close();
  const recorder = new Recorder();
  await using door = await open({ to: endpoint, observe: recorder.observe });
  await using client = await connect({ to: door.endpoint, wire: WIRE });
  await within("the end", client.closed);
  const closed = await recorder.until("closed", 1);
  assertEquals(closed.ending.cause, "failed");
  assertStringIncludes(String(closed.ending.error), "connection refused");
});

Deno.test("gateway() makes a service wait whose client does not read", async () => {
  let sent = 0;
  await using behind = await service({
    async open(peer) {
      const block = new Uint8Array(1 << 16);
      for (; sent < 2000; sent++) {
        if (!peer.send(block)) await peer.drained();
      }
    },
    message() {},
  });
  await using door = await open({ to: behind.endpoint });
  using client = await RawClient.connect(door.endpoint);
  await client.send(utf8("x"));
  await stalled(() => sent);
  assert(sent < 1000, `${sent} blocks of 64 KiB were taken`);
  client.conn.close();
  await door.abort();
  await behind.abort();
});

Deno.test("ResumableSocket loses nothing when its connections break", async () => {
  await using behind = await service(ECHO);
  await using door = await open({ to: behind.endpoint });
  using breaker = new Breaker(door.endpoint);
  const socket = new ResumableSocket(breaker.url, {
    reconnect: { minMs: 5, maxMs: 20 },
  });
  const count = 400;
  const size = 1000;
  const writing = (async () => {
    for (let n = 0; n < count; n++) {
      if (!socket.write(numbers(n * size, size))) await socket.drained();
    }
    socket.end();
  })();
  const parts: Uint8Array[] = [];
  let length = 0;
  let nextCut = 100_000;
  for await (const part of socket) {
    parts.push(part);
    length += part.length;
    if (length > nextCut) {
      breaker.cut();
      nextCut += 100_000;
    }
  }
  await writing;
  const all = await new Blob(parts as BlobPart[]).bytes();
  assertEquals(all.length, 4 * count * size);
  const read = new Uint32Array(all.buffer);
  assertEquals(read.findIndex((value, index) => value !== index), -1);
  const ending = await within("the end", socket.closed);
  assertEquals(ending.isWhole, true);
  assert(breaker.count >= 3, `${breaker.count} connections`);
  await waitUntil("the service's end", () => behind.peers.size === 0);
});

Deno.test("a resumable session ends when nobody comes back for it, and is known to nobody then", async () => {
  await using behind = await service(ECHO);
  await using door = await open({
    to: behind.endpoint,
    resume: { keepMs: 30 },
  });
  const dial = () =>
    connect({
      to: door.endpoint,
      wire: WIRE,
      webSocket: { protocols: [RESUME_PROTOCOL] },
    });
  let token: Uint8Array | undefined;
  {
    await using client = await dial();
    client.send(encodeResume({ type: "start", number: 0, token: undefined }));
    const started = decodeResume((await client.receive())!);
    assert(started.type === "started");
    token = started.token;
    assertEquals(behind.peers.size, 1);
  }
  await waitUntil("the service's end", () => behind.peers.size === 0);
  for (const unknown of [token, new Uint8Array(16)]) {
    await using client = await dial();
    client.send(encodeResume({ type: "start", number: 0, token: unknown }));
    assertEquals(decodeResume((await client.receive())!), {
      type: "gone",
      reason: "nobody here knows this session",
    });
  }
});

Deno.test("a gateway refuses sessions beyond its limit, and what does not begin one", async () => {
  await using behind = await service(ECHO);
  const recorder = new Recorder();
  await using door = await open({
    to: behind.endpoint,
    resume: { maxSessions: 1 },
    observe: recorder.observe,
  });
  using first = {
    socket: new ResumableSocket(door.endpoint),
    [Symbol.dispose]() {
      this.socket.close();
    },
  };
  first.socket.write(utf8("x"));
  assertEquals(await first.socket.read(), utf8("x"));
  const second = new ResumableSocket(door.endpoint);
  assertEquals(await within("its end", second.closed), {
    isWhole: false,
    reason: "there are too many sessions",
  });
  for (
    const wrong of [utf8("GET /"), encodeResume({ type: "ack", number: 1 })]
  ) {
    await using client = await connect({
      to: door.endpoint,
      wire: WIRE,
      webSocket: { protocols: [RESUME_PROTOCOL] },
    });
    client.send(wrong);
    await within("its end", client.closed);
  }
  await recorder.until("closed", 3);
  const ends = recorder.of("closed").map(({ ending }) => ending.cause);
  assertEquals(ends.filter((cause) => cause === "limit").length, 2);
});

Deno.test("a resumable session tells its client when the service has ended", async () => {
  await using behind = await service({
    open(peer) {
      peer.send(utf8("good night"));
      void peer.close();
    },
    message() {},
  });
  await using door = await open({ to: behind.endpoint });
  const socket = new ResumableSocket(door.endpoint);
  const parts = [];
  for await (const part of socket) parts.push(...part);
  assertEquals(Uint8Array.from(parts), utf8("good night"));
  socket.close();
  await within("the end", socket.closed);
});

Deno.test("gateway() serves the modules of its client to browsers", async () => {
  await using behind = await service(ECHO);
  await using door = await open({ to: behind.endpoint });
  const base = door.endpoint.replace("ws:", "http:");
  const seen = new Set<string>();
  const load = async (url: string): Promise<void> => {
    if (seen.has(url)) return;
    seen.add(url);
    const response = await fetch(url);
    assertEquals(response.status, 200, url);
    const source = await response.text();
    assert(!/\binterface\b \w+ \{|: Promise</.test(source), url);
    for (
      const [, path] of source.matchAll(
        /^}? ?from "(\.[^"]+)"|from "(\.[^"]+)";$/gm,
      )
    ) {
      if (path !== undefined) await load(new URL(path, url).href);
    }
  };
  await load(`${base}/portolan/client/resumable_socket.ts`);
  assertEquals(
    (await fetch(`${base}/health`).then((it) => it.text())).length > 0,
    true,
  );
  const missing = await fetch(`${base}/portolan/io/net.ts`);
  assertEquals(missing.status, 404);
  await missing.body?.cancel();
});
