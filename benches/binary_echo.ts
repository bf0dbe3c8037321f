/**
 * Length-prefixed bytes through `serve()`.
 *
 * @module
 */

import { measure } from "./process.ts";
import {
  BINARY,
  BINARY_LOOP,
  BINARY_STREAMS,
  C_ECHO,
  FLOOR_RAW,
} from "./servers.ts";
import { inTurns, type ServerLoad, type Suite } from "./suite.ts";

const load = (
  name: string,
  window: number,
  contentBytes: number,
): ServerLoad => ({
  name,
  title: `${contentBytes} bytes, 50 connections, ${window} in flight each`,
  metric: "perSecond",
  unit: "messages/s",
  run: (_server, { port }, { seconds }) =>
    measure(
      "loadgen",
      "127.0.0.1",
      port,
      50,
      window,
      contentBytes,
      seconds,
      "raw",
    ),
});

const LOADS = [load("64B", 64, 64), load("4KiB", 16, 4096)];

/** Binary frames, throughput. */
export const binaryEcho: Suite = {
  name: "binary_echo",
  title: "Binary frames through serve()",
  servers: [BINARY, FLOOR_RAW, C_ECHO, BINARY_LOOP, BINARY_STREAMS],
  loads: LOADS,
  bars: [
    { load: "64B", server: "serve", peer: "floor", atLeast: 0.7 },
    { load: "4KiB", server: "serve", peer: "floor", atLeast: 0.85 },
  ],
  measure: (servers, options) => inTurns(servers, LOADS, options),
};
