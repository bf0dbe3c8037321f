import { connect as connectNode } from "node:net";
import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../src/bytes/random.ts";
import type { Client } from "../../src/client/client.ts";
import { connect } from "../../src/client/connect.ts";
import { inOrder } from "../../src/client/correlation.ts";
import { parseEndpoint } from "../../src/io/endpoint.ts";
import type { HandlerCallbacks } from "../../src/io/handler.ts";
import type { ConnectionLimits } from "../../src/io/limits.ts";
import type { ServerEvent } from "../../src/observe/events.ts";
import { logEvents } from "../../src/observe/log_events.ts";
import { bytes } from "../../src/proto/codec/bytes.ts";
import { json } from "../../src/proto/codec/json.ts";
import { msgpack } from "../../src/proto/codec/msgpack.ts";
import { lines } from "../../src/proto/framing/delimited.ts";
import type { Wire } from "../../src/proto/framing/framing.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { varintPrefixed } from "../../src/proto/framing/varint_prefixed.ts";
import { Group } from "../../src/server/group.ts";
import { serve } from "../../src/server/serve.ts";
import type { Server } from "../../src/server/server.ts";
import { VirtualClock } from "../../src/sim/virtual_clock.ts";
import { Program } from "../support/program.ts";
import { frame, RawClient } from "../support/raw_client.ts";
import { Recorder } from "../support/recorder.ts";
import { utf8 } from "../support/three_ways.ts";
import { stalled, waitUntil, within } from "../support/wait.ts";

const MAX_FRAME_BYTES = 65_536;
const JSON_WIRE = lengthPrefixed(json(), { maxFrameBytes: MAX_FRAME_BYTES });
const BYTES_WIRE = lengthPrefixed(bytes(), { maxFrameBytes: MAX_FRAME_BYTES });
const MSGPACK_WIRE = lengthPrefixed(msgpack(), { maxFrameBytes: 1 << 20 });

/** How much the whole process may grow by what a peer does. */
const MAX_GROWTH_BYTES = 100 << 20;

interface SceneOptions<Value> {
  limits?: ConnectionLimits;
  handler?: Partial<HandlerCallbacks<Value, Value, undefined>>;
}

/** A server, a good client that must be served throughout, and what the log says of the others. */
class Scene<Value> implements AsyncDisposable {
  readonly server: Server<Value, Value>;
  readonly #good: Client<Value>;
  readonly #recorder: Recorder;
  readonly #greeting: Value;
  readonly #rss = Deno.memoryUsage().rss;
  /** What the log says for an operator to see: not who comes and goes. */
  readonly log: string[];

  private constructor(
    server: Server<Value, Value>,
    good: Client<Value>,
    recorder: Recorder,
    greeting: Value,
    log: string[],
  ) {
    this.server = server;
    this.#good = good;
    this.#recorder = recorder;
    this.#greeting = greeting;
    this.log = log;
  }

  static async open<Value>(
    wire: Wire<Value>,
    greeting: Value,
    options: SceneOptions<Value> = {},
  ): Promise<Scene<Value>> {
    const recorder = new Recorder();
    const log: string[] = [];
    const keep = (message: string): unknown => log.push(message);
    recorder.onEvent = logEvents({
      debug() {},
      info() {},
      warn: keep,
      error: keep,
    }, { clock: new VirtualClock() });
    const server = await serve<Value, Value>({
      listen: "tcp://127.0.0.1:0",
      wire,
      handler: {
        message: (peer, message) => void peer.send(message),
        ...options.handler,
      },
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      observe: recorder.observe,
    });
    const good = await connect({
      to: server.endpoint,
      wire,
      correlate: inOrder(),
    });
    const scene = new Scene(server, good, recorder, greeting, log);
    await scene.goesOn();
    return scene;
  }

  /** Asserts that the good client is served, and that memory is bounded. */
  async goesOn(): Promise<void> {
    const answer = this.#good.request(this.#greeting);
    assertEquals(
      await within("the good client's echo", answer),
      this.#greeting,
    );
    const grown = Deno.memoryUsage().rss - this.#rss;
    assert(grown < MAX_GROWTH_BYTES, `memory has grown by ${grown} bytes`);
  }

  /** Lets a client do what it wants, waits for its end, and tells what was observed of it. */
  async watch(
    misbehave: (client: RawClient) => Promise<unknown>,
  ): Promise<string[]> {
    const before = this.#recorder.of("accepted").length;
    using client = await RawClient.connect(this.server.endpoint);
    const { peer } = await this.#recorder.until("accepted", before + 1);
    await misbehave(client);
    client[Symbol.dispose]();
    const about = (event: ServerEvent): boolean =>
      "peer" in event && event.peer.id === peer.id;
    await waitUntil(
      "its end",
      () => this.#recorder.of("closed").some(about),
    );
    await this.goesOn();
    return this.#recorder.events.filter(about).flatMap(describe);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#good.close();
    await this.server.drain();
  }
}

function describe(event: ServerEvent): string[] {
  switch (event.type) {
    case "accepted":
      return [];
    case "limit":
      return [`limit ${event.limit}`];
    case "invalid":
      return [`invalid ${event.error.code}`];
    case "slow":
      // It comes and goes with every large message.
      return [];
    case "closed": {
      const { cause, reason } = event.ending;
      // The reasons of limits are told by their own events.
      return [
        cause === "peer closed" && reason !== undefined
          ? `${cause}: ${reason}`
          : cause,
      ];
    }
    default:
      return [event.type];
  }
}

/** Sends bytes and reads up to the server's end of the connection. */
function sends(...chunks: Uint8Array[]) {
  return async (client: RawClient): Promise<Uint8Array> => {
    for (const chunk of chunks) await client.send(chunk);
    return await client.receiveAll();
  };
}

/** The header of a frame. */
function header(length: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}

Deno.test("random bytes end their connection alone, with one event that says why", async () => {
  const seed = Number(Deno.env.get("PORTOLAN_SEED") ?? Date.now() % 1e6);
  const random = seededRandom(seed);
  const wires = [
    JSON_WIRE,
    MSGPACK_WIRE,
    varintPrefixed(msgpack(), { maxFrameBytes: 1000 }),
    lines(json(), { maxFrameBytes: 1000 }),
  ];
  for (const wire of wires) {
    await using scene = await Scene.open<unknown>(wire, "hello");
    for (let round = 0; round < 10; round++) {
      const noise = Uint8Array.from({ length: 3000 }, () => random() * 256);
      const told = await scene.watch(async (client) => {
        await client.send(noise).catch(() => {});
        await client.closeWrite().catch(() => {});
        await client.receiveAll();
      });
      assertEquals(told.length, 2, `${told} with seed ${seed}`);
      assert(
        /^(limit maxFrameBytes|invalid \w+)$/.test(told[0]!),
        `${told} with seed ${seed}`,
      );
    }
  }
});

Deno.test("a truncated frame is told once, wherever it is cut", async () => {
  await using scene = await Scene.open<unknown>(JSON_WIRE, "hello");
  const whole = frame('"truncated"');
  for (const cut of [1, 3, 4, 5, whole.length - 1]) {
    for (const how of ["close", "half-close"]) {
      const told = await scene.watch(async (client) => {
        await client.send(whole.subarray(0, cut));
        if (how === "close") return;
        await client.closeWrite();
        assertEquals((await client.receiveAll()).length, 0);
      });
      assertEquals(told, [
        "invalid truncated",
        "peer closed: in the middle of a frame",
      ], `${how} after ${cut}`);
    }
  }
});

Deno.test("a length of 0 is a frame like any other", async () => {
  await using raw = await Scene.open(BYTES_WIRE, utf8("hello"));
  assertEquals(
    await raw.watch(async (client) => {
      await client.send(header(0));
      assertEquals(await client.receive(4), header(0));
    }),
    ["peer closed"],
  );
  await using scene = await Scene.open<unknown>(JSON_WIRE, "hello");
  assertEquals(await scene.watch(sends(header(0))), [
    "invalid malformed",
    "limit",
  ]);
  assertEquals(scene.log.length, 1);
});

Deno.test("the largest frame is taken, and a byte more refused by its header", async () => {
  await using scene = await Scene.open(BYTES_WIRE, utf8("hello"));
  assertEquals(
    await scene.watch(async (client) => {
      const largest = frame(new Uint8Array(MAX_FRAME_BYTES));
      await client.send(largest);
      assertEquals((await client.receiveFrame()).length, MAX_FRAME_BYTES);
    }),
    ["peer closed"],
  );
  for (const length of [MAX_FRAME_BYTES + 1, 2 ** 31, 2 ** 32 - 1]) {
    assertEquals(
      await scene.watch(sends(header(length))),
      ["limit maxFrameBytes", "limit"],
    );
  }
  assertEquals(scene.log.length, 3);
  assertEquals(scene.server.counters.invalid, 3);
});

Deno.test("deep nesting is refused in every codec, and the connection may go on", async () => {
  const depth = 100_000;
  const nestedJson = "[".repeat(depth / 2) + "]".repeat(depth / 2);
  const nestedMap = utf8('{"a":'.repeat(5000) + "1" + "}".repeat(5000));
  const cases: [Wire<unknown>, Uint8Array][] = [
    [lengthPrefixed(json()), utf8(nestedJson)],
    [lengthPrefixed(json()), nestedMap],
    [MSGPACK_WIRE, new Uint8Array(72 << 10).fill(0x91)],
    [MSGPACK_WIRE, new Uint8Array(72 << 10).fill(0x81)],
  ];
  for (const [wire, bomb] of cases) {
    for (const tolerant of [false, true]) {
      const codes: string[] = [];
      await using scene = await Scene.open<unknown>(wire, "hello", {
        handler: tolerant
          ? { invalid: (_peer, { code }) => void codes.push(code) }
          : {},
      });
      const echo = Uint8Array.from([0xa2, 0x68, 0x69]);
      const told = await scene.watch(async (client) => {
        await client.send(frame(bomb));
        if (!tolerant) return await client.receiveAll();
        // It is still in step.
        await client.send(frame(wire === MSGPACK_WIRE ? echo : '"hi"'));
        return await client.receiveFrame();
      });
      assert(
        /^invalid (too_complex|malformed)$/.test(told[0]!),
        `${told}`,
      );
      assertEquals(told.slice(1), [tolerant ? "peer closed" : "limit"]);
      assertEquals(scene.log.length, 1);
      assertEquals(codes.length, tolerant ? 1 : 0);
    }
  }
});

Deno.test("a small frame that describes a huge value is refused before memory is taken", async () => {
  const million = [0xdd, 0x00, 0x0f, 0x42, 0x40];
  const bombs: number[][] = [
    Array.from({ length: 2048 }, () => million).flat(),
    [0xdd, 0xff, 0xff, 0xff, 0xff],
    [0xdf, 0xff, 0xff, 0xff, 0xff],
    [0xc6, 0xff, 0xff, 0xff, 0xff],
    [0xdb, 0xff, 0xff, 0xff, 0xff],
  ];
  await using scene = await Scene.open<unknown>(MSGPACK_WIRE, "hello");
  for (const bomb of bombs) {
    const told = await scene.watch(sends(frame(Uint8Array.from(bomb))));
    assert(/^invalid (too_complex|malformed)$/.test(told[0]!), `${told}`);
    assertEquals(told.slice(1), ["limit"]);
  }
});

Deno.test("a peer that sends a byte now and then is cut off by frameMs", async () => {
  await using scene = await Scene.open<unknown>(JSON_WIRE, "hello", {
    limits: { frameMs: 200, idleMs: 60_000 },
  });
  const told = await scene.watch(async (client) => {
    await client.send(frame('"well"'));
    await client.receiveFrame();
    const drip = frame('"slowly"'.padEnd(1000));
    let open = true;
    const end = client.receiveAll().then(() => open = false);
    for (let at = 0; open; at++) {
      await client.send(drip.subarray(at, at + 1)).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 10));
      assert(at < 900, "it is never cut off");
    }
    await end;
  });
  assertEquals(told, ["limit frameMs", "timed out"]);
  assertEquals(scene.log.length, 1);
});

Deno.test("a peer that says nothing is cut off by firstMessageMs", async () => {
  await using scene = await Scene.open<unknown>(JSON_WIRE, "hello", {
    limits: { firstMessageMs: 100 },
  });
  assertEquals(
    await scene.watch(sends()),
    ["limit firstMessageMs", "timed out"],
  );
  assertEquals(
    await scene.watch(sends(header(8))),
    ["limit firstMessageMs", "timed out"],
  );
  assertEquals(scene.log.length, 2);
});

Deno.test("a reset ends its connection alone, and is told once", async () => {
  for (const midFrame of [false, true]) {
    const recorder = new Recorder();
    await using server = await serve({
      listen: "tcp://127.0.0.1:0",
      wire: JSON_WIRE,
      handler: { message: (peer, message) => peer.send(message) },
      observe: recorder.observe,
    });
    const { port } = parseEndpoint(server.endpoint) as { port: number };
    const socket = connectNode(port, "127.0.0.1");
    await new Promise<void>((resolve) => socket.once("connect", resolve));
    socket.write(frame('"hello"'));
    await new Promise((resolve) => socket.once("data", resolve));
    if (midFrame) {
      socket.write(frame('"hello"').subarray(0, 6));
      await waitUntil("the bytes", () => server.counters.bytesIn === 11 + 6);
    }
    socket.resetAndDestroy();
    const { ending } = await recorder.until("closed");
    assertEquals([ending.cause, ending.reason], ["peer closed", "reset"]);
    assertEquals(recorder.warnings, []);
    assertEquals(server.peers.size, 0);
  }
});

Deno.test("many resets at once leave nothing behind", async () => {
  await using scene = await Scene.open<unknown>(JSON_WIRE, "hello");
  const { port } = parseEndpoint(scene.server.endpoint) as { port: number };
  const count = 2000;
  for (let done = 0; done < count; done += 50) {
    await Promise.all(Array.from({ length: 50 }, async (_, at) => {
      const socket = connectNode(port, "127.0.0.1");
      await new Promise<void>((resolve) => socket.once("connect", resolve));
      if (at % 2 === 0) socket.write(frame('"hello"').subarray(0, at % 11));
      socket.resetAndDestroy();
    }));
    await scene.goesOn();
  }
  // The kernel forgets those that were reset before they were accepted.
  const { counters, peers } = scene.server;
  await waitUntil("all gone", () => peers.size === 1);
  assertEquals(counters.accepted - counters.closed, 1);
  assertEquals(scene.log, []);
});

Deno.test("a peer that closes its sending direction gets its answers", async () => {
  await using scene = await Scene.open<unknown>(JSON_WIRE, "hello");
  const told = await scene.watch(async (client) => {
    for (let i = 0; i < 100; i++) await client.send(frame(`${i}`));
    await client.closeWrite();
    const expected = Array.from({ length: 100 }, (_, i) => [...frame(`${i}`)]);
    assertEquals(await client.receiveAll(), Uint8Array.from(expected.flat()));
  });
  assertEquals(told, ["peer closed"]);
});

Deno.test("a reader that never reads is cut off by writeMs, and costs no memory", async () => {
  await using scene = await Scene.open(BYTES_WIRE, utf8("hello"), {
    limits: { writeMs: 300 },
  });
  let sent = 0;
  const told = await scene.watch(async (client) => {
    const block = frame(new Uint8Array(MAX_FRAME_BYTES));
    const sending = (async () => {
      for (; sent < 2000; sent++) await client.send(block);
    })();
    await stalled(() => sent);
    await scene.goesOn();
    const [, greedy] = scene.server.peers;
    assert(greedy!.bufferedBytes <= 64 * 1024 + 2 * block.length);
    await sending.catch(() => {});
  });
  assert(sent < 2000, "it was never made to wait");
  assertEquals(told, ["limit writeMs", "timed out"]);
  assertEquals(scene.log.length, 1);
});

Deno.test("a sender that does not wait for a slow peer loses it at maxBufferedBytes", async () => {
  await using scene = await Scene.open<unknown>(JSON_WIRE, "hello", {
    limits: { maxBufferedBytes: 1 << 20 },
    handler: {
      async message(peer, message) {
        if (message !== "flood") return void peer.send(message);
        while (peer.ending === undefined) {
          for (let i = 0; i < 10; i++) peer.send("x".repeat(60_000));
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
      },
    },
  });
  const told = await scene.watch(async (client) => {
    await client.send(frame('"flood"'));
    await waitUntil("its end", () => scene.server.peers.size === 1);
  });
  assertEquals(told, ["limit maxBufferedBytes", "limit"]);
  assertEquals(scene.log.length, 1);
});

Deno.test("a stopped process is a slow reader, and goes on when it goes on", async () => {
  const group = new Group<unknown>({ maxWaitingBytes: 1 << 20 });
  await using scene = await Scene.open<unknown>(JSON_WIRE, "hello", {
    handler: { open: (peer) => group.add(peer) as undefined },
  });
  const [good] = scene.server.peers;
  group.delete(good!);
  await using program = Program.start([
    Deno.execPath(),
    "run",
    "--no-prompt",
    "--allow-net=127.0.0.1",
    new URL("../support/programs/reader.ts", import.meta.url).pathname,
    scene.server.endpoint,
  ]);
  await program.prints("connected");
  await waitUntil("the member", () => group.size === 1);
  program.kill("SIGSTOP");
  const { counters } = scene.server;
  const message = "x".repeat(60_000);
  for (let told = 0; counters.skipped === 0 && !group.isSlow; told++) {
    group.broadcast(message);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert(told < 2000, "it takes everything");
  }
  for (let told = 0; told < 100; told++) group.broadcast(message);
  await scene.goesOn();
  assertEquals(group.isSlow, true);
  program.kill("SIGCONT");
  await within("the group", group.drained());
  assert(counters.skipped > 0);
  assertEquals(scene.log.length, 1, `${scene.log}`);
  await scene.goesOn();
});
