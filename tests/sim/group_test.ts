import { assert, assertEquals } from "@std/assert";
import { connect } from "../../src/client/connect.ts";
import { json } from "../../src/proto/codec/json.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { Group, type SlowMemberPolicy } from "../../src/server/group.ts";
import { serve } from "../../src/server/serve.ts";
import { drawInt, simulationTest } from "../support/seeds.ts";

interface News {
  number?: number;
  missed?: number;
  padding?: string;
}

const WIRE = lengthPrefixed(json<News>());
const COUNT = 300;

simulationTest(
  "a group tells its slow members how much they missed, and does not hold up the others",
  async (network) => {
    const { clock, random } = network;
    const policies: SlowMemberPolicy[] = ["drop oldest", "drop newest", "wait"];
    const slow = policies[drawInt(network, 0, 2)]!;
    const room = new Group<News>({
      slow,
      maxWaitingBytes: slow === "wait" ? 10_000_000 : 50_000,
      gap: (missed) => ({ missed }),
    });
    await serve({
      ...network.host("server"),
      listen: "tcp://0.0.0.0:9999",
      wire: WIRE,
      handler: { open: (peer) => room.add(peer), message() {} },
      limits: { writeMs: 60_000 },
    });
    const received = new Map<string, { news: News; atMs: number }[]>();
    const names = ["fast", "slow", "hanging", "far"];
    network.host("slow").readBytesPerSecond = drawInt(network, 50_000, 200_000);
    network.link("far", "server", { latencyMs: 200, jitterMs: 300 });
    for (const name of names) {
      const list: { news: News; atMs: number }[] = [];
      received.set(name, list);
      await connect({
        ...network.host(name),
        to: "tcp://server:9999",
        wire: WIRE,
        message: (news) => void list.push({ news, atMs: clock.now() }),
      });
    }
    while (room.size < names.length) await clock.sleep(1);
    network.host("hanging").readBytesPerSecond = 0;
    const sentMs: number[] = [];
    for (let number = 0; number < COUNT; number++) {
      sentMs.push(clock.now());
      const padding = "x".repeat(2000 + random() * 2000);
      room.broadcast({ number, padding });
      await clock.sleep(1);
    }
    await clock.sleep(1000);
    network.host("hanging").readBytesPerSecond = Infinity;
    await clock.sleep(59_000);
    for (const [name, list] of received) {
      const numbers = list.flatMap(({ news }) => news.number ?? []);
      const missed = list.reduce(
        (sum, { news }) => sum + (news.missed ?? 0),
        0,
      );
      const told = `${name}, ${slow}: ${numbers.length} and ${missed} missed`;
      assertEquals(numbers.length + missed, COUNT, told);
      assertEquals(numbers, numbers.toSorted((a, b) => a - b), told);
      if (name === "fast" || slow === "wait") assertEquals(missed, 0, told);
      if (name === "hanging" && slow !== "wait") assert(missed > 0, told);
    }
    for (const { news, atMs } of received.get("fast")!) {
      assert(atMs - sentMs[news.number!]! <= 2, "nobody holds up the fast");
    }
  },
  { seeds: 60 },
);
