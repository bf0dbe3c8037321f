import { assert, assertEquals } from "@std/assert";
import { connect } from "../../src/client/connect.ts";
import { text } from "../../src/proto/codec/text.ts";
import { lines } from "../../src/proto/framing/delimited.ts";
import { serve } from "../../src/server/serve.ts";
import { drawInt, simulationTest } from "../support/seeds.ts";
import { Recorder } from "../support/recorder.ts";

const WIRE = lines(text());

simulationTest(
  "a server finds half-open connections by their silence",
  async (network) => {
    const { clock, random } = network;
    const idleMs = drawInt(network, 1000, 60_000);
    const recorder = new Recorder();
    await serve({
      ...network.host("server"),
      listen: "tcp://0.0.0.0:9999",
      wire: WIRE,
      handler: { message: (peer, line) => peer.send(line) },
      limits: { idleMs },
      observe: recorder.observe,
    });
    const client = await connect({
      ...network.host("client"),
      to: "tcp://server:9999",
      wire: WIRE,
    });
    while (recorder.of("accepted").length === 0) await clock.sleep(1);
    for (let beats = drawInt(network, 0, 5); beats > 0; beats--) {
      client.send("still here");
      await clock.sleep(random() * idleMs * 0.9);
    }
    assertEquals(recorder.of("closed"), [], "it lives while it speaks");
    const lostMs = clock.now();
    if (random() < 0.5) network.host("client").crash();
    else network.partition("client", "server");
    while (recorder.of("closed").length === 0) await clock.sleep(100);
    const { ending } = recorder.of("closed")[0]!;
    assertEquals(ending.cause, "timed out");
    const lingerMs = 2000;
    assert(clock.now() - lostMs <= idleMs + lingerMs + 100);
  },
);

simulationTest(
  "a sender finds half-open connections by writes that do not progress",
  async (network) => {
    const { clock, random } = network;
    const writeMs = drawInt(network, 1000, 30_000);
    const recorder = new Recorder();
    const block = "x".repeat(10_000);
    await serve({
      ...network.host("server"),
      listen: "tcp://0.0.0.0:9999",
      wire: WIRE,
      // A stream of news to clients that say nothing.
      handler: async (peer) => {
        while (peer.ending === undefined) {
          if (!peer.send(block)) await peer.drained().catch(() => {});
          await network.clock.sleep(20);
        }
      },
      limits: { writeMs, idleMs: Infinity, firstMessageMs: Infinity },
      observe: recorder.observe,
    });
    let received = 0;
    await connect({
      ...network.host("client"),
      to: "tcp://server:9999",
      wire: WIRE,
      message: () => received++,
    });
    await clock.sleep(1000 + random() * 1000);
    assert(received > 10, `${received} were received`);
    assertEquals(recorder.of("closed"), []);
    const lostMs = clock.now();
    const fate = random();
    if (fate < 0.33) network.host("client").crash();
    else if (fate < 0.66) network.partition("client", "server");
    else network.host("client").readBytesPerSecond = 0;
    while (recorder.of("closed").length === 0) await clock.sleep(100);
    const { ending } = recorder.of("closed")[0]!;
    assertEquals(ending.cause, "timed out");
    assertEquals(ending.reason, `no write progress for ${writeMs} ms`);
    const fillMs = 1000;
    const tookMs = clock.now() - lostMs;
    assert(tookMs <= writeMs + fillMs, `${tookMs} ms, ${writeMs} allowed`);
  },
);

simulationTest(
  "a slow reader that goes on reading is not cut off",
  async (network) => {
    const { clock } = network;
    const recorder = new Recorder();
    const count = 20;
    await serve({
      ...network.host("server"),
      listen: "tcp://0.0.0.0:9999",
      wire: WIRE,
      handler: async (peer) => {
        for (let number = 0; number < count; number++) {
          if (!peer.send("x".repeat(10_000))) await peer.drained();
        }
      },
      limits: { writeMs: 3000, lingerMs: 100_000 },
      observe: recorder.observe,
    });
    network.host("client").readBytesPerSecond = drawInt(network, 5000, 50_000);
    const client = await connect({
      ...network.host("client"),
      to: "tcp://server:9999",
      wire: WIRE,
    });
    let received = 0;
    for await (const _ of client) received++;
    assertEquals(received, count);
    assertEquals(recorder.of("limit"), []);
    await clock.sleep(10_000);
    assertEquals(recorder.of("closed")[0]?.ending.cause, "local closed");
  },
);
