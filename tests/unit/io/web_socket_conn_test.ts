import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Conn } from "../../../src/io/transport.ts";
import { WebSocketConn } from "../../../src/io/web_socket/conn.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { WebSocketFraming } from "../../../src/proto/web_socket/framing.ts";
import { hex, utf8 } from "../../support/three_ways.ts";
import { turns } from "../../support/wait.ts";

/** The road below: takes a few bytes at a time, and reads what it is told to. */
class Below implements Conn {
  readonly localAddr: Deno.Addr = { transport: "unix", path: "" };
  readonly remoteAddr = this.localAddr;
  written: number[] = [];
  most = Infinity;
  isClosed = false;
  ended = false;
  #reading: PromiseWithResolvers<number | null> | undefined;

  read(): Promise<number | null> {
    this.#reading = Promise.withResolvers();
    return this.#reading.promise;
  }

  /** Ends the read that is waiting, with `count` bytes that do not matter. */
  wake(count: number | null): void {
    this.#reading?.resolve(count);
  }

  write(bytes: Uint8Array): Promise<number> {
    const taken = bytes.subarray(0, this.most);
    this.written.push(...taken);
    return Promise.resolve(taken.length);
  }

  closeWrite(): Promise<void> {
    this.ended = true;
    return Promise.resolve();
  }

  close(): void {
    this.isClosed = true;
    this.#reading?.reject(new Deno.errors.BadResource("closed"));
  }

  take(): string {
    return Uint8Array.from(this.written.splice(0)).toHex();
  }
}

function connOver(inner: Conn, pingMs = Infinity) {
  const clock = new VirtualClock();
  const conn = new WebSocketConn({
    inner,
    rest: new Uint8Array(0),
    framing: new WebSocketFraming({ text: true, maxFrameBytes: 1000 }),
    mask: undefined,
    protocol: undefined,
    pingMs,
    controlFramesPerSecond: 100,
    clock,
  });
  return { conn, clock };
}

Deno.test("WebSocketConn never puts a Pong into a message", async () => {
  const below = new Below();
  const { conn } = connOver(below);
  const message = hex("8105 68656c6c6f");
  below.most = 3;
  assertEquals(await conn.write(message), 3);
  conn.ping(utf8("?"));
  void conn.read(new Uint8Array(8));
  await turns();
  assertEquals(below.take(), "810568");
  below.most = Infinity;
  assertEquals(await conn.write(message.subarray(3)), 4);
  await turns();
  assertEquals(below.take(), "656c6c6f" + "8a013f");
});

Deno.test("WebSocketConn answers pings before the message that follows", async () => {
  const below = new Below();
  const { conn } = connOver(below);
  conn.ping(utf8("a"));
  conn.ping(utf8("b"));
  await conn.write(hex("8100"));
  assertEquals(below.take(), "8a0161" + "8a0162" + "8100");
});

Deno.test("WebSocketConn answers the latest of many pings", async () => {
  const below = new Below();
  const { conn } = connOver(below);
  for (let ping = 0; ping < 40; ping++) conn.ping(Uint8Array.of(ping));
  void conn.read(new Uint8Array(8));
  await turns();
  const expected = Array.from({ length: 16 }, (_, at) => [0x8a, 1, 24 + at]);
  assertEquals(below.take(), Uint8Array.from(expected.flat()).toHex());
});

Deno.test("WebSocketConn pings, and gives up on a peer that is silent", async () => {
  const below = new Below();
  const { conn, clock } = connOver(below, 1000);
  const reading = conn.read(new Uint8Array(8));
  await clock.advance(1000);
  await turns();
  assertEquals(below.take(), "8900");
  below.wake(2);
  assertEquals(await reading, 2);
  // Nobody listens: silence is not the peer's.
  await clock.advance(3000);
  await turns();
  assertEquals([below.isClosed, below.take().slice(0, 4)], [false, "8900"]);
  const rejected = assertRejects(
    () => conn.read(new Uint8Array(8)),
    Deno.errors.TimedOut,
    "no answer to a ping for 1000 ms",
  );
  await clock.advance(2000);
  await rejected;
  assert(below.isClosed);
});

Deno.test("WebSocketConn.closeWrite() says Close once, and ends a stream that is out of step", async () => {
  const below = new Below();
  const { conn } = connOver(below);
  await conn.closeWrite({ cause: "shut down" });
  await conn.closeWrite({ cause: "failed" });
  assertEquals([below.take(), below.ended], ["880203e9", false]);

  const broken = connOver(below).conn;
  const { deframer } = broken.framed;
  try {
    deframer.next(hex("f1 80"), 0, 2);
  } catch (error) {
    await broken.closeWrite({ cause: "limit", error });
  }
  assertEquals([below.take(), below.ended], ["880203ea", true]);
});
