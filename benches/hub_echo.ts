/**
 * JSON echo through the hub: many connections, deep and shallow windows.
 *
 * @module
 */

import { measure } from "./process.ts";
import { FLOOR_JSON, GO, HUB, NODE, PYTHON_THREADS } from "./servers.ts";
import { inTurns, type ServerLoad, type Suite } from "./suite.ts";

const load = (connections: number, window: number): ServerLoad => ({
  name: `${connections}x${window}`,
  title: `${connections} connections, ${window} in flight each`,
  metric: "perSecond",
  unit: "messages/s",
  run: (server, { port }, { seconds }) =>
    measure(
      "loadgen",
      "127.0.0.1",
      port,
      connections,
      window,
      64,
      seconds,
      server.speaks,
    ),
});

const LOADS = [load(50, 64), load(50, 1)];

/** JSON echo, throughput. */
export const hubEcho: Suite = {
  name: "hub_echo",
  title: "JSON echo of 64 bytes through the hub",
  servers: [HUB, FLOOR_JSON, GO, NODE, PYTHON_THREADS],
  loads: LOADS,
  bars: [
    { load: "50x64", server: "hub", peer: "floor", atLeast: 0.8 },
    { load: "50x64", server: "hub", peer: "go", atLeast: 1.25 },
    { load: "50x64", server: "hub", peer: "node", atLeast: 1.25 },
    { load: "50x64", server: "hub", peer: "python", atLeast: 10 },
    { load: "50x1", server: "hub", peer: "node", atLeast: 1.1 },
  ],
  measure: (servers, options) => inTurns(servers, LOADS, options),
};
