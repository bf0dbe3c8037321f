import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  ConnectionEndedError,
  type Ending,
  type Peer,
  Refusal,
} from "../../../src/io/peer.ts";
import {
  LocalProtocolError,
  RemoteProtocolError,
} from "../../../src/proto/errors.ts";
import { json } from "../../../src/proto/codec/json.ts";
import { lengthPrefixed } from "../../../src/proto/framing/length_prefixed.ts";
import { serve } from "../../../src/server/serve.ts";
import { frame, RawClient } from "../../support/raw_client.ts";
import { Recorder } from "../../support/recorder.ts";
import { utf8 } from "../../support/three_ways.ts";
import { TEXT_WIRE, VirtualServer } from "../../support/virtual_server.ts";
import { turns, waitUntil, within } from "../../support/wait.ts";

type TextPeer = Peer<string, string>;

const BAD_UTF8 = frame(Uint8Array.of(0xff));

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("a connection hands what open returns to every other callback", async () => {
  const log: unknown[] = [];
  await using virtual = await VirtualServer.start<{ name: string }>({
    open: async (peer) => {
      assertEquals(peer.state, undefined);
      return { name: await peer.receive() ?? "" };
    },
    message: (peer, message) => void log.push([peer.state.name, message]),
    invalid: (peer, { code }) => void log.push([peer.state.name, code]),
    close: (peer, ending) => void log.push([peer.state.name, ending.cause]),
  });
  using client = await virtual.dial();
  for (const word of ["ada", "hello"]) await client.send(frame(word));
  await client.send(BAD_UTF8);
  await client.closeWrite();
  await client.receiveAll();
  await turns();
  assertEquals(log, [
    ["ada", "hello"],
    ["ada", "malformed"],
    ["ada", "peer closed"],
  ]);
});

Deno.test("a connection lets open receive, and raise the size of frames", async () => {
  const log: string[] = [];
  await using virtual = await VirtualServer.start({
    async open(peer) {
      assertEquals(peer.maxFrameBytes, 1 << 16);
      peer.maxFrameBytes = 8;
      log.push(`login ${await peer.receive()}`);
      peer.maxFrameBytes = 1000;
      peer.send("welcome");
    },
    message: (_peer, message) => void log.push(`message ${message.length}`),
  });
  using polite = await virtual.dial();
  await polite.send(frame("secret"));
  assertEquals(decode(await polite.receiveFrame()), "welcome");
  await polite.send(frame("x".repeat(1000)));
  using hasty = await virtual.dial();
  await hasty.send(frame("x".repeat(1000)));
  assertEquals((await hasty.receiveAll()).length, 0);
  assertEquals(log, ["login secret", "message 1000"]);
  hasty.conn.close();
  await turns();
  assertEquals(virtual.server.peers.size, 1);
  assertEquals(virtual.endings, [
    "limit: Cannot read frame: payload has 1000 bytes, maximum is 8",
  ]);
});

Deno.test("a connection does not call close or message for a peer that open turned away", async () => {
  const log: string[] = [];
  await using virtual = await VirtualServer.start({
    async open(peer) {
      if (await peer.receive() === "let me in") return;
      peer.send("no");
      throw new Refusal("bad password");
    },
    message: () => void log.push("message"),
    close: () => void log.push("close"),
  });
  using client = await virtual.dial();
  await client.send(frame("open sesame"));
  await client.send(frame("hello?"));
  assertEquals(decode((await client.receiveAll()).subarray(4)), "no");
  client.conn.close();
  await turns();
  assertEquals(log, []);
  assertEquals(virtual.endings, ["local closed: bad password"]);
  assertEquals(virtual.warnings, []);
});

Deno.test("a connection ends alone when a callback throws, now or later", async () => {
  const thrown = new Error("The handler's own fault");
  const fail = (): never => {
    throw thrown;
  };
  const failLater = async (): Promise<never> => {
    await turns(1);
    throw thrown;
  };
  for (const callback of ["open", "message", "invalid", "close"] as const) {
    for (const failing of [fail, failLater]) {
      const endings: Ending[] = [];
      let broken = true;
      await using virtual = await VirtualServer.start({
        open: () => callback === "open" && broken ? failing() : undefined,
        message: (peer, message) =>
          callback === "message" && message === "x"
            ? failing()
            : peer.send(message),
        invalid: () => callback === "invalid" ? failing() : undefined,
        close: (_peer, ending) => {
          endings.push(ending);
          return callback === "close" ? failing() : undefined;
        },
      });
      const what = `${callback} ${failing.name}`;
      using client = await virtual.dial();
      broken = false;
      using other = await virtual.dial();
      await other.send(frame("before"));
      assertEquals(decode(await other.receiveFrame()), "before", what);
      await client.send(frame("x"));
      await client.send(BAD_UTF8);
      await client.closeWrite();
      const answer = await client.receiveAll();
      assertEquals(answer.length > 0, ["invalid", "close"].includes(callback));
      await turns();
      const [closed] = virtual.recorder.of("closed");
      if (callback === "close") {
        assertEquals(closed?.ending.cause, "peer closed", what);
        const [event] = virtual.recorder.of("callback failed");
        assertStrictEquals(event?.error, thrown, what);
      } else {
        assertEquals(closed?.ending.cause, "failed", what);
        assertStrictEquals(closed?.ending.error, thrown, what);
        assertEquals(virtual.recorder.of("callback failed"), []);
      }
      assertEquals(endings.length, callback === "open" ? 0 : 1, what);
      await other.send(frame("after"));
      assertEquals(decode(await other.receiveFrame()), "after", what);
      assertEquals(virtual.server.peers.size, 1, what);
    }
  }
});

Deno.test("a connection ends when a handler that is a loop throws or returns", async () => {
  const thrown = new Error("The handler's own fault");
  await using virtual = await VirtualServer.start(async (peer) => {
    for await (const message of peer) {
      if (message === "throw") throw thrown;
      if (message === "return") return;
      peer.send(message);
    }
    peer.send("too late");
  });
  for (const word of ["throw", "return", "leave"]) {
    using client = await virtual.dial();
    await client.send(frame("hello"));
    assertEquals(decode(await client.receiveFrame()), "hello");
    if (word === "leave") await client.closeWrite();
    else await client.send(frame(word));
    const rest = await client.receiveAll();
    assertEquals(rest.length, word === "leave" ? 12 : 0);
    client.conn.close();
    await turns();
  }
  const endings = virtual.recorder.of("closed").map(({ ending }) => ending);
  assertEquals(endings.map(({ cause }) => cause), [
    "failed",
    "local closed",
    "peer closed",
  ]);
  assertStrictEquals(endings[0]?.error, thrown);
});

Deno.test("Peer.receive() tells what is no message, and goes on if that can be", async () => {
  const log: unknown[] = [];
  await using virtual = await VirtualServer.start(async (peer) => {
    for (;;) {
      try {
        const message = await peer.receive();
        if (message === undefined) break;
        log.push(message);
      } catch (error) {
        if (!(error instanceof RemoteProtocolError)) throw error;
        log.push(error.code);
        if (!error.recoverable) throw error;
      }
    }
  });
  using client = await virtual.dial();
  await client.send(frame("a"));
  await client.send(BAD_UTF8);
  await client.send(frame("b"));
  await client.send(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
  await client.receiveAll();
  client.conn.close();
  await turns();
  assertEquals(log, ["a", "malformed", "b", "frame_too_large"]);
  assertEquals(virtual.endings, [
    "limit: Cannot read frame: payload has 4294967295 bytes, maximum is 65536",
  ]);
});

Deno.test("Peer.receive() is for one caller at a time", async () => {
  await using virtual = await VirtualServer.start(async (peer) => {
    const first = peer.receive();
    const error = await assertRejects(() => peer.receive(), TypeError);
    peer.send(error.message.replace(peer.address, "PEER"));
    peer.send(`first ${await first}`);
  });
  using client = await virtual.dial();
  assertEquals(
    decode(await client.receiveFrame()),
    "Cannot receive from PEER: another receive is waiting",
  );
  await client.send(frame("x"));
  assertEquals(decode(await client.receiveFrame()), "first x");
});

Deno.test("Peer.send() puts all of one turn into one write, in order", async () => {
  await using virtual = await VirtualServer.start({
    message(peer, message) {
      for (const letter of message) peer.send(letter);
    },
  });
  using client = await virtual.dial();
  await client.send(frame("abc"));
  const expected = Uint8Array.from(
    "abc".split("").flatMap((c) => [...frame(c)]),
  );
  const into = new Uint8Array(100);
  assertEquals(await client.conn.read(into), expected.length);
  assertEquals(into.subarray(0, expected.length), expected);
});

Deno.test("Peer.send() throws for what the wire cannot carry, and sends nothing of it", async () => {
  const wire = lengthPrefixed(json<unknown>(), { maxFrameBytes: 20 });
  const errors: LocalProtocolError[] = [];
  await using server = await serve({
    listen: "memory:unsendable",
    wire,
    handler: {
      message(peer) {
        peer.send("before");
        for (const bad of ["x".repeat(100), 1n, undefined]) {
          errors.push(assertThrows(() => peer.send(bad), LocalProtocolError));
        }
        peer.send("after");
      },
    },
  });
  using client = await RawClient.connect(server.endpoint);
  await client.send(frame("0"));
  assertEquals(decode(await client.receiveFrame()), '"before"');
  assertEquals(decode(await client.receiveFrame()), '"after"');
  assertEquals(errors.map(({ code }) => code), [
    "frame_too_large",
    "unencodable",
    "unencodable",
  ]);
  assertEquals(server.counters.messagesOut, 2);
});

Deno.test("Peer.send() says when the peer is slow, and drained() when it is not", async () => {
  const peers: TextPeer[] = [];
  await using virtual = await VirtualServer.start({
    open: (peer) => void peers.push(peer),
    message: (peer) => void peer.send("pong"),
  }, { limits: { slowBytes: 10_000 } });
  using client = await virtual.dial();
  const [peer] = peers;
  assert(peer !== undefined);
  // What the pipe takes is not buffered; the next 10,000 bytes are, quietly.
  const block = "x".repeat(996);
  const answers: boolean[] = [];
  while (answers.at(-1) !== false) {
    answers.push(peer.send(block));
    await turns(1);
  }
  assertEquals(peer.isSlow, true);
  assertEquals(peer.bufferedBytes, 11_000);
  assertEquals(virtual.warnings, ["slow true"]);
  assertEquals(peer.send(block), false);
  // Its requests wait meanwhile.
  await client.send(frame("ping"));
  const controller = new AbortController();
  const aborted = peer.drained({ signal: controller.signal });
  controller.abort(new Error("Given up"));
  await assertRejects(() => aborted, Error, "Given up");
  let drained = false;
  const draining = peer.drained().then(() => drained = true);
  await turns();
  assertEquals([drained, virtual.server.counters.messagesIn], [false, 0]);
  for (const _ of [...answers, "the other"]) {
    assertEquals((await client.receiveFrame()).length, 996);
  }
  await within("drained()", draining);
  assertEquals(decode(await client.receiveFrame()), "pong");
  assertEquals(virtual.warnings, ["slow true", "slow false"]);
  await peer.drained();
});

Deno.test("Peer.drained() rejects when the connection ends before", async () => {
  const peers: TextPeer[] = [];
  await using virtual = await VirtualServer.start({
    open: (peer) => void peers.push(peer),
    message() {},
  });
  using client = await virtual.dial();
  const [peer] = peers;
  for (let i = 0; i < 4; i++) peer!.send("x".repeat(60_000));
  const waiting = peer!.drained();
  client.conn.close();
  const error = await assertRejects(() => waiting, ConnectionEndedError);
  assertEquals(error.ending.cause, "peer closed");
  assertEquals(
    error.message.replace(peer!.address, "PEER"),
    "Cannot send to PEER: the connection ended: peer closed (reset)",
  );
  await assertRejects(() => peer!.drained(), ConnectionEndedError);
});

Deno.test("maxBufferedBytes cuts off a peer whose sender does not wait", async () => {
  await using virtual = await VirtualServer.start({
    message(peer) {
      let sent = 0;
      while (peer.ending === undefined) {
        peer.send("x".repeat(50_000));
        assert(++sent < 100, "there is no end to it");
      }
      assertEquals(peer.bufferedBytes, 0);
      assertEquals(peer.send("more"), false);
    },
  }, { limits: { maxBufferedBytes: 500_000 } });
  using client = await virtual.dial();
  using other = await virtual.dial();
  await client.send(frame("go"));
  await turns();
  assertEquals(virtual.warnings, [
    "slow true",
    "limit maxBufferedBytes: 500040 bytes unsent, 500000 allowed",
  ]);
  assertEquals(virtual.endings, ["limit: 500040 bytes unsent, 500000 allowed"]);
  assertEquals(other, other);
  assertEquals(virtual.server.peers.size, 1);
});

Deno.test("a connection is read from while something is always queued for it", async () => {
  let feeding = true;
  let least = Infinity;
  await using virtual = await VirtualServer.start({
    // This fills the pipe and nothing else.
    open(peer) {
      for (let i = 0; i < 16; i++) peer.send("x".repeat(4092));
    },
    message(peer, message) {
      if (message === "enough") feeding = false;
      if (message !== "start") return;
      const feed = async () => {
        for (; feeding; await turns(1)) {
          least = Math.min(least, peer.bufferedBytes);
          if (peer.bufferedBytes < 50_000) peer.send("x".repeat(4092));
        }
        peer.send("end");
      };
      peer.send("x".repeat(4092));
      void feed();
    },
  });
  using client = await virtual.dial();
  await client.send(frame("start"));
  await turns(10);
  for (let frames = 0;; frames++) {
    if (frames === 50) await client.send(frame("enough"));
    if ((await client.receiveFrame()).length === 3) break;
    await turns(2);
    assert(least > 0, "nothing was queued");
    assert(frames < 500, "it is never heard");
  }
});

Deno.test("Peer.signal is aborted with the ending when the end begins", async () => {
  const peers: TextPeer[] = [];
  await using virtual = await VirtualServer.start({
    open: (peer) => void peers.push(peer),
    message() {},
  });
  using client = await virtual.dial();
  const [peer] = peers;
  const { signal } = peer!;
  assertStrictEquals(peer!.signal, signal);
  assertEquals([signal.aborted, peer!.ending], [false, undefined]);
  let closed: Ending | undefined;
  void peer!.closed.then((ending) => closed = ending);
  void peer!.close("enough");
  const ending = { cause: "local closed" as const, reason: "enough" };
  assertEquals(signal.reason, ending);
  assertEquals(peer!.ending, ending);
  await turns();
  assertEquals(closed, undefined);
  client.conn.close();
  await turns();
  assertEquals(closed, ending);
  assertEquals(await peer!.closed, ending);
});

Deno.test("a handler may close, abort or end its own connection and wait for it", async () => {
  const log: string[] = [];
  await using virtual = await VirtualServer.start({
    async message(peer, message) {
      peer.send(message);
      if (message === "close") await peer.close("closed");
      if (message === "abort") peer.abort("aborted by hand");
      if (message === "end") await peer.end();
      log.push(`${message}, ${peer.send("more")}`);
    },
  });
  for (const word of ["close", "abort", "end"]) {
    using client = await virtual.dial();
    await client.send(frame(word));
    const received = await client.receiveAll();
    assertEquals(received.length > 0, word !== "abort");
    client.conn.close();
    await turns();
  }
  assertEquals(log, ["close, false", "abort, false", "end, false"]);
  assertEquals(virtual.endings, [
    "local closed: closed",
    "local closed: aborted by hand",
    "peer closed",
  ]);
});

Deno.test("a handler that is a loop may close its own connection and wait for it", async () => {
  const log: string[] = [];
  await using virtual = await VirtualServer.start(async (peer) => {
    const pending = peer.receive();
    await peer.close("no time");
    log.push(`received ${await pending}`);
  });
  using client = await virtual.dial();
  assertEquals((await client.receiveAll()).length, 0);
  client.conn.close();
  await turns();
  assertEquals(virtual.endings, ["local closed: no time"]);
  assertEquals(log, ["received undefined"]);
});

Deno.test("invalid decides whether a connection goes on after what is no message", async () => {
  const wanted = ["go on", "close"];
  await using virtual = await VirtualServer.start({
    message: (peer, message) => peer.send(message),
    async invalid(peer, error) {
      await turns(1);
      peer.send(error.code);
      if (wanted.shift() === "close") void peer.close("enough");
    },
  });
  using client = await virtual.dial();
  await client.send(BAD_UTF8);
  await client.send(frame("still here"));
  await client.send(BAD_UTF8);
  await client.send(frame("ignored"));
  const answers = [
    ...frame("malformed"),
    ...frame("still here"),
    ...frame("malformed"),
  ];
  assertEquals(await client.receiveAll(), Uint8Array.from(answers));
  client.conn.close();
  await turns();
  assertEquals(virtual.warnings, ["invalid malformed", "invalid malformed"]);
  assertEquals(virtual.endings, ["local closed: enough"]);
  assertEquals(virtual.server.counters.invalid, 2);
});

Deno.test("a connection ends after an error of framing, once invalid has answered it", async () => {
  await using virtual = await VirtualServer.start({
    message: (peer, message) => peer.send(message),
    invalid: (peer, error) => void peer.send(error.code),
  });
  using client = await virtual.dial();
  await client.send(frame("first"));
  await client.send(Uint8Array.of(0, 1, 0, 1, 2, 3));
  assertEquals(
    await client.receiveAll(),
    Uint8Array.from([...frame("first"), ...frame("frame_too_large")]),
  );
  client.conn.close();
  await turns();
  assertEquals(virtual.endings, [
    "limit: Cannot read frame: payload has 65537 bytes, maximum is 65536",
  ]);
});

Deno.test("a connection without invalid ends at the first thing that is no message", async () => {
  await using virtual = await VirtualServer.start({
    message: (peer, message) => peer.send(message),
  });
  using client = await virtual.dial();
  await client.send(BAD_UTF8);
  await client.send(frame("never"));
  assertEquals((await client.receiveAll()).length, 0);
  client.conn.close();
  await turns();
  assertEquals(virtual.warnings, ["invalid malformed"]);
  assertEquals(virtual.endings[0]?.startsWith("limit: Cannot"), true);
});

Deno.test("Peer.readable and Peer.writable make web streams of a connection", async () => {
  const all = Array.from({ length: 50 }, (_, at) => `${at}`.repeat(5000));
  await using virtual = await VirtualServer.start(async (peer) => {
    await peer.readable.pipeTo(peer.writable);
  });
  using client = await virtual.dial();
  const sending = (async () => {
    for (const message of all) await client.send(frame(message));
    await client.closeWrite();
  })();
  for (const message of all) {
    assertEquals(decode(await client.receiveFrame()), message);
  }
  await sending;
  assertEquals((await client.receiveAll()).length, 0);
  client.conn.close();
  await turns();
  assertEquals(virtual.server.peers.size, 0);
});

Deno.test("Peer.address names the peer, with the endpoint's kind where there is no address", async () => {
  const recorder = new Recorder();
  await using server = await serve({
    listen: ["tcp://127.0.0.1:0", "memory:addresses"],
    wire: TEXT_WIRE,
    handler: { message: (peer) => peer.send(peer.address) },
    observe: recorder.observe,
  });
  for (const endpoint of server.endpoints) {
    using client = await RawClient.connect(endpoint);
    await client.send(frame("who am I?"));
    const address = decode(await client.receiveFrame());
    const peer = recorder.of("accepted").at(-1)!.peer;
    assertEquals(peer.address, address);
    assertEquals(peer.endpoint, endpoint);
    const { localAddr } = client.conn;
    assertEquals(
      address,
      "port" in localAddr ? `127.0.0.1:${localAddr.port}` : `memory#${peer.id}`,
    );
  }
  await waitUntil("both gone", () => server.peers.size === 0);
});

Deno.test("a connection counts what passes, and how long handling takes", async () => {
  await using virtual = await VirtualServer.start({
    async message(peer, message) {
      await virtual.clock.advance(7);
      peer.send(message);
    },
    invalid() {},
  });
  using client = await virtual.dial();
  await client.send(frame("hello"));
  await client.receiveFrame();
  await client.send(BAD_UTF8);
  await turns();
  const { counters } = virtual.server;
  assertEquals(
    [counters.messagesIn, counters.messagesOut, counters.invalid],
    [1, 1, 1],
  );
  assertEquals([counters.bytesIn, counters.bytesOut], [9 + 5, 9]);
  assertEquals(counters.handling.count >= 1, true);
  assertEquals(counters.handling.sumMs, 7);
  assertEquals(utf8("hello").length, 5);
});
