/**
 * Accounts that log in with passwords: add, remove, list, change roles, check.
 *
 * @module
 */

import { dirname } from "node:path";
import { checkName } from "../../security/names.ts";
import {
  normalizePassword,
  PasswordHasher,
} from "../../security/password_hash.ts";
import { UsersFile } from "../../security/users.ts";
import { UsageError } from "../arguments.ts";
import type { CommandSpec } from "../command_spec.ts";
import type { Output } from "../output.ts";
import { readSecret } from "../read_secret.ts";
import { type CommandMain, runMain } from "../run.ts";

const ACTIONS = ["add", "remove", "list", "roles", "check"] as const;

/** What the command takes. */
export const usersSpec = {
  name: "users",
  summary: "Keep the accounts that log in with passwords.",
  positionals: [
    { name: "action", help: ACTIONS.join(", "), required: true },
    { name: "user", help: "The name of the account" },
  ],
  options: {
    file: {
      type: "string",
      placeholder: "FILE",
      default: ".portolan/users.json",
      help: "File of the accounts",
      variable: false,
    },
    role: {
      type: "list",
      placeholder: "ROLE",
      help: "What the account may be; may be repeated",
      variable: false,
    },
  },
  examples: [
    ["deno task users add ada --role admin", "Ask for a password, and add ada"],
    ["deno task users add ada < password.txt", "Take the password from a file"],
    ["deno task users roles ada --role user", "Give ada other roles"],
    ["deno task users check ada", "Ask for a password, and exit with 0 or 1"],
  ],
} as const satisfies CommandSpec;

/** Does what the command line says. */
export const usersMain: CommandMain<typeof usersSpec> = async (
  { action, user, file, role },
  { output },
) => {
  if (!(ACTIONS as readonly string[]).includes(action)) {
    throw new UsageError(
      `Cannot do "${action}": allowed are ${ACTIONS.join(", ")}`,
    );
  }
  if (action === "list") {
    await listUsers(await UsersFile.open(file), output);
    return;
  }
  if (user === undefined) {
    throw new UsageError(`Cannot ${action}: no USER was given`);
  }
  if (action === "add") {
    await addUser({ file, user, roles: role }, output);
    return;
  }
  const users = await UsersFile.open(file);
  if (action === "check") return await checkPassword(users, user, output);
  const found = action === "remove"
    ? await users.remove(user)
    : await users.setRoles(user, role);
  if (!found) {
    const what = action === "remove" ? "remove" : "change roles";
    throw new Error(`Cannot ${what}: there is no user "${user}"`);
  }
  output.print(action === "remove" ? `removed ${user}` : `changed ${user}`, {
    type: action === "remove" ? "removed" : "changed",
    user,
  });
};

async function addUser(
  { file, user, roles }: { file: string; user: string; roles: string[] },
  output: Output,
): Promise<void> {
  checkName(user, "user name");
  await Deno.mkdir(dirname(file), { recursive: true });
  const users = await UsersFile.open(file, { create: true });
  const known = await users.find(user);
  const password = normalizePassword(
    await readSecret(`Password of ${user}: `),
  );
  if (
    Deno.stdin.isTerminal() &&
    normalizePassword(await readSecret("The same again: ")) !== password
  ) {
    throw new Error("Cannot add a user: the passwords are not the same");
  }
  const hash = await new PasswordHasher().hash(password);
  const kept = roles.length === 0 ? known?.roles ?? [] : roles;
  await users.add({ name: user, password: hash, roles: kept });
  const what = known === undefined ? "added" : "replaced";
  output.print(`${what} ${user}`, { type: what, user, roles: kept });
}

async function checkPassword(
  users: UsersFile,
  user: string,
  output: Output,
): Promise<number> {
  const hasher = new PasswordHasher();
  const account = await users.find(user);
  const isRight = await hasher.verify(
    await readSecret(`Password of ${user}: `),
    account?.password ?? hasher.decoy,
  ) && account !== undefined;
  output.print(isRight ? "right" : "wrong", { type: "checked", isRight });
  return isRight ? 0 : 1;
}

async function listUsers(users: UsersFile, output: Output): Promise<void> {
  for (const { name, roles } of await users.list()) {
    output.print([name, ...roles].join(" "), { type: "user", name, roles });
  }
}

/** Runs the command as this process, and exits. */
export function run(args: readonly string[]): Promise<never> {
  return runMain(usersSpec, usersMain, args);
}
