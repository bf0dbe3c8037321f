/**
 * Broadcasts through two hubs that NATS joins to one, beside one hub.
 *
 * @module
 */

import { LOAD_CORE, measure } from "./process.ts";
import { HUB_BROADCAST, NATS, type Server, start } from "./servers.ts";
import type { Bar, Load, Options, Sample, Suite } from "./suite.ts";

const MEMBERS = 1000;
const BYTES = 128;
const RATE = 100;
const IN_FLIGHT = [1, 16, 64];

/** Two hubs; on this machine they share the core that one hub has for itself. */
const CLUSTER: Server = {
  ...HUB_BROADCAST,
  name: "cluster",
  title: "two hubs over NATS",
  // What only the cluster needs, and may be absent.
  command: () => NATS.command(),
};

interface BroadcastLoad extends Load {
  readonly inFlight: number;
  readonly rate: readonly number[];
}

const LOADS: BroadcastLoad[] = [
  ...IN_FLIGHT.map((inFlight): BroadcastLoad => ({
    name: `x${inFlight}`,
    title: `${BYTES} bytes to ${MEMBERS} members, ${inFlight} in flight`,
    metric: "perSecond",
    unit: "deliveries/s",
    inFlight,
    rate: [],
  })),
  {
    name: `@${RATE}`,
    title: `${BYTES} bytes to ${MEMBERS} members, ${RATE} a second: p99`,
    metric: "p99Us",
    unit: "µs",
    better: "less",
    inFlight: 1,
    rate: [RATE],
  },
];

const BARS: Bar[] = [
  ...IN_FLIGHT.map((inFlight): Bar => ({
    load: `x${inFlight}`,
    server: CLUSTER.name,
    peer: HUB_BROADCAST.name,
    atLeast: 0.4,
  })),
  { load: `@${RATE}`, server: CLUSTER.name, atMost: 25_000 },
];

/** Starts what a server is made of; the ports of its hubs. */
async function startAll(
  server: Server,
  stack: AsyncDisposableStack,
): Promise<number[]> {
  if (server !== CLUSTER) return [stack.use(await start(server)).port];
  const nats = stack.use(await start(NATS, LOAD_CORE));
  const ports: number[] = [];
  for (let hub = 0; hub < 2; hub++) {
    const started = await start({
      ...HUB_BROADCAST,
      command: async () => [
        ...await HUB_BROADCAST.command(),
        "--backplane",
        `nats://127.0.0.1:${nats.port}`,
      ],
    });
    ports.push(stack.use(started).port);
  }
  return ports;
}

async function* inRounds(
  servers: readonly Server[],
  { rounds, seconds }: Options,
): AsyncIterable<Sample> {
  for (let round = 0; round < rounds; round++) {
    await using stack = new AsyncDisposableStack();
    const ports = new Map<Server, number[]>();
    for (const server of servers) {
      ports.set(server, await startAll(server, stack));
    }
    for (const { name, inFlight, rate } of LOADS) {
      for (const [server, at] of ports) {
        const values = await measure(
          "broadcast",
          server.speaks,
          "127.0.0.1",
          at.join(),
          MEMBERS,
          BYTES,
          inFlight,
          seconds,
          ...rate,
        );
        yield { load: name, server: server.name, round, values };
      }
    }
  }
}

/** Broadcasts through two hubs, and through one. */
export const hubCluster: Suite = {
  name: "hub_cluster",
  title: "Broadcast through two hubs over NATS",
  servers: [HUB_BROADCAST, CLUSTER],
  loads: LOADS,
  bars: BARS,
  measure: inRounds,
};
