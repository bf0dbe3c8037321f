/**
 * What connections cost that say nothing, and whether others are still served.
 *
 * @module
 */

import { cProgram, LOAD_CORE, measure, Running } from "./process.ts";
import {
  BINARY,
  GO,
  NODE,
  PYTHON_ASYNCIO,
  type Server,
  start,
} from "./servers.ts";
import {
  calmest,
  type Load,
  type Options,
  type Sample,
  type ServerLoad,
  type Suite,
} from "./suite.ts";

const CONNECTIONS = 15_000;
const SETTLE_SECONDS = 3;

const MEMORY: Load = {
  name: "memory",
  title: `${CONNECTIONS} idle connections: memory each`,
  metric: "bytesEach",
  unit: "bytes",
  better: "less",
};

const ECHO: ServerLoad = {
  name: "echo",
  title: `echo beside ${CONNECTIONS} idle connections, 50 x 1: p99`,
  metric: "p99Us",
  unit: "µs",
  better: "less",
  run: (server, { port }, { seconds }) =>
    measure("loadgen", "127.0.0.1", port, 50, 1, 64, seconds, server.speaks),
};

async function* measureIdle(
  servers: readonly Server[],
  options: Options,
): AsyncIterable<Sample> {
  for (let round = 0; round < options.rounds; round++) {
    for (const server of servers) {
      await using started = await start(server);
      await using idle = new Running(LOAD_CORE, [
        await cProgram("idle"),
        String(started.port),
        String(CONNECTIONS),
        String(started.process.pid),
        String(SETTLE_SECONDS),
        "hold",
      ]);
      const [line] = await idle.until(/^\{.*\}$/m);
      const sample = { server: server.name, round };
      yield { ...sample, load: MEMORY.name, values: JSON.parse(line) };
      const values = await calmest(server, started, ECHO, options);
      yield { ...sample, load: ECHO.name, values };
      await idle.closeInput();
      await idle.ended();
    }
  }
}

/** Idle connections. */
export const idle: Suite = {
  name: "idle",
  title: "Idle connections through serve(), idle time-outs on",
  servers: [BINARY, GO, NODE, PYTHON_ASYNCIO],
  loads: [MEMORY, ECHO],
  bars: [
    { load: MEMORY.name, server: "serve", atMost: 8192 },
    { load: MEMORY.name, server: "serve", metric: "closed", atMost: 0 },
    { load: ECHO.name, server: "serve", atMost: 4999 },
  ],
  measure: measureIdle,
};
