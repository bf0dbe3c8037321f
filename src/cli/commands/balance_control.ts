/**
 * Changes a balancer while it runs, and replays what it has decided.
 *
 * @module
 */

import { replayBalance } from "../../proto/balance/trace.ts";
import {
  control,
  type ControlReport,
  type ControlRequest,
} from "../../proxy/balance/control.ts";
import type { BalanceTarget } from "../../proxy/balance/options.ts";
import { UsageError } from "../arguments.ts";
import { drawTable } from "../chart.ts";
import type { Output } from "../output.ts";

/** What can be done beside balancing. */
export const ACTIONS = [
  "list",
  "add",
  "drain",
  "ready",
  "weight",
  "remove",
  "reload",
  "replay",
] as const;

/** One of {@linkcode ACTIONS}. */
export type Action = typeof ACTIONS[number];

/** Whether an argument is one of {@linkcode ACTIONS}. */
export function isAction(text: string): text is Action {
  return (ACTIONS as readonly string[]).includes(text);
}

/** What is to be done. */
export interface Deed {
  /** What. */
  readonly action: Action;
  /** With what. */
  readonly args: readonly string[];
  /** Where the balancer takes changes. */
  readonly at: string;
  /** The backends that `add` adds. */
  readonly targets: () => readonly BalanceTarget[];
}

/** Does it; returns the exit code. */
export async function act(deed: Deed, output: Output): Promise<number> {
  const { action, args, at } = deed;
  if (action === "replay") return await replay(args, output);
  const requests = action === "add"
    ? deed.targets().map((target) => ({ do: action, target } as const))
    : readRequests(action, args);
  if (requests.length === 0) {
    throw new UsageError(`Cannot ${action}: no ENDPOINT was given`);
  }
  let report: ControlReport | undefined;
  for (const request of requests) report = await control(at, request);
  if (report !== undefined) print(report, output);
  return 0;
}

function readRequests(
  action: Exclude<Action, "replay" | "add">,
  args: readonly string[],
): ControlRequest[] {
  if (action === "list" || action === "reload") {
    if (args.length === 0) return [{ do: action }];
    throw new UsageError(
      `Cannot ${action}: nothing more is expected: current value is "${
        args[0]
      }"`,
    );
  }
  if (action === "weight") {
    const [backend, number] = args;
    if (backend !== undefined && number !== undefined && args.length === 2) {
      return [{ do: action, backend, weight: Number(number) }];
    }
    throw new UsageError("Cannot weigh: ENDPOINT and N are expected");
  }
  return args.map((backend) => ({ do: action, backend }));
}

function print(report: ControlReport, output: Output): void {
  const { policy, connections, queued, backends } = report;
  if (output.json) return output.print("", report);
  const rows = backends.map((backend) => [
    backend.name,
    backend.backup ? `${backend.status}, backup` : backend.status,
    `${backend.weight}`,
    backend.maxConnections === undefined
      ? `${backend.active}`
      : `${backend.active}/${backend.maxConnections}`,
    `${backend.picked}`,
    `${backend.failed}`,
  ]);
  output.print(drawTable(rows, {
    header: ["backend", "status", "weight", "active", "picked", "failed"],
    align: ["left", "left", "right", "right", "right", "right"],
    columns: output.columns,
    style: output.style,
  }));
  output.print(`${policy}, ${connections} connections, ${queued} wait`);
}

async function replay(
  args: readonly string[],
  output: Output,
): Promise<number> {
  const [path] = args;
  if (path === undefined || args.length !== 1) {
    throw new UsageError("Cannot replay: one FILE is expected");
  }
  const { steps, picks, difference } = replayBalance(
    (await Deno.readTextFile(path)).split("\n"),
  );
  if (difference === undefined) {
    output.print(`replayed ${steps} steps: all ${picks} picks are the same`, {
      type: "replayed",
      steps,
      picks,
    });
    return 0;
  }
  const { line, recorded, replayed } = difference;
  output.error(
    `line ${line} differs: ${JSON.stringify(recorded)} was written, ${
      JSON.stringify(replayed)
    } is decided here`,
  );
  return 1;
}
