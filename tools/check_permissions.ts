/**
 * Finds commands that are granted more than they need: everything at once, a
 * whole kind of permission where a scope can be named, or a networking program
 * whose task leaves the network to a prompt.
 *
 *     deno run --allow-read=. tools/check_permissions.ts
 *
 * @module
 */

import { documents } from "./check_docs.ts";

/** Kinds of permission that always have a scope; networking is our trade. */
const SCOPED = /(?:^|\s)--allow-(read|write|run|env|sys|ffi|import)(?=\s|$)/;
const EVERYTHING = /(?:^|[\s"'`])(-A|--allow-all)(?=$|[\s"'`])/;
const RUNS_NETWORK_CODE =
  /\bdeno (?:run|test|bench)\b.*(?:\s|\/)(?:scenarios|benches|tests|src\/cli)\b/;

/** What is wrong with the text of a file, by line. */
export function permissionFaults(path: string, text: string): string[] {
  return text.split("\n").flatMap((line, index) =>
    EVERYTHING.test(line)
      ? [`${path}:${index + 1}: grants every permission: ${line.trim()}`]
      : []
  );
}

/** What is wrong with the command of a task. */
export function taskFaults(name: string, command: string): string[] {
  const faults: string[] = [];
  for (const part of command.split(/&&|\|\||[|;]/)) {
    const scope = SCOPED.exec(part)?.[1];
    if (scope !== undefined) {
      faults.push(`deno.json: task ${name}: --allow-${scope} has no scope`);
    }
    if (RUNS_NETWORK_CODE.test(part) && !/\s--allow-net\b/.test(part)) {
      faults.push(`deno.json: task ${name}: --allow-net is not given`);
    }
  }
  return faults;
}

/** The commands of a configuration's tasks, by name. */
export function taskCommands(config: {
  tasks?: Record<string, string | { command?: string }>;
}): [name: string, command: string][] {
  return Object.entries(config.tasks ?? {}).map(([name, task]) => [
    name,
    typeof task === "string" ? task : task.command ?? "",
  ]);
}

if (import.meta.main) {
  const faults = taskCommands(JSON.parse(await Deno.readTextFile("deno.json")))
    .flatMap(([name, command]) => taskFaults(name, command));
  const paths = ["deno.json", ...await Array.fromAsync(documents())];
  for await (const { name } of Deno.readDir(".ci")) paths.push(`.ci/${name}`);
  for (const path of paths) {
    faults.push(...permissionFaults(path, await Deno.readTextFile(path)));
  }
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) Deno.exit(1);
}
