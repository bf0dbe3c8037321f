/**
 * `deno task bench`: measures this project beside its peers.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { binaryEcho } from "./binary_echo.ts";
import { broadcast } from "./broadcast.ts";
import { hubCluster } from "./hub_cluster.ts";
import { hubEcho } from "./hub_echo.ts";
import { idle } from "./idle.ts";
import { latency } from "./latency.ts";
import { plot } from "./plot.ts";
import { killAll, LOAD_CORE, output, SERVER_CORE } from "./process.ts";
import { format, report, type SuiteReport, text } from "./report.ts";
import { reconnect } from "./reconnect.ts";
import { soak } from "./soak.ts";
import { throughGateway } from "./gateway.ts";
import { mutualTls, tls } from "./tls.ts";
import { webSocket, webSocketDeflate, webSocketIdle } from "./web_socket.ts";
import { type Options, present, type Sample, type Suite } from "./suite.ts";

const SUITES: readonly Suite[] = [
  hubEcho,
  latency,
  binaryEcho,
  broadcast,
  hubCluster,
  idle,
  reconnect,
  soak,
  webSocket,
  webSocketDeflate,
  webSocketIdle,
  throughGateway,
  tls,
  mutualTls,
];

const HELP =
  `Measures this project beside its peers, each server on core ${SERVER_CORE} and the load on core ${LOAD_CORE}.

  deno task bench                        everything: ten minutes or more
  deno task bench hub_echo broadcast     some suites
  deno task bench --quick                one short round: a look, not a figure
  deno task bench --plot bench.svg --json bench.json

Suites: ${SUITES.map(({ name }) => name).join(", ")}
  --seconds N    seconds of one measurement, of which the first fifth is
                 warm-up (default 3)
  --rounds N     rounds, of which the median is taken (default 3)
  --quick        --seconds 1 --rounds 1, and a shorter soak
  --json FILE    write all samples, medians, ratios and verdicts
  --plot FILE    write an SVG plot

Exits with 1 if a bar was missed or could not be measured.`;

class UsageError extends Error {
  override name = "UsageError";
}

function positive(flag: string, value: string): number {
  const number = Number(value);
  if (!(number > 0)) {
    throw new UsageError(
      `--${flag} must be a number above 0: current value is ${value}`,
    );
  }
  return number;
}

function file(flag: string, value: string | undefined): string | undefined {
  if (value !== "") return value;
  throw new UsageError(`--${flag} must be a file: current value is ""`);
}

/** An error and what caused it, in one line. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message, cause } = error;
  return cause === undefined ? message : `${message}: ${describe(cause)}`;
}

interface Arguments extends Options {
  readonly suites: readonly Suite[];
  readonly help: boolean;
  readonly json: string | undefined;
  readonly plot: string | undefined;
}

function parse(args: string[]): Arguments {
  const flags = parseArgs(args, {
    boolean: ["quick", "help"],
    string: ["seconds", "rounds", "json", "plot"],
    unknown(name) {
      if (!name.startsWith("-")) return true;
      throw new UsageError(`There is no option ${name}: see --help`);
    },
  });
  const suites = flags._.map((name) => {
    const suite = SUITES.find((suite) => suite.name === name);
    if (suite !== undefined) return suite;
    const known = SUITES.map(({ name }) => name).join(", ");
    throw new UsageError(`There is no suite ${name}: choose from ${known}`);
  });
  const usual = flags.quick ? "1" : "3";
  return {
    suites: suites.length > 0 ? suites : SUITES,
    help: flags.help,
    json: file("json", flags.json),
    plot: file("plot", flags.plot),
    seconds: positive("seconds", flags.seconds ?? usual),
    rounds: Math.ceil(positive("rounds", flags.rounds ?? usual)),
    quick: flags.quick,
    log: (line) => console.error(`  ${line}`),
  };
}

/** Runs a suite to its end, or to its first failure, which is reported. */
async function measure(
  suite: Suite,
  options: Options,
): Promise<{ report: SuiteReport; failed: boolean }> {
  const samples: Sample[] = [];
  const { servers, absent } = await present(suite.servers);
  let failed = false;
  try {
    for await (const sample of suite.measure(servers, options)) {
      samples.push(sample);
      const { load, server, round, values } = sample;
      const { metric = "", unit } = suite.loads.find(({ name }) =>
        name === load
      ) ?? {};
      const value = format(values[metric] ?? NaN);
      options.log(
        `${suite.name} ${load} ${round + 1}: ${server} ${value} ${unit}`,
      );
    }
  } catch (error) {
    failed = true;
    console.error(`${suite.name}: ${describe(error)}`);
  }
  return { report: report(suite, samples, absent), failed };
}

async function machine(): Promise<string> {
  const cpu = await output(LOAD_CORE, ["lscpu"]);
  const model = /Model name:\s+(.+)/.exec(cpu)?.[1] ?? "unknown processor";
  const cores = /^CPU\(s\):\s+(\d+)/m.exec(cpu)?.[1] ?? "?";
  return `${model}, ${cores} cores, ${Deno.build.os}, Deno ${Deno.version.deno}`;
}

async function main(args: Arguments): Promise<number> {
  const { seconds, rounds } = args;
  const plural = rounds === 1 ? "" : "s";
  const caption =
    `${await machine()}; ${rounds} round${plural} of ${seconds} s`;
  console.log(caption);
  const reports: SuiteReport[] = [];
  let bad = false;
  for (const suite of args.suites) {
    const { report, failed } = await measure(suite, args);
    reports.push(report);
    bad ||= failed ||
      report.loads.some(({ verdicts }) =>
        verdicts.some(({ verdict }) => verdict !== "pass")
      );
    console.log(`\n${text(report)}`);
  }
  if (args.json !== undefined) {
    const data = { caption, seconds, rounds, suites: reports };
    await Deno.writeTextFile(args.json, JSON.stringify(data, null, 2) + "\n");
  }
  if (args.plot !== undefined) {
    await Deno.writeTextFile(args.plot, plot(reports, caption));
  }
  return bad ? 1 : 0;
}

if (import.meta.main) {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      killAll();
      Deno.exit(1);
    });
  }
  try {
    const args = parse(Deno.args);
    if (args.help) console.log(HELP);
    else Deno.exitCode = await main(args);
  } catch (error) {
    console.error(describe(error));
    Deno.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
