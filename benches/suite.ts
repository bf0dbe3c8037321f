/**
 * What a suite of measurements is, and how servers are measured in turns.
 *
 * @module
 */

import { AbsentError, cpuSeconds } from "./process.ts";
import { type Server, start, type Started } from "./servers.ts";

/** How long and how often to measure. */
export interface Options {
  readonly seconds: number;
  readonly rounds: number;
  /** Whether only a look is wanted, not figures to quote. */
  readonly quick: boolean;
  /** Told what happens, a line each. */
  readonly log: (line: string) => void;
}

/** One measurement of one server. */
export interface Sample {
  readonly load: string;
  readonly server: string;
  readonly round: number;
  readonly values: Readonly<Record<string, number>>;
}

/** What is asked of the servers. */
export interface Load {
  readonly name: string;
  readonly title: string;
  /** The value that is compared. */
  readonly metric: string;
  readonly unit: string;
  /** Which is better. @default {"more"} */
  readonly better?: "more" | "less";
}

/** A load that is put on one server after the other. */
export interface ServerLoad extends Load {
  run(
    server: Server,
    started: Started,
    options: Options,
  ): Promise<Record<string, number>>;
}

/** What must hold: against a peer measured in the same rounds, or absolutely. */
export interface Bar {
  readonly load: string;
  readonly server: string;
  /** The value that is judged. @default {the metric of the load} */
  readonly metric?: string;
  /** Whose value divides it. @default {none: the value itself is judged} */
  readonly peer?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** Measurements that belong together, and what they must show. */
export interface Suite {
  readonly name: string;
  readonly title: string;
  readonly servers: readonly Server[];
  readonly loads: readonly Load[];
  readonly bars: readonly Bar[];
  measure(servers: readonly Server[], options: Options): AsyncIterable<Sample>;
}

/** Share of both cores that other programs may use while we measure. */
export const MAX_DISTURBED = 0.03;
const MAX_ATTEMPTS = 4;

/**
 * Puts a load on a server. Adds to what the load measured the server's processor
 * time for each message, `cpuNs`, and the share of both cores that others used
 * meanwhile, `disturbed`.
 */
async function once(
  server: Server,
  started: Started,
  load: ServerLoad,
  options: Options,
): Promise<Record<string, number>> {
  const startedMs = performance.now();
  const before = await cpuSeconds(started.process.pid);
  const values = await load.run(server, started, options);
  const after = await cpuSeconds(started.process.pid);
  const elapsed = (performance.now() - startedMs) / 1000;
  const { total = NaN, cpuSeconds: loadSeconds = NaN } = values;
  const used = after.process - before.process;
  const others = after.cores - before.cores - used - loadSeconds;
  return {
    ...values,
    cpuNs: used * 1e9 / total,
    disturbed: Math.max(0, others / (2 * elapsed)),
  };
}

/** Measures again while other programs disturb, and keeps the calmest try. */
export async function calmest(
  server: Server,
  started: Started,
  load: ServerLoad,
  options: Options,
): Promise<Record<string, number>> {
  let best = await once(server, started, load, options);
  for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt++) {
    const { disturbed = 0 } = best;
    if (disturbed <= MAX_DISTURBED) break;
    const percent = Math.round(disturbed * 100);
    options.log(`${load.name} ${server.name}: again, ${percent} % disturbed`);
    const next = await once(server, started, load, options);
    if ((next.disturbed ?? 0) < disturbed) best = next;
  }
  return best;
}

/**
 * Puts each load on each server in turns (A B C, A B C, …), so that a noisy
 * minute falls on all of them. Every round starts the servers anew.
 */
export async function* inTurns(
  servers: readonly Server[],
  loads: readonly ServerLoad[],
  options: Options,
): AsyncIterable<Sample> {
  for (let round = 0; round < options.rounds; round++) {
    await using stack = new AsyncDisposableStack();
    const started = new Map<Server, Started>();
    for (const server of servers) {
      started.set(server, stack.use(await start(server)));
    }
    for (const load of loads) {
      for (const [server, at] of started) {
        const values = await calmest(server, at, load, options);
        yield { load: load.name, server: server.name, round, values };
      }
    }
  }
}

/** Splits servers into those that this machine can run and what is missing. */
export async function present(
  servers: readonly Server[],
): Promise<{ servers: Server[]; absent: Map<string, string> }> {
  const there: Server[] = [];
  const absent = new Map<string, string>();
  for (const server of servers) {
    try {
      await server.command();
      there.push(server);
    } catch (error) {
      if (!(error instanceof AbsentError)) throw error;
      absent.set(server.name, error.message);
    }
  }
  return { servers: there, absent };
}
