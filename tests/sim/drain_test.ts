import { assert, assertEquals } from "@std/assert";
import type { Client } from "../../src/client/client.ts";
import { connect } from "../../src/client/connect.ts";
import { byKey } from "../../src/client/correlation.ts";
import { json } from "../../src/proto/codec/json.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { serve } from "../../src/server/serve.ts";
import { drawInt, simulationTest } from "../support/seeds.ts";

interface Message {
  id: string;
  padding: string;
}

const WIRE = lengthPrefixed(json<Message>());

simulationTest(
  "a drain answers all that was accepted, and ends in time",
  async (network) => {
    const { clock, random } = network;
    const handled = new Set<string>();
    const host = network.host("server");
    const server = await serve({
      ...host,
      listen: "tcp://0.0.0.0:9999",
      wire: WIRE,
      handler: {
        async message(peer, { id, padding }) {
          handled.add(id);
          await clock.sleep(host.random() * 20);
          peer.send({ id, padding });
        },
      },
    });
    const answered = new Set<string>();
    const clients = await Promise.all(
      Array.from({ length: drawInt(network, 1, 8) }, async (_, number) => {
        const name = `client${number}`;
        network.link(name, "server", {
          latencyMs: random() * 80,
          jitterMs: random() * 80,
          lossRate: random() * 0.03,
        });
        const client = await connect({
          ...network.host(name),
          to: "tcp://server:9999",
          wire: WIRE,
          correlate: byKey("id"),
          // What is late is delivered all the same: nothing but the drain ends these connections.
          limits: { lingerMs: 60_000 },
        });
        return [name, client] as const;
      }),
    );
    const talk = async (name: string, client: Client<Message>) => {
      for (let number = 0; client.ending === undefined; number++) {
        const id = `${name} ${number}`;
        const padding = "x".repeat(drawInt(network, 0, 2000));
        client.request({ id, padding }).then(
          () => answered.add(id),
          () => {},
        );
        await clock.sleep(random() * 60);
      }
    };
    const talking = clients.map(([name, client]) => talk(name, client));
    await clock.sleep(random() * 3000);
    const startMs = clock.now();
    await server.drain({ deadlineMs: 60_000 });
    const tookMs = clock.now() - startMs;
    assert(tookMs < 10_000, `the drain took ${tookMs} ms`);
    assertEquals(server.status, "stopped");
    assertEquals(server.peers.size, 0);
    await Promise.all(talking);
    await Promise.all(clients.map(([, client]) => client.closed));
    const lost = [...handled].filter((id) => !answered.has(id));
    assertEquals(lost, [], `${handled.size} were accepted`);
  },
);

simulationTest(
  "a drain does not wait longer than its deadline for those who are gone",
  async (network) => {
    const { clock, random } = network;
    const server = await serve({
      ...network.host("server"),
      listen: "tcp://0.0.0.0:9999",
      wire: WIRE,
      handler: { message: (peer, message) => peer.send(message) },
      limits: { lingerMs: 60_000 },
    });
    for (let number = 0; number < 4; number++) {
      const name = `client${number}`;
      const client = await connect({
        ...network.host(name),
        to: "tcp://server:9999",
        wire: WIRE,
      });
      client.send({ id: name, padding: "x".repeat(10_000) });
      const fate = random();
      if (fate < 0.3) network.host(name).crash();
      else if (fate < 0.6) network.partition(name, "server");
      else if (fate < 0.8) network.host(name).readBytesPerSecond = 0;
    }
    await clock.sleep(random() * 100);
    const startMs = clock.now();
    const deadlineMs = drawInt(network, 1, 20_000);
    await server.drain({ deadlineMs });
    assert(clock.now() - startMs <= deadlineMs + 1);
    assertEquals(server.peers.size, 0);
  },
);
