import { assertEquals } from "@std/assert";
import { connect } from "../../src/client/connect.ts";
import { inOrder } from "../../src/client/correlation.ts";
import { text } from "../../src/proto/codec/text.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { serve } from "../../src/server/serve.ts";
import type { Ending } from "../../src/io/peer.ts";
import { drawInt, simulationTest } from "../support/seeds.ts";

const WIRE = lengthPrefixed(text());

simulationTest(
  "WebSockets keep every message on bad roads, and notice one that is gone",
  async (network) => {
    const { clock, random } = network;
    const endings: Ending[] = [];
    const server = await serve({
      ...network.host("server"),
      listen: "ws://0.0.0.0:80/sea",
      wire: WIRE,
      webSocket: { compress: random() < 0.5, pingMs: 5000 },
      handler: {
        message: (peer, line) => peer.send(line),
        close: (_peer, ending) => void endings.push(ending),
      },
    });
    network.link("client", "server", {
      latencyMs: random() * 80,
      jitterMs: random() * 80,
      lossRate: random() * 0.03,
    });
    const client = await connect({
      ...network.host("client"),
      to: "ws://server:80/sea",
      wire: WIRE,
      correlate: inOrder(),
      webSocket: { compress: random() < 0.5 },
    });
    const lines = Array.from(
      { length: drawInt(network, 1, 50) },
      () => "x".repeat(drawInt(network, 0, 5000)),
    );
    const answers = lines.map((line) =>
      client.request(line, { timeoutMs: 600_000 })
    );
    assertEquals(await Promise.all(answers), lines);
    // Longer than the limits of silence: Pings keep it alive.
    await clock.sleep(700_000);
    assertEquals([endings, client.ending], [[], undefined]);
    network.partition("client", "server");
    await clock.sleep(15_000);
    assertEquals(endings.map(({ cause }) => cause), ["timed out"]);
    await server.close();
    client.abort();
  },
);
