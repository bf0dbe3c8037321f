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
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([]);

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
