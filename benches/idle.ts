/**
 * What connections cost that say nothing, and whether others are still served.
 *
 * @module
 */

import { cProgram, LOAD_CORE, measure, Running } from "./process.ts";
import { BINARY, GO, NODE, PYTHON_ASYNCIO, start } from "./servers.ts";
import type { Server } from "./servers.ts";
import type { Load, Options, Sample, Suite } from "./suite.ts";

const CONNECTIONS = 15_000;
const SETTLE_SECONDS = 3;

const LOADS: Load[] = [
  {
    name: "memory",
    title: `${CONNECTIONS} idle connections: memory each`,
    metric: "bytesEach",
    unit: "bytes",
    better: "less",
  },
  {
    name: "echo",
    title: `echo beside ${CONNECTIONS} idle connections, 50 x 1: p99`,
    metric: "p99Us",
    unit: "µs",
    better: "less",
  },
];

async function* measureIdle(
  servers: readonly Server[],
  { rounds, seconds }: Options,
): AsyncIterable<Sample> {
  for (let round = 0; round < rounds; round++) {
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
      yield { ...sample, load: "memory", values: JSON.parse(line) };
      const values = await measure(
        "loadgen",
        "127.0.0.1",
        started.port,
        50,
        1,
        64,
        seconds,
        server.speaks,
      );
      yield { ...sample, load: "echo", values };
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
  loads: LOADS,
  bars: [
    { load: "memory", server: "serve", atMost: 8192 },
    { load: "memory", server: "serve", metric: "closed", atMost: 0 },
    { load: "echo", server: "serve", atMost: 4999 },
  ],
  measure: measureIdle,
};
