import { assert, assertEquals, assertRejects } from "@std/assert";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { parseEndpoint } from "../../../../src/io/endpoint.ts";
import { netTransport } from "../../../../src/io/net.ts";
import {
  MAX_HELD_BYTES,
  NodeTlsConn,
} from "../../../../src/io/tls/node_conn.ts";
import type { Conn } from "../../../../src/io/transport.ts";
import {
  CLIENT_TLS,
  NODE_CLIENT_TLS,
  NODE_SERVER_TLS,
  SERVER_TLS,
} from "../../../support/tls.ts";
import { stalled, within } from "../../../support/wait.ts";

/** What the kernel may hold of one connection, on both sides. */
const KERNEL_BYTES = 16 * 1024 * 1024;

for (
  const [server, client] of [
    [SERVER_TLS, CLIENT_TLS],
    [NODE_SERVER_TLS, CLIENT_TLS],
    [SERVER_TLS, NODE_CLIENT_TLS],
    [NODE_SERVER_TLS, NODE_CLIENT_TLS],
  ] as const
) {
  const engineOf = ({ tls }: { tls: object }) =>
    "engine" in tls ? "node" : "native";
  const name = `${engineOf(server)} server, ${engineOf(client)} client`;

  Deno.test(`a reader that never reads holds its peer up, and then gets it all: ${name}`, async () => {
    const listener = await netTransport.listen(
      parseEndpoint("tls://127.0.0.1:0"),
      server,
    );
    const accepted = listener.accept();
    const connecting = netTransport.connect(listener.endpoint, client);
    const raw = await accepted;
    const { signal } = new AbortController();
    const ours = (await listener.shake!(raw, signal))!;
    const theirs = await connecting;
    for (const [from, to] of [[ours, theirs], [theirs, ours]] as const) {
      await flood(from, to);
    }
    ours.close();
    theirs.close();
    listener.close();
  });
}

/** Sends more than anybody may hold, and reads it only once the sender is stuck. */
async function flood(from: Conn, to: Conn): Promise<void> {
  const block = new Uint8Array(64 * 1024).fill(7);
  const total = 2 * KERNEL_BYTES;
  let sent = 0;
  const sending = (async () => {
    while (sent < total) sent += await from.write(block);
  })();
  await stalled(() => sent);
  assert(sent < KERNEL_BYTES, `${sent} bytes were taken that nobody has read`);
  const into = new Uint8Array(256 * 1024);
  for (let received = 0; received < total;) {
    const count = await within("more", to.read(into));
    assert(count !== null && into[0] === 7);
    received += count;
  }
  await within("the sender", sending);
}

class FakeSocket extends EventEmitter {
  destroyed = false;
  destroy(): void {
    this.destroyed = true;
    this.emit("close");
  }
}

Deno.test("NodeTlsConn closes when it holds too much, where the runtime cannot be stopped", async () => {
  const raw = new FakeSocket();
  const tls = new FakeSocket();
  const conn = new NodeTlsConn(raw as unknown as Socket, () => {
    throw new Error("It has been shaken");
  });
  conn.secured(tls as unknown as TLSSocket, () => ({}));
  const chunk = new Uint8Array(64 * 1024);
  let given = 0;
  while (!raw.destroyed) {
    tls.emit("data", chunk);
    given += chunk.length;
    assert(given <= MAX_HELD_BYTES + chunk.length);
  }
  // What came before may still be read.
  const into = new Uint8Array(MAX_HELD_BYTES);
  for (let rest = given; rest > 0;) rest -= (await conn.read(into))!;
  await assertRejects(
    () => conn.read(into),
    Deno.errors.InvalidData,
    "bytes that nobody has read",
  );
});

Deno.test("NodeTlsConn reads on in small pieces, and stops the runtime meanwhile", async () => {
  const log: string[] = [];
  const handle = {
    readStop: () => log.push("stop"),
    readStart: () => log.push("start"),
  };
  const raw = Object.assign(new FakeSocket(), { _handle: handle });
  const tls = new FakeSocket();
  const conn = new NodeTlsConn(
    raw as unknown as Socket,
    () => Promise.resolve(),
  );
  conn.secured(tls as unknown as TLSSocket, () => ({ alpn: "hub/1" }));
  assertEquals(conn.identity, { alpn: "hub/1" });
  const waiting = conn.read(new Uint8Array(3));
  tls.emit("data", Uint8Array.of(1, 2, 3, 4));
  assertEquals(await waiting, 3);
  const into = new Uint8Array(40_000);
  assertEquals(await conn.read(into), 1);
  assertEquals(into[0], 4);
  assertEquals(log, []);
  tls.emit("data", new Uint8Array(270_000));
  assertEquals(log, ["stop"]);
  assertEquals(await conn.read(into), 40_000);
  assertEquals(log, ["stop"]);
  const rest = new Uint8Array(270_000);
  assertEquals(await conn.read(rest), 230_000);
  assertEquals(log, ["stop", "start"]);
  tls.emit("end");
  assertEquals(await conn.read(into), null);
  conn.close();
  await assertRejects(() => conn.read(into), Deno.errors.BadResource);
  await assertRejects(() => conn.write(into), Deno.errors.BadResource);
});

Deno.test("NodeTlsConn.write() takes no more of a long write than the engine encrypts at once", async () => {
  const raw = new FakeSocket();
  const written: number[] = [];
  const tls = Object.assign(new FakeSocket(), {
    write(bytes: Uint8Array, done: () => void) {
      written.push(bytes.length);
      done();
    },
  });
  const conn = new NodeTlsConn(
    raw as unknown as Socket,
    () => Promise.resolve(),
  );
  conn.secured(tls as unknown as TLSSocket, () => ({}));
  const most = 48 * 1024;
  assertEquals(await conn.write(new Uint8Array(most)), most);
  assertEquals(await conn.write(new Uint8Array(most + 1)), most);
  assertEquals(written, [most, most]);
  conn.close();
});

Deno.test("NodeTlsConn.write() is done with the buffer once it resolves, and what it took arrives before the end", async () => {
  const listener = await netTransport.listen(
    parseEndpoint("tls://127.0.0.1:0"),
    NODE_SERVER_TLS,
  );
  const accepted = listener.accept();
  const connecting = netTransport.connect(listener.endpoint, CLIENT_TLS);
  const { signal } = new AbortController();
  const ours = (await listener.shake!(await accepted, signal))!;
  const theirs = await connecting;
  const total = 24 * 1024 * 1024;
  const sending = (async () => {
    const buffer = new Uint8Array(80_000);
    for (let sent = 0, turn = 0; sent < total; turn++) {
      const length = Math.min(1 + turn * 7919 % buffer.length, total - sent);
      const piece = buffer.subarray(0, length);
      for (let i = 0; i < length; i++) piece[i] = (sent + i) % 251;
      const count = await ours.write(piece);
      // Whoever pools buffers writes other things into it from here on.
      buffer.fill(255);
      sent += count;
    }
    await ours.closeWrite();
  })();
  const into = new Uint8Array(1 << 17);
  let received = 0;
  let wrong = 0;
  for (;;) {
    const count = await within("more", theirs.read(into));
    if (count === null) break;
    for (let i = 0; i < count; i++) {
      if (into[i] !== (received + i) % 251) wrong++;
    }
    received += count;
  }
  await sending;
  assertEquals([received, wrong], [total, 0]);
  for (const closing of [ours, theirs, listener]) closing.close();
});
