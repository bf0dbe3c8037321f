import { assert, assertEquals } from "@std/assert";
import { byKey } from "../../src/client/correlation.ts";
import { keepConnected } from "../../src/client/persistent.ts";
import { json } from "../../src/proto/codec/json.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { Group } from "../../src/server/group.ts";
import { serve } from "../../src/server/serve.ts";
import { formatNetworkEvent } from "../../src/sim/network_event.ts";
import { simulate } from "../../src/sim/simulate.ts";
import { badLink, drawInt } from "../support/seeds.ts";

interface Message {
  id?: string;
  text: string;
}

/** A server with a room, clients that stay, and a network that fails: all that its observer was told. */
async function trace(seed: number): Promise<string> {
  const events: string[] = [];
  await simulate({
    seeds: 1,
    firstSeed: seed,
    observe: (event) => events.push(formatNetworkEvent(event)),
  }, async (network) => {
    const { clock, random } = network;
    const wire = lengthPrefixed(json<Message>());
    const start = async () => {
      const room = new Group<Message>();
      await serve({
        ...network.host("server"),
        listen: "tcp://0.0.0.0:9999",
        wire,
        handler: {
          open: (peer) => room.add(peer),
          message(peer, { id, text }) {
            room.broadcast({ text }, { except: peer });
            if (id !== undefined) peer.send({ id, text });
          },
        },
        limits: { idleMs: 5000 },
      });
    };
    await start();
    let beats = 0;
    const talking = Array.from({ length: 4 }, async (_, at) => {
      const name = `client${at}`;
      badLink(network, name, "server");
      const client = await keepConnected<Message>({
        ...network.host(name),
        to: "tcp://server:9999",
        wire,
        correlate: byKey("id"),
        message: () => {},
        heartbeat: {
          everyMs: 1000,
          message: () => ({ id: `beat ${++beats}`, text: "" }),
        },
      });
      for (let number = 0; number < 20; number++) {
        const id = `${name} ${number}`;
        const text = "x".repeat(drawInt(network, 0, 3000));
        await client.request({ id, text }, { replay: true, timeoutMs: 1e6 });
        await clock.sleep(random() * 500);
      }
    });
    void (async () => {
      for (;;) {
        await clock.sleep(random() * 3000);
        network.host("server").kill();
        await start();
        network.partition(`client${drawInt(network, 0, 3)}`, "server");
        await clock.sleep(random() * 3000);
        network.heal();
      }
    })();
    await Promise.all(talking);
  });
  return events.join("\n");
}

Deno.test("a whole system repeats itself from the same seed, to the last packet", async () => {
  const traces = new Set<string>();
  for (let seed = 1; seed <= 10; seed++) {
    const first = await trace(seed);
    assert(first.split("\n").length > 200, `seed ${seed}:\n${first}`);
    assertEquals(first, await trace(seed), `seed ${seed}`);
    traces.add(first);
  }
  assertEquals(traces.size, 10, "different seeds differ");
});
