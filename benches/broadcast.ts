/**
 * One publisher, a thousand members: deliveries per second and their latency.
 *
 * @module
 */

import { measure } from "./process.ts";
import {
  FLOOR_BROADCAST,
  HUB_BROADCAST,
  NATS,
  type Server,
  type Started,
} from "./servers.ts";
import {
  type Bar,
  inTurns,
  type Options,
  type ServerLoad,
  type Suite,
} from "./suite.ts";

const MEMBERS = 1000;
const RATE = 100;
const SIZES = [{ name: "128B", bytes: 128 }, { name: "1KiB", bytes: 1024 }];
const IN_FLIGHT = [{ count: 1, ratio: 1 }, { count: 16, ratio: 1.5 }, {
  count: 64,
  ratio: 1.5,
}];

const run = (
  server: Server,
  { port }: Started,
  { seconds }: Options,
  bytes: number,
  inFlight: number,
  ...rate: number[]
) =>
  measure(
    "broadcast",
    server.speaks,
    "127.0.0.1",
    port,
    MEMBERS,
    bytes,
    inFlight,
    seconds,
    ...rate,
  );

const LOADS: ServerLoad[] = SIZES.flatMap(({ name, bytes }) => [
  ...IN_FLIGHT.map(({ count }): ServerLoad => ({
    name: `${name}x${count}`,
    title: `${bytes} bytes to ${MEMBERS} members, ${count} in flight`,
    metric: "perSecond",
    unit: "deliveries/s",
    run: (server, started, options) =>
      run(server, started, options, bytes, count),
  })),
  {
    name: `${name}@${RATE}`,
    title: `${bytes} bytes to ${MEMBERS} members, ${RATE} a second: p99`,
    metric: "p99Us",
    unit: "µs",
    better: "less",
    run: (server, started, options) =>
      run(server, started, options, bytes, 1, RATE),
  },
]);

const BARS: Bar[] = SIZES.flatMap(({ name }) =>
  IN_FLIGHT.map(({ count, ratio }) => ({
    load: `${name}x${count}`,
    server: "hub",
    peer: "nats",
    atLeast: ratio,
  }))
);

/** Broadcasts through the hub. */
export const broadcast: Suite = {
  name: "broadcast",
  title: "Broadcast through the hub",
  servers: [HUB_BROADCAST, NATS, FLOOR_BROADCAST],
  loads: LOADS,
  bars: BARS,
  measure: (servers, options) => inTurns(servers, LOADS, options),
};
