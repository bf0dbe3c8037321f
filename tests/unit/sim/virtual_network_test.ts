import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  formatNetworkEvent,
  type NetworkEvent,
} from "../../../src/sim/network_event.ts";
import { simulate } from "../../../src/sim/simulate.ts";
import { VirtualNetwork } from "../../../src/sim/virtual_network.ts";
import {
  inTime,
  listenOn,
  readSome,
  virtualPair,
  writeAll,
} from "../../support/virtual_pair.ts";

Deno.test("VirtualNetwork.link() gives each pair of hosts its own", async () => {
  const network = new VirtualNetwork({ link: { latencyMs: 3 } });
  network.link("client", "server", { bytesPerSecond: 100_000 });
  await inTime(network, async () => {
    const [client, server] = await virtualPair(network);
    const startMs = network.clock.now();
    await writeAll(client, new Uint8Array(50_000));
    for (let count = 0; count < 50_000;) {
      count += (await readSome(server))!.length;
    }
    assertEquals(network.clock.now() - startMs, 503);
    network.link("server", "client", { latencyMs: 700 });
    await client.write(Uint8Array.of(1));
    await readSome(server);
    assertEquals(network.clock.now() - startMs, 1203);
  });
});

Deno.test("VirtualNetwork.link() resets connections after a random life", async () => {
  const lives: number[] = [];
  await simulate(
    { seeds: 200, link: { meanLifetimeMs: 1000 }, limitMs: 1e6 },
    async (network) => {
      const [client] = await virtualPair(network);
      const startMs = network.clock.now();
      await assertRejects(() => readSome(client), Deno.errors.ConnectionReset);
      lives.push(network.clock.now() - startMs);
    },
  );
  const mean = lives.reduce((sum, ms) => sum + ms) / lives.length;
  assert(mean > 800 && mean < 1200, `${mean} ms`);
});

Deno.test("VirtualNetwork.partition() separates groups, and heal() joins them", async () => {
  const network = new VirtualNetwork();
  const names = ["a", "b", "c"];
  for (const name of names) {
    await listenOn(network.host(name), `tcp://${name}:1`);
  }
  /** Who reaches whom within a second. */
  const reach = async (): Promise<string> => {
    const found: string[] = [];
    for (const from of names) {
      for (const to of names) {
        const conn = network.host(from).transports.tcp.connect(
          { scheme: "tcp", hostname: to, port: 1 },
          { signal: await deadline(500) },
        );
        await conn.then(() => found.push(from + to), () => {});
      }
    }
    return found.join(" ");
  };
  const deadline = (ms: number): Promise<AbortSignal> => {
    const controller = new AbortController();
    void network.clock.sleep(ms).then(() => controller.abort());
    return Promise.resolve(controller.signal);
  };
  await inTime(network, async () => {
    assertEquals(await reach(), "aa ab ac ba bb bc ca cb cc");
    network.partition("a", "b");
    assertEquals(await reach(), "aa ac bb bc ca cb cc");
    network.partition("c");
    assertEquals(await reach(), "aa bb cc");
    network.heal("b", ["a", "c"]);
    assertEquals(await reach(), "aa ab ba bb bc cb cc");
    network.heal();
    assertEquals(await reach(), "aa ab ac ba bb bc ca cb cc");
    network.partition(["a", "b"], ["c"]);
    assertEquals(await reach(), "aa ab ba bb cc");
  });
});

/** Two hosts that talk over a bad link, and what was seen of it. */
async function trace(seed: number): Promise<string[]> {
  const lines: string[] = [];
  const network = new VirtualNetwork({
    seed,
    link: { latencyMs: 5, jitterMs: 20, lossRate: 0.05, meanLifetimeMs: 3000 },
    observe: (event) => lines.push(formatNetworkEvent(event)),
  });
  await inTime(network, async () => {
    for (let round = 0; round < 5; round++) {
      const [client, server] = await virtualPair(network);
      const talk = async () => {
        for (;;) {
          const size = 1 + network.random() * 5000;
          await writeAll(client, new Uint8Array(size));
          if (await readSome(server) === null) return;
          await network.clock.sleep(network.random() * 100);
        }
      };
      await talk().catch(() => {});
      server.close();
      if (network.random() < 0.5) network.host("server").crash();
      network.host("server").restart();
    }
  });
  return lines;
}

Deno.test("VirtualNetwork repeats itself from the same seed, to the last event", async () => {
  const traces = new Set<string>();
  for (let seed = 1; seed <= 10; seed++) {
    const first = await trace(seed);
    assert(first.length > 100, `seed ${seed}: ${first.length} events`);
    assertEquals(first, await trace(seed), `seed ${seed}`);
    traces.add(first.join("\n"));
  }
  assertEquals(traces.size, 10, "different seeds differ");
});

Deno.test("VirtualNetwork tells its observer what happens", async () => {
  const events: NetworkEvent[] = [];
  const network = new VirtualNetwork({
    observe: (event) => events.push(event),
  });
  await inTime(network, async () => {
    const [client, server] = await virtualPair(network);
    await client.write(new Uint8Array(21));
    await readSome(server);
    client.close();
    await readSome(server);
    network.partition("client");
    network.heal();
    network.host("server").kill();
    network.host("server").crash();
    network.host("server").restart();
  });
  assertEquals(events.map(formatNetworkEvent), [
    "1002 client:49153 > server:49152 connected",
    "1004 client:49153 > server:49152 delivered 21",
    "1005 client:49153 > server:49152 ended",
    "1005 client > server partitioned",
    "1005 server > client healed",
    "1005 server killed",
    "1005 server crashed",
    "1005 server restarted",
  ]);
});
