import { assert, assertEquals } from "@std/assert";
import { byKey } from "../../src/client/correlation.ts";
import {
  keepConnected,
  type KeepConnectedOptions,
  type PersistentClient,
} from "../../src/client/persistent.ts";
import { json } from "../../src/proto/codec/json.ts";
import { lengthPrefixed } from "../../src/proto/framing/length_prefixed.ts";
import { serve } from "../../src/server/serve.ts";
import type { Server } from "../../src/server/server.ts";
import type { VirtualNetwork } from "../../src/sim/virtual_network.ts";
import { badLink, drawInt, simulationTest } from "../support/seeds.ts";

interface ToServer {
  id: string;
  type: "login" | "ping" | "add";
}

interface ToClient {
  id?: string;
  total?: number;
  comeBackInMs?: number;
}

const TO = "tcp://server:9999";

/** What outlives the server's crashes: the answers by key, and the sum that requests add to. */
interface Store {
  total: number;
  answers: Map<string, ToClient>;
}

function start(
  network: VirtualNetwork,
  store: Store = { total: 0, answers: new Map() },
): Promise<Server<ToServer, ToClient, { known: boolean }>> {
  return serve<ToServer, ToClient, { known: boolean }>({
    ...network.host("server"),
    listen: "tcp://0.0.0.0:9999",
    wire: lengthPrefixed(json<ToServer, ToClient>()),
    handler: {
      open: () => ({ known: false }),
      message(peer, { id, type }) {
        if (type === "login") peer.state.known = true;
        assert(peer.state.known, `${type} came before the login`);
        if (type !== "add") return peer.send({ id });
        let answer = store.answers.get(id);
        if (answer === undefined) {
          answer = { id, total: ++store.total };
          store.answers.set(id, answer);
        }
        peer.send(answer);
      },
      drain: (peer, { comeBackInMs }) => peer.send({ comeBackInMs }),
    },
    limits: { idleMs: 20_000, lingerMs: 500 },
  });
}

function stay(
  network: VirtualNetwork,
  name: string,
  options: Partial<KeepConnectedOptions<ToClient, ToServer>> = {},
): Promise<PersistentClient<ToClient, ToServer>> {
  let pings = 0;
  let logins = 0;
  return keepConnected<ToClient, ToServer>({
    ...network.host(name),
    to: TO,
    wire: lengthPrefixed(json<ToClient, ToServer>()),
    correlate: byKey("id"),
    message: () => {},
    timeoutMs: 2000,
    session: (client) =>
      client.request(
        { id: `login ${++logins}`, type: "login" },
        { timeoutMs: 3000 },
      ),
    heartbeat: {
      everyMs: 2000,
      message: () => ({ id: `ping ${++pings}`, type: "ping" }),
    },
    comeBackInMs: (message) => message.comeBackInMs,
    ...options,
  });
}

simulationTest(
  "requests with a key are carried out and answered once, whatever happens to the server",
  async (network) => {
    const { clock, random } = network;
    const host = network.host("server");
    const store: Store = { total: 0, answers: new Map() };
    await start(network, store);
    const client = await stay(network, "client");
    badLink(network, "client", "server");
    let over = false;
    const torment = async () => {
      while (!over) {
        await clock.sleep(random() * 10_000);
        const fate = drawInt(network, 0, 4);
        const forMs = random() * 8000;
        if (fate === 0) {
          host.kill();
          await clock.sleep(forMs);
          await start(network, store);
        } else if (fate === 1) {
          host.crash();
          await clock.sleep(forMs);
          host.restart();
          await start(network, store);
        } else if (fate === 2) {
          network.partition("client", "server");
          await clock.sleep(forMs);
          network.heal();
        } else if (fate === 3) {
          network.reset("client", "server");
        } else {
          network.names.fail("server");
          await clock.sleep(forMs);
          network.names.heal("server");
        }
      }
    };
    const tormenting = torment();
    const totals: number[] = [];
    const count = 15;
    const asked: Promise<unknown>[] = [];
    for (let number = 0; number < count; number++) {
      const request = client.request({ id: `add ${number}`, type: "add" }, {
        replay: true,
        timeoutMs: 600_000,
      }).then(({ total }) => totals.push(total!));
      request.catch(() => {});
      asked.push(request);
      await clock.sleep(random() * 3000);
    }
    await Promise.all(asked);
    over = true;
    await tormenting;
    assertEquals(store.total, count, "carried out once each");
    assertEquals(
      totals.toSorted((a, b) => a - b),
      Array.from({ length: count }, (_, at) => at + 1),
    );
  },
  { limitMs: 10_000_000 },
);

simulationTest(
  "a client notices that its server is gone, and says so",
  async (network) => {
    const { clock, random } = network;
    await start(network);
    const client = await stay(network, "client");
    const statuses = client.status();
    await clock.sleep(random() * 10_000);
    const lostMs = clock.now();
    if (random() < 0.5) network.host("server").crash();
    else network.partition("client", "server");
    const first = await statuses.next();
    assert(first.value?.type === "disconnected");
    // Two heartbeats of 2 seconds, one tick of the wheel, and the linger of the connection.
    assert(clock.now() - lostMs <= 2 * 2000 + 2000 + 10);
    assertEquals(client.server, undefined);
    if (!network.host("server").isUp) {
      network.host("server").restart();
      await start(network);
    }
    network.heal();
    for await (const { type } of statuses) if (type === "connected") break;
    assertEquals(client.server, TO);
  },
);

/** Milliseconds in which arrivals are counted together. */
const BUCKET_MS = 250;

/** The most arrivals in a bucket, and the mean up to when 95 % are there. */
function crowding(arrivals: number[]): { peak: number; mean: number } {
  const buckets = new Map<number, number>();
  for (const ms of arrivals) {
    const bucket = Math.floor(ms / BUCKET_MS);
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
  }
  const most = Math.ceil(arrivals.length * 0.95);
  const mostMs = arrivals.toSorted((a, b) => a - b)[most - 1]!;
  return {
    peak: Math.max(...buckets.values()),
    mean: most / (mostMs / BUCKET_MS),
  };
}

const HERD = 1000;

async function herd(
  network: VirtualNetwork,
  restart: (server: Server<ToServer, ToClient, { known: boolean }>) => Promise<
    unknown
  >,
): Promise<{ peak: number; mean: number; lastMs: number }> {
  const { clock } = network;
  const server = await start(network);
  const heartbeat = {
    everyMs: 600_000,
    message: (): ToServer => ({ id: "ping", type: "ping" }),
  };
  await Promise.all(
    Array.from(
      { length: HERD },
      (_, at) => stay(network, `client${at}`, { heartbeat }),
    ),
  );
  await restart(server);
  const restartedMs = clock.now();
  const arrivals: number[] = [];
  await serve<ToServer, ToClient>({
    ...network.host("server"),
    listen: "tcp://0.0.0.0:9999",
    wire: lengthPrefixed(json<ToServer, ToClient>()),
    handler: {
      message(peer, { id, type }) {
        if (type === "login") arrivals.push(clock.now() - restartedMs);
        peer.send({ id });
      },
    },
  });
  while (arrivals.length < HERD) await clock.sleep(100);
  return { ...crowding(arrivals), lastMs: Math.max(...arrivals) };
}

for (const outageMs of [0, 500, 3000]) {
  simulationTest(
    `a thousand clients come back one by one after an outage of ${outageMs} ms`,
    async (network) => {
      const { peak, mean, lastMs } = await herd(network, async () => {
        network.host("server").kill();
        await network.clock.sleep(outageMs);
      });
      assert(peak <= 2 * mean, `${peak} at the peak, ${mean} on average`);
      // The longer they have tried in vain, the longer they wait.
      assert(
        lastMs <= 5000 + outageMs / 2,
        `the last came after ${lastMs} ms`,
      );
    },
    { seeds: 5 },
  );
}

simulationTest(
  "a thousand clients come back when a draining server asked them to",
  async (network) => {
    const { peak, mean, lastMs } = await herd(
      network,
      (server) => server.drain({ comeBackWithinMs: 4000 }),
    );
    assert(peak <= 2 * mean, `${peak} at the peak, ${mean} on average`);
    assert(lastMs > 3000 && lastMs <= 5000, `the last came after ${lastMs} ms`);
  },
  { seeds: 3 },
);
