import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../src/bytes/random.ts";
import type { Client } from "../../src/client/client.ts";
import { connect } from "../../src/client/connect.ts";
import { inOrder } from "../../src/client/correlation.ts";
import type { Handler } from "../../src/io/handler.ts";
import type { Ending, Peer } from "../../src/io/peer.ts";
import { bytes } from "../../src/proto/codec/bytes.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { serve, type ServeOptions } from "../../src/server/serve.ts";
import type { Server } from "../../src/server/server.ts";
import { frame, RawClient } from "../support/raw_client.ts";
import { Recorder } from "../support/recorder.ts";
import type { Road } from "../support/roads.ts";
import { utf8 } from "../support/three_ways.ts";
import { stalled, turns, waitUntil, within } from "../support/wait.ts";

type BytesPeer = Peer<Uint8Array, Uint8Array>;
type BytesServer = Server<Uint8Array, Uint8Array>;

const WIRE = lengthPrefixed(bytes(), { maxFrameBytes: 1 << 20 });
const ECHO: Handler<Uint8Array, Uint8Array> = {
  message: (peer, message) => peer.send(message),
};

function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => random() * 256);
}

/** What every transport has to do, over the whole of a server and a client. */
export function transportSuite(road: Road): void {
  const test = (what: string, run: () => Promise<void>): void =>
    Deno.test(`${road.name} ${what}`, run);

  function start(
    handler: Handler<Uint8Array, Uint8Array>,
    options: Partial<ServeOptions<Uint8Array, Uint8Array, undefined>> = {},
  ): Promise<BytesServer> {
    return serve({
      listen: road.listen(),
      wire: WIRE,
      handler,
      ...road.listenOptions,
      ...options,
    });
  }

  function dial(server: BytesServer): Promise<Client<Uint8Array>> {
    return connect({
      to: server.endpoint,
      wire: WIRE,
      correlate: inOrder(),
      ...road.connectOptions,
    });
  }

  function dialRaw(server: BytesServer): Promise<RawClient> {
    return RawClient.connect(server.endpoint, road.connectOptions);
  }

  test("carries messages of every size there and back", async () => {
    await using server = await start(ECHO);
    await using client = await dial(server);
    for (const size of [0, 1, 59, 60, 61, 4096, 65_532, 65_536, 1 << 20]) {
      const message = noise(size, size);
      const answer = await within("echo", client.request(message));
      assert(equalBytes(answer, message), `${size} bytes`);
    }
    // One after the other, and all at once.
    const burst = Array.from({ length: 300 }, (_, at) => noise(at * 11, at));
    const answers = burst.map((message) => client.request(message));
    for (const [at, answer] of (await Promise.all(answers)).entries()) {
      assert(equalBytes(answer, burst[at]!), `message ${at} of the burst`);
    }
    assertEquals(server.counters.messagesIn, 309);
    assertEquals(server.counters.messagesOut, 309);
    const { bytesIn, bytesOut } = server.counters;
    assertEquals(bytesIn - 309 * (road.clientFrameBytes ?? 0), bytesOut);
  });

  test("carries frames of 1 MiB in both directions at once", async () => {
    await using server = await start(ECHO);
    await using client = await dial(server);
    const large = noise(1 << 20, 7);
    for (let round = 0; round < 3; round++) {
      const answers = [large, large, large, large].map((message) =>
        client.request(message)
      );
      for (const answer of answers) {
        assert(equalBytes(await within("echo", answer), large));
      }
    }
  });

  test("keeps the order of messages, also when handlers take their time", async () => {
    const seen: number[] = [];
    let running = 0;
    await using server = await start({
      async message(peer, message) {
        assertEquals(++running, 1, "one message at a time");
        const [number = 0] = message;
        if (number % 3 === 0) await turns(1);
        seen.push(number);
        peer.send(message);
        running--;
      },
    });
    await using client = await dial(server);
    const numbers = Array.from({ length: 200 }, (_, at) => at);
    for (const number of numbers) client.send(Uint8Array.of(number));
    const answers: number[] = [];
    for await (const [number = -1] of client) {
      answers.push(number);
      if (answers.length === numbers.length) break;
    }
    assertEquals(seen, numbers);
    assertEquals(answers, numbers);
  });

  test("answers a client that has closed its sending direction", async () => {
    const endings: Ending[] = [];
    await using server = await start({
      async message(peer, message) {
        await turns(1);
        peer.send(message);
      },
      close: (_peer, ending) => void endings.push(ending),
    });
    using client = await dialRaw(server);
    for (const word of ["one", "two", "three"]) await client.send(frame(word));
    await client.closeWrite();
    const answers = await client.receiveAll();
    const expected = [..."one two three".split(" ").map(frame)];
    assertEquals(answers, Uint8Array.from(expected.flatMap((f) => [...f])));
    await waitUntil("the end", () => endings.length === 1);
    assertEquals(endings, [{ cause: "peer closed" }]);
  });

  test("receives after it has closed its own sending direction", async () => {
    const received: string[] = [];
    const endings: Ending[] = [];
    await using server = await start({
      open(peer) {
        peer.send(utf8("last word"));
        void peer.end();
      },
      message(peer, message) {
        received.push(new TextDecoder().decode(message));
        assertEquals(peer.send(message), false);
      },
      close: (_peer, ending) => void endings.push(ending),
    });
    using client = await dialRaw(server);
    assertEquals(await client.receiveAll(), frame("last word"));
    await client.send(frame("still"));
    await client.send(frame("here"));
    await client.closeWrite();
    await waitUntil("the end", () => endings.length === 1);
    assertEquals(received, ["still", "here"]);
    assertEquals(endings, [{ cause: "peer closed" }]);
  });

  test("notices the end of the stream inside a frame", async () => {
    const recorder = new Recorder();
    await using server = await start(ECHO, { observe: recorder.observe });
    for (const cut of [1, 3, 4, 6]) {
      using client = await dialRaw(server);
      await client.send(frame("whole"));
      assertEquals(await client.receiveFrame(), utf8("whole"));
      await client.send(frame("truncated").subarray(0, cut));
      await client.closeWrite();
      assertEquals((await client.receiveAll()).length, 0);
    }
    await recorder.until("closed", 4);
    for (const { ending } of recorder.of("closed")) {
      assertEquals(ending.cause, "peer closed");
      assertEquals(ending.reason, "in the middle of a frame");
    }
    assertEquals(
      recorder.of("invalid").map(({ error }) => error.code),
      Array(4).fill("truncated"),
    );
  });

  test("tells a sender whose peer reads nothing, and buffers no more", async () => {
    const peers: BytesPeer[] = [];
    await using server = await start({
      open: (peer) => void peers.push(peer),
      message() {},
    });
    using client = await dialRaw(server);
    await waitUntil("the peer", () => peers.length === 1);
    const [peer] = peers;
    assert(peer !== undefined);
    const block = noise(50_000, 1);
    let sent = 0;
    let waits = 0;
    let blocked = false;
    const sending = (async () => {
      while (sent < 1000) {
        const goOn = peer.send(block);
        sent++;
        assertEquals(goOn, !peer.isSlow);
        if (goOn) continue;
        waits++;
        blocked = true;
        await peer.drained();
        blocked = false;
      }
    })();
    await stalled(() => sent);
    assert(blocked && sent < 1000, `${sent} blocks of 50 KB were taken`);
    assert(peer.bufferedBytes <= 64 * 1024 + 2 * block.length);
    // What is read makes room, and nothing is lost.
    for (let received = 0; received < 1000; received++) {
      const message = await client.receiveFrame();
      assert(equalBytes(message, block), `block ${received}`);
    }
    await within("the sender", sending);
    assert(waits > 0);
    assertEquals(peer.bufferedBytes, 0);
  });

  test("does not read on while the handler is busy", async () => {
    const gate = Promise.withResolvers<void>();
    let handled = 0;
    await using server = await start({
      async message() {
        await gate.promise;
        handled++;
      },
    });
    using client = await dialRaw(server);
    const block = frame(noise(50_000, 2));
    let sent = 0;
    const sending = (async () => {
      for (; sent < 1000; sent++) await client.send(block);
    })();
    await stalled(() => sent);
    assert(sent < 1000, "the sender was never made to wait");
    const { bytesIn } = server.counters;
    assert(bytesIn <= 256 * 1024, `${bytesIn} bytes are held`);
    gate.resolve();
    await within("the sender", sending, 20_000);
    await waitUntil("all of it", () => handled === 1000);
  });

  test("ends at once on abort, from either side", async () => {
    const peers: BytesPeer[] = [];
    const endings: Ending[] = [];
    await using server = await start({
      open: (peer) => void peers.push(peer),
      message: (peer, message) => peer.send(message),
      close: (_peer, ending) => void endings.push(ending),
    });
    const client = await dial(server);
    await within("echo", client.request(utf8("x")));
    client.abort("had enough");
    assertEquals(await within("its end", client.closed), {
      cause: "local closed",
      reason: "had enough",
    });
    await waitUntil("the server's end", () => endings.length === 1);
    assertEquals(endings[0]?.cause, "peer closed");

    const second = await dial(server);
    await within("echo", second.request(utf8("x")));
    peers[1]?.abort();
    const ending = await within("its end", second.closed);
    assertEquals(ending.cause, "peer closed");
    await waitUntil("the server's end", () => endings.length === 2);
    assertEquals(endings[1], { cause: "local closed", reason: "aborted" });
    assertEquals(server.peers.size, 0);
  });

  test("closes while a handler is busy, and calls close after it", async () => {
    const gate = Promise.withResolvers<void>();
    const peers: BytesPeer[] = [];
    const log: string[] = [];
    await using server = await start({
      open: (peer) => void peers.push(peer),
      async message(peer, message) {
        log.push("message");
        peer.send(message);
        await gate.promise;
        log.push(`sent ${peer.send(message)}`);
      },
      close: () => void log.push("close"),
    });
    using client = await dialRaw(server);
    await client.send(frame("x"));
    assertEquals(await client.receiveFrame(), utf8("x"));
    const closed = peers[0]?.close("enough");
    assertEquals((await client.receiveAll()).length, 0);
    assert(peers[0]?.signal.aborted);
    gate.resolve();
    client.conn.close();
    await within("close()", Promise.resolve(closed));
    await waitUntil("the end", () => log.length === 3);
    assertEquals(log, ["message", "sent false", "close"]);
  });

  test("drains: what was accepted is answered, then all connections end", async () => {
    const gate = Promise.withResolvers<void>();
    let started = 0;
    await using server = await start({
      async message(peer, message) {
        started++;
        await gate.promise;
        peer.send(message);
      },
    });
    const clients = await Promise.all(
      Array.from({ length: 5 }, () => dial(server)),
    );
    const requests = clients.flatMap((client, at) =>
      [0, 1, 2].map((turn) => client.request(Uint8Array.of(at, turn)))
    );
    await waitUntil("all of them at work", () => started === 5);
    const drained = server.drain({ deadlineMs: 5000 });
    assertEquals(server.status, "draining");
    gate.resolve();
    const answers = await within("the answers", Promise.all(requests));
    assertEquals(
      answers,
      [0, 1, 2, 3, 4].flatMap((at) =>
        [0, 1, 2].map((turn) => Uint8Array.of(at, turn))
      ),
    );
    for (const client of clients) {
      const { cause } = await within("the end", client.closed);
      assertEquals(cause, "peer closed");
    }
    await within("the drain", drained);
    assertEquals(server.status, "stopped");
    assertEquals(server.peers.size, 0);
  });

  test("serves many connections at once, each with its own messages", async () => {
    await using server = await start(ECHO);
    const count = 200;
    const rounds = 5;
    await within(
      `${count} clients`,
      Promise.all(Array.from({ length: count }, async (_, at) => {
        await using client = await dial(server);
        for (let round = 0; round < rounds; round++) {
          const message = Uint8Array.of(at, round, at >> 8);
          assertEquals(await client.request(message), message);
        }
      })),
      30_000,
    );
    assertEquals(server.counters.accepted, count);
    assertEquals(server.counters.messagesIn, count * rounds);
    await waitUntil("all gone", () => server.peers.size === 0);
    assertEquals(server.counters.closed, count);
  });
}

/** Faster than a deep comparison, which matters for megabytes. */
function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
