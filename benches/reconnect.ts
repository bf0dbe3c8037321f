/**
 * Clients that stay connected: what it costs, and what happens when the hub is
 * killed under a thousand of them.
 *
 * @module
 */

import { LOAD_CORE, output, Running } from "./process.ts";
import { HUB, type Server, start } from "./servers.ts";
import type { Bar, Load, Options, Sample, Suite } from "./suite.ts";

const CLIENTS = 1000;
const IN_FLIGHT = [64, 1000];
const BUCKET_MS = 250;

const PERSISTENT: Server = {
  ...HUB,
  name: "persistent",
  title: "keepConnected()",
};
const PLAIN: Server = {
  ...HUB,
  name: "plain",
  title: "connect()",
  ours: false,
};

const rateName = (inFlight: number) => `1x${inFlight}`;

const LOADS: Load[] = [
  {
    name: "restart",
    title: `the hub killed under ${CLIENTS} clients: the last is back after`,
    metric: "lastMs",
    unit: "ms",
    better: "less",
  },
  ...IN_FLIGHT.map((inFlight): Load => ({
    name: rateName(inFlight),
    title: `one connection, ${inFlight} requests in flight`,
    metric: "perSecond",
    unit: "requests/s",
  })),
];

const bar = { server: PERSISTENT.name };

const BARS: Bar[] = [
  { ...bar, load: "restart", atMost: 5000 },
  { ...bar, load: "restart", metric: "peakRatio", atMost: 2 },
  ...["restart", ...IN_FLIGHT.map(rateName)].flatMap((load): Bar[] => [
    { ...bar, load, metric: "unanswered", atMost: 0 },
    { ...bar, load, metric: "wrong", atMost: 0 },
    { ...bar, load, metric: "surplus", atMost: 0 },
  ]),
  { ...bar, load: rateName(64), peer: PLAIN.name, atLeast: 0.9 },
];

type Figures = Record<"asked" | "answered" | "wrong" | "surplus", number>;

function stay(...args: (string | number)[]): string[] {
  const file = new URL("./clients/stay.ts", import.meta.url).pathname;
  const flags = ["--allow-net=127.0.0.1", "--no-check"];
  return [Deno.execPath(), "run", ...flags, file, ...args.map(String)];
}

function judged<F extends Figures>(figures: F): F & { unanswered: number } {
  return { ...figures, unanswered: figures.asked - figures.answered };
}

/** How many came back in each bucket, and the most beside the mean up to when 95 % were back. */
function spread(times: number[]): { buckets: number[]; peakRatio: number } {
  const sorted = times.toSorted((a, b) => a - b);
  const buckets: number[] = [];
  for (const ms of sorted) {
    const at = Math.floor(ms / BUCKET_MS);
    while (buckets.length <= at) buckets.push(0);
    buckets[at]!++;
  }
  const most = Math.ceil(sorted.length * 0.95);
  const mean = most / (sorted[most - 1]! / BUCKET_MS);
  return { buckets, peakRatio: Math.max(...buckets) / mean };
}

async function restart({ log }: Options): Promise<Record<string, number>> {
  await using stack = new AsyncDisposableStack();
  const first = stack.use(await start(HUB));
  const herd = stack.use(
    new Running(LOAD_CORE, stay("herd", first.port, CLIENTS)),
  );
  await herd.until(/^ready$/m);
  // Requests are under way by then.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const killedMs = Date.now();
  first.process.kill("SIGKILL");
  await first.process.ended();
  const command = async () => [
    ...await HUB.command(),
    "--port",
    String(first.port),
  ];
  stack.use(await start({ ...HUB, command }));
  const listeningMs = Date.now();
  const ended = await herd.ended();
  if (ended.code !== 0) {
    throw new Error("Cannot measure: a client failed", { cause: herd.errors });
  }
  const result: Figures & { returns: number[] } = JSON.parse(
    ended.output.slice("ready\n".length),
  );
  const { returns, ...figures } = result;
  const times = returns.map((ms) => Math.max(ms - listeningMs, 0));
  const { buckets, peakRatio } = spread(times);
  log(`back in each ${BUCKET_MS} ms: ${buckets.join(" ")}`);
  return {
    ...judged(figures),
    outageMs: listeningMs - killedMs,
    lastMs: Math.max(...times),
    // Who returned more than once was lost again.
    returns: returns.length,
    peakRatio,
  };
}

async function* inRounds(
  servers: readonly Server[],
  options: Options,
): AsyncIterable<Sample> {
  const { rounds, seconds } = options;
  for (let round = 0; round < rounds; round++) {
    const sample = { server: PERSISTENT.name, round };
    yield { ...sample, load: "restart", values: await restart(options) };
    await using hub = await start(HUB);
    for (const inFlight of IN_FLIGHT) {
      const command = stay("rate", hub.port, inFlight, seconds);
      const measured: Record<string, Figures> = JSON.parse(
        await output(LOAD_CORE, command),
      );
      for (const { name } of servers) {
        const values = judged(measured[name]!);
        yield { load: rateName(inFlight), server: name, round, values };
      }
    }
  }
}

/** A hub that is killed and comes back, and the price of staying connected. */
export const reconnect: Suite = {
  name: "reconnect",
  title: "Clients that stay connected",
  servers: [PERSISTENT, PLAIN],
  loads: LOADS,
  bars: BARS,
  measure: inRounds,
};
