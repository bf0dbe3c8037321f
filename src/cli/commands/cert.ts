/**
 * Certificates from a local authority: make, pack, look at, verify, revoke.
 *
 * @module
 */

import { UsageError } from "../arguments.ts";
import { closestMatch } from "../suggest.ts";
import {
  expiryCommand,
  inspectCommand,
  pinCommand,
  verifyCommand,
} from "./cert_check.ts";
import { type CertCommand, certCommand } from "./cert_command.ts";
import { caCommand, clientCommand, serverCommand } from "./cert_make.ts";
import { p12Command } from "./cert_p12.ts";
import { revokeCommand } from "./cert_revoke.ts";

const COMMANDS: ReadonlyMap<string, CertCommand> = new Map(
  [
    caCommand,
    serverCommand,
    clientCommand,
    p12Command,
    inspectCommand,
    verifyCommand,
    expiryCommand,
    revokeCommand,
    pinCommand,
  ].map((command) => [command.spec.name.replace("cert ", ""), command]),
);

/** What remains if no command is named: its help, and why it cannot run. */
const chooser = certCommand({
  name: "cert",
  summary: "Certificates from a local authority.",
  positionals: [{
    name: "command",
    help: `What to do: ${[...COMMANDS.keys()].join(", ")}`,
    required: true,
  }],
  examples: [
    ...Array.from(
      COMMANDS.values(),
      ({ spec }) => [`deno task ${spec.name} --help`, spec.summary] as const,
    ),
  ],
}, ({ command }) => {
  const near = closestMatch(command, [...COMMANDS.keys()]);
  const hint = near === undefined ? "" : ` (did you mean ${near}?)`;
  throw new UsageError(
    `Cannot run "${command}": no such command${hint}: allowed are ${
      [...COMMANDS.keys()].join(", ")
    }`,
  );
});

/** The command that the first argument names, and what is left for it. */
export function chooseCommand(
  args: readonly string[],
): { command: CertCommand; args: readonly string[] } {
  const command = COMMANDS.get(args[0] ?? "");
  return command === undefined
    ? { command: chooser, args: args.slice(0, 1) }
    : { command, args: args.slice(1) };
}

/** Runs the command that the first argument names, as this process, and exits. */
export function run(args: readonly string[]): Promise<never> {
  const chosen = chooseCommand(args);
  return chosen.command.run(chosen.args);
}
