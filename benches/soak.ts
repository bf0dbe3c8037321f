/**
 * The hub under full load for a while: whether its memory grows, and whether a
 * SIGTERM in the middle of the load loses anything.
 *
 * @module
 */

import { measure, residentKib } from "./process.ts";
import { median } from "./report.ts";
import { HUB, type Server, start } from "./servers.ts";
import type { Load, Options, Suite } from "./suite.ts";

const SECONDS = 60;
const QUICK_SECONDS = 20;
const WARM_UP_SECONDS = 10;
const DRAIN_AFTER_MS = 3000;
const DRAIN_SECONDS = 30;
const FAULT_REGEXP = /unhandled|uncaught|panicked|out of memory/gi;

const LOADS: Load[] = [
  {
    name: "memory",
    title: `50 x 64 for ${SECONDS} s: memory at the end / after the first 10 s`,
    metric: "growth",
    unit: "x",
    better: "less",
  },
  {
    name: "drain",
    title: "SIGTERM under load of 50 x 64: requests answered",
    metric: "answered",
    unit: "requests",
  },
];

function echo(port: number, seconds: number, ...mode: string[]) {
  return measure(
    "loadgen",
    "127.0.0.1",
    port,
    50,
    64,
    64,
    seconds,
    "json",
    ...mode,
  );
}

async function memory(
  server: Server,
  options: Options,
): Promise<Record<string, number>> {
  const seconds = options.quick ? QUICK_SECONDS : SECONDS;
  await using started = await start(server);
  const loaded = echo(started.port, seconds);
  const resident: number[] = [];
  for (let second = 1; second < seconds; second++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    resident.push(await residentKib(started.process.pid));
    if (second % 10 === 0) {
      options.log(`${second} s: ${resident.at(-1)} KiB resident`);
    }
  }
  const { perSecond } = await loaded;
  const after = resident.slice(WARM_UP_SECONDS);
  const part = Math.max(1, Math.floor(after.length / 4));
  const before = median(after.slice(0, part));
  const end = median(after.slice(-part));
  return {
    perSecond: perSecond ?? 0,
    beforeKib: before,
    endKib: end,
    maxKib: Math.max(...resident),
    growth: end / before,
    faults: started.process.errors.match(FAULT_REGEXP)?.length ?? 0,
  };
}

async function drain(server: Server): Promise<Record<string, number>> {
  await using started = await start(server);
  const loaded = echo(started.port, DRAIN_SECONDS, "drain");
  await new Promise((resolve) => setTimeout(resolve, DRAIN_AFTER_MS));
  started.process.kill("SIGTERM");
  const values = await loaded;
  const { code } = await started.process.ended();
  const faults = started.process.errors.match(FAULT_REGEXP)?.length ?? 0;
  return { ...values, exitCode: code, faults };
}

/** A minute under load, and a drain. */
export const soak: Suite = {
  name: "soak",
  title: "The hub under load: memory, and a SIGTERM",
  servers: [HUB],
  loads: LOADS,
  bars: [
    { load: "memory", server: "hub", atMost: 1.05 },
    { load: "memory", server: "hub", metric: "faults", atMost: 0 },
    { load: "drain", server: "hub", metric: "exitCode", atMost: 0 },
    { load: "drain", server: "hub", metric: "partial", atMost: 0 },
    { load: "drain", server: "hub", metric: "resets", atMost: 0 },
    { load: "drain", server: "hub", metric: "open", atMost: 0 },
    { load: "drain", server: "hub", metric: "faults", atMost: 0 },
  ],
  async *measure(servers, options) {
    for (const server of servers) {
      const sample = { server: server.name, round: 0 };
      yield {
        ...sample,
        load: "memory",
        values: await memory(server, options),
      };
      yield { ...sample, load: "drain", values: await drain(server) };
    }
  },
};
