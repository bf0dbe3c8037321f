/**
 * One connection that waits for each answer: the time of one message.
 *
 * @module
 */

import { measure } from "./process.ts";
import { C_ECHO, FLOOR_JSON, GO, HUB, NODE } from "./servers.ts";
import { inTurns, type ServerLoad, type Suite } from "./suite.ts";

const LOADS: ServerLoad[] = [{
  name: "1x1",
  title: "1 connection, 1 in flight: median latency",
  metric: "p50Us",
  unit: "µs",
  better: "less",
  run: (server, { port }, { seconds }) =>
    measure("loadgen", "127.0.0.1", port, 1, 1, 64, seconds, server.speaks),
}];

/** JSON echo, latency. */
export const latency: Suite = {
  name: "latency",
  title: "Latency of a JSON echo through the hub",
  servers: [HUB, C_ECHO, FLOOR_JSON, GO, NODE],
  loads: LOADS,
  bars: [{ load: "1x1", server: "hub", peer: "c", atMost: 1.2 }],
  measure: (servers, options) => inTurns(servers, LOADS, options),
};
