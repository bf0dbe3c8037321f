/**
 * The tools of the suite as one program: `main.ts NAME [--flags]` runs the command NAME.
 *
 * @module
 */

import { standardOutput } from "./output.ts";
import { closestMatch } from "./suggest.ts";

/** What the module of a command exports. */
interface Command {
  /** Runs the command with what follows its name, and exits. */
  run(args: readonly string[]): Promise<never>;
}

/** Loads the module of each command. */
const COMMANDS = new Map<string, () => Promise<Command>>([
  ["token", () => import("./commands/token.ts")],
  ["users", () => import("./commands/users.ts")],
  ["audit", () => import("./commands/audit.ts")],
  ["cert", () => import("./commands/cert.ts")],
  ["gateway", () => import("./commands/gateway.ts")],
  ["nat", () => import("./commands/nat.ts")],
  ["options", () => import("./commands/options.ts")],
  ["proxy", () => import("./commands/proxy.ts")],
  ["balance", () => import("./commands/balance.ts")],
  ["link", () => import("./commands/link.ts")],
  ["send", () => import("./commands/send.ts")],
  ["receive", () => import("./commands/receive.ts")],
  ["get", () => import("./commands/get.ts")],
  ["list", () => import("./commands/list.ts")],
]);

const [name = "", ...args] = Deno.args;
const load = COMMANDS.get(name);
if (load === undefined) {
  const names = [...COMMANDS.keys()];
  const meant = closestMatch(name, names);
  const hint = meant === undefined ? "" : ` (${meant}?)`;
  standardOutput({}).error(
    `portolan: Cannot run "${name}": no such command${hint}: allowed are ${
      names.join(", ")
    }`,
  );
  Deno.exit(2);
}
await (await load()).run(args);
