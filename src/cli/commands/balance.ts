/**
 * Balances connections over backends.
 *
 * @module
 */

import { dirname } from "node:path";
import { parseEndpoint } from "../../io/endpoint.ts";
import { balance, type Balancer } from "../../proxy/balance/balancer.ts";
import {
  type BalanceConfig,
  parseBalanceConfig,
} from "../../proxy/balance/config.ts";
import { canonicalEndpoint } from "../../proxy/balance/endpoints.ts";
import { isDatagramEndpoint } from "../../proxy/link/datagram_front.ts";
import { serveControl } from "../../proxy/balance/control.ts";
import type { BalanceOptions } from "../../proxy/balance/options.ts";
import type { Server } from "../../server/server.ts";
import { UsageError } from "../arguments.ts";
import type { CommandSpec, CommandValues } from "../command_spec.ts";
import { describeError } from "../describe_error.ts";
import type { Output } from "../output.ts";
import { type CommandMain, runMain } from "../run.ts";
import {
  CLIENT_TLS_FLAGS,
  readClientTls,
  readServerTls,
  SERVER_TLS_FLAGS,
} from "../tls_flags.ts";
import { act, isAction } from "./balance_control.ts";
import { openTrace, tellBalance } from "./balance_output.ts";
import { parsePageEndpoint, servePages } from "./balance_page.ts";
import { BALANCE_FLAGS, readSettings } from "./balance_settings.ts";

const DEFAULT_CONTROL = "unix:.portolan/balance.sock";

/** What the command takes. */
export const balanceSpec = {
  name: "balance",
  summary: "Pass connections on to the best of several backends.",
  positionals: [
    {
      name: "listen",
      help: "Where to listen, as an endpoint; or list, add, drain, ready, " +
        "weight, remove, reload for one that runs; or replay",
    },
    { name: "to", help: "The backends, as endpoints", rest: true },
  ],
  options: {
    config: {
      type: "string",
      placeholder: "FILE",
      help: "Take everything from a file of JSON; SIGHUP reads it again",
    },
    ...BALANCE_FLAGS,
    ...SERVER_TLS_FLAGS,
    ca: CLIENT_TLS_FLAGS.ca,
    trustProxy: {
      type: "list",
      placeholder: "NETWORK",
      help: "Proxies before this one, which tell by PROXY headers where " +
        "connections come from",
    },
    allow: {
      type: "list",
      placeholder: "NETWORK",
      help: "Who may connect, such as 192.0.2.0/24; without it, all",
    },
    deny: { type: "list", placeholder: "NETWORK", help: "Who may not" },
    maxConnections: {
      type: "integer",
      default: 9_000,
      min: 1,
      help: "Connections in all",
    },
    maxPerSource: { type: "integer", min: 1, help: "Connections per address" },
    idleSeconds: {
      type: "number",
      min: 0.1,
      help: "Silence after which a connection is cut off: 600, " +
        "and 60 for datagrams",
    },
    drainSeconds: {
      type: "number",
      default: 10,
      min: 0.1,
      help: "Time for connections to end in when the balancer is told to",
    },
    control: {
      type: "string",
      placeholder: "ENDPOINT",
      help: `Where it is changed while it runs; ${DEFAULT_CONTROL} unless ` +
        "another balancer has it",
      check: parseEndpoint,
    },
    metrics: {
      type: "string",
      placeholder: "ENDPOINT",
      help: "Serve a page for people, and one for Prometheus, at " +
        "tcp://HOST:PORT",
      check: parsePageEndpoint,
    },
    trace: {
      type: "string",
      placeholder: "FILE",
      help: "Write down all decisions, for replay",
    },
    seed: { type: "integer", help: "What chance is made of" },
  },
  examples: [
    [
      "deno task balance tcp://127.0.0.1:7000 tcp://127.0.0.1:7001 " +
      "tcp://127.0.0.1:7002",
      "Pass on to the one and the other in turn",
    ],
    [
      "deno task balance tcp://127.0.0.1:7000 tcp://127.0.0.1:7001 " +
      "tcp://127.0.0.1:7002 --policy peak-ewma --check http:/health",
      "Pass on to the faster one, and to none that is ill",
    ],
    ["deno task balance --config balance.json", "Take everything from a file"],
    ["deno task balance list", "Show the backends of a balancer that runs"],
    [
      "deno task balance drain tcp://127.0.0.1:7001",
      "Send no more connections to a backend",
    ],
    [
      "deno task balance add tcp://127.0.0.1:7003",
      "Add a backend while it runs",
    ],
    [
      "deno task balance replay trace.jsonl",
      "Decide everything again that a trace tells of, and compare",
    ],
  ],
} as const satisfies CommandSpec;

type Values = CommandValues<typeof balanceSpec>;

/** Runs `deno task balance`. */
export function run(args: readonly string[]): Promise<never> {
  return runMain(balanceSpec, balanceMain, args);
}

/** Does what the command line says. */
export const balanceMain: CommandMain<typeof balanceSpec> = async (
  values,
  { output, listening, stopped },
) => {
  const { listen, to, control } = values;
  if (listen !== undefined && isAction(listen)) {
    return await act({
      action: listen,
      args: to,
      at: control ?? DEFAULT_CONTROL,
      targets: () => readSettings(to, values).to,
    }, output);
  }
  const options = await readOptions(values, output);
  using trace = openTrace(values.trace, output);
  await using front = await balance({
    ...options,
    observe: (event) => tellBalance(event, output),
    ...(trace === undefined ? {} : { trace: trace.write }),
    ...(values.seed === undefined ? {} : { seed: values.seed }),
  });
  const reload = async () => {
    if (values.config === undefined) {
      throw new Error("Cannot reload: it runs without --config");
    }
    front.configure(await readOptions(values, output));
    output.print("reloaded", { type: "reloaded" });
  };
  // Without a file it means what it means to every program: the terminal is gone.
  if (values.config !== undefined) {
    Deno.addSignalListener("SIGHUP", () => {
      reload().catch((error) => output.error(describeError(error)));
    });
  }
  await using _control = await openControl(control, front, reload, output);
  await using metrics = values.metrics === undefined
    ? undefined
    : servePages(values.metrics, front);
  listening(front.endpoints);
  if (metrics !== undefined) {
    const { hostname, port } = metrics.addr;
    const url = `http://${hostname}:${port}/metrics`;
    output.print(`metrics ${url}`, { type: "metrics", url });
  }
  await stopped;
  await front.drain({ deadlineMs: values.drainSeconds * 1000 });
};

async function readOptions(
  values: Values,
  output: Output,
): Promise<Omit<BalanceOptions, "observe">> {
  const options = values.config === undefined
    ? readFlags(values)
    : await readConfig(values.config, values);
  const ca = values.ca === undefined ? {} : { ca: values.ca };
  const tls = await readClientTls(ca);
  const streams = [options.listen].flat().filter((url) =>
    !isDatagramEndpoint(url)
  );
  const serverTls = await readServerTls(values, streams, output);
  return {
    ...options,
    targetTls: tls,
    ...(serverTls === undefined ? {} : { tls: serverTls }),
  };
}

function readFlags(values: Values): Omit<BalanceOptions, "observe"> {
  const { listen, to, allow } = values;
  if (listen === undefined || to.length + values.backup.length === 0) {
    throw new UsageError(
      "Cannot balance: LISTEN and TO, or --config FILE, are expected",
    );
  }
  for (const url of [listen, ...to]) checkEndpoint(url);
  return {
    listen,
    ...readSettings(to, values),
    trustedProxies: values.trustProxy,
    ...(allow.length === 0 ? {} : { allow }),
    deny: values.deny,
    limits: {
      maxConnections: values.maxConnections,
      maxConnectionsPerSource: values.maxPerSource ?? Infinity,
      ...(values.idleSeconds === undefined
        ? {}
        : { idleMs: values.idleSeconds * 1000 }),
    },
  };
}

function checkEndpoint(url: string): void {
  try {
    canonicalEndpoint(url);
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

async function readConfig(
  path: string,
  { listen }: Values,
): Promise<BalanceConfig> {
  if (listen !== undefined) {
    throw new UsageError(
      `Cannot use --config with arguments: the file says it all: current value is "${listen}"`,
    );
  }
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    throw new Error(`Cannot read ${path}`, { cause });
  }
  return parseBalanceConfig(text, path);
}

/** Listens for those who want to change it; does without at the default place if that is taken. */
async function openControl(
  endpoint: string | undefined,
  front: Balancer,
  reload: () => Promise<void>,
  output: Output,
): Promise<Server<string, string, unknown> | undefined> {
  if (endpoint !== undefined) {
    return await serveControl(endpoint, front, reload);
  }
  try {
    await Deno.mkdir(dirname(DEFAULT_CONTROL.slice("unix:".length)), {
      recursive: true,
    });
    return await serveControl(DEFAULT_CONTROL, front, reload);
  } catch (error) {
    output.error(`${describeError(error)}: use --control to change it`);
    return undefined;
  }
}
