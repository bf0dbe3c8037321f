/**
 * Tokens and the keys that sign them: make keys, issue, look at, verify, revoke.
 *
 * @module
 */

import { decodeJwt, decodeProtectedHeader } from "npm:jose@6.2.17";
import { dirname } from "node:path";
import { AuthenticationError } from "../../security/authentication.ts";
import {
  publicTokenKey,
  rotateTokenKey,
  tokenKeysFile,
} from "../../security/token_keys.ts";
import {
  TokenRevocations,
  tokenRevocationsFile,
} from "../../security/token_revocations.ts";
import { type JwtTokens, jwtTokens } from "../../security/tokens.ts";
import { UsageError } from "../arguments.ts";
import type { CommandSpec, CommandValues } from "../command_spec.ts";
import type { Output } from "../output.ts";
import { readSecret } from "../read_secret.ts";
import { type CommandMain, runMain } from "../run.ts";
import { sanitize } from "../sanitize.ts";

const ACTIONS = [
  "key",
  "public",
  "issue",
  "inspect",
  "verify",
  "revoke",
] as const;

/** What the command takes. */
export const tokenSpec = {
  name: "token",
  summary: "Make signing keys and tokens, look at tokens and take them back.",
  positionals: [
    { name: "action", help: ACTIONS.join(", "), required: true },
    {
      name: "subject",
      help: "issue: whom the token names; inspect, verify, revoke: the token," +
        " which is read from the standard input when left out",
    },
  ],
  options: {
    keys: {
      type: "string",
      placeholder: "FILE",
      default: ".portolan/token_keys.json",
      help: "File of the keys, a JSON Web Key Set",
      variable: false,
    },
    revoked: {
      type: "string",
      placeholder: "FILE",
      help: "File of the tokens that were taken back",
      variable: false,
    },
    algorithm: {
      type: "string",
      choices: ["EdDSA", "ES256"],
      default: "EdDSA",
      help: "What the new key is for",
      variable: false,
    },
    issuer: { type: "string", default: "portolan", help: "Who issues" },
    audience: { type: "string", default: "portolan", help: "For whom" },
    role: {
      type: "list",
      placeholder: "ROLE",
      help: "What the bearer may be; may be repeated",
      variable: false,
    },
    minutes: {
      type: "number",
      default: 60,
      min: 0.01,
      help: "How long the token is good for",
      variable: false,
    },
  },
  examples: [
    ["deno task token key", "Make a key, or put a new one before the old ones"],
    ["deno task token public", "Print the keys that others verify with"],
    ["deno task token issue ada --role admin", "Print a token for an hour"],
    ["deno task token verify < token.txt", "Exit with 0 if it is good"],
    ["deno task token inspect < token.txt", "Print it, good or not"],
  ],
} as const satisfies CommandSpec;

type Values = CommandValues<typeof tokenSpec>;

/** What each action does. */
const DOES: Record<
  typeof ACTIONS[number],
  (values: Values, output: Output) => Promise<number | void>
> = {
  async key({ keys, algorithm }, output) {
    await Deno.mkdir(dirname(keys), { recursive: true });
    const kid = await rotateTokenKey(keys, algorithm);
    output.print(`key ${kid} in ${keys}`, { type: "key", kid, file: keys });
  },
  async public({ keys: path }, output) {
    await tokenKeysFile(path);
    const { keys } = JSON.parse(await Deno.readTextFile(path));
    const jwks = { keys: keys.map(publicTokenKey) };
    output.print(JSON.stringify(jwks, null, 2), jwks);
  },
  async issue(values, output) {
    const { subject, role, minutes } = values;
    if (subject === undefined) {
      throw new UsageError("Cannot issue a token: no SUBJECT was given");
    }
    const token = await (await tokensOf(values)).issue(
      { id: subject, roles: role },
      { lifetimeMs: minutes * 60_000 },
    );
    output.print(token, { type: "token", token });
  },
  async inspect({ subject }, output) {
    const token = subject ?? await readSecret("Token: ");
    let parts: { header: unknown; payload: unknown };
    try {
      parts = {
        header: decodeProtectedHeader(token),
        payload: decodeJwt(token),
      };
    } catch {
      throw new Error("Cannot inspect the token: it is no JWT");
    }
    output.print(
      sanitize(JSON.stringify(parts, null, 2), { lineBreak: "\n" }),
      {
        type: "inspected",
        ...parts,
      },
    );
  },
  async verify(values, output) {
    const token = values.subject ?? await readSecret("Token: ");
    const tokens = await tokensOf(values);
    const principal = await explained(
      "verify",
      tokens.authenticate({ type: "token", token }, {
        source: "",
        identity: undefined,
        signal: new AbortController().signal,
        nowMs: Date.now(),
        memory: new Map(),
      }),
    );
    if (!("id" in principal)) return 1;
    const { id, roles, expiresAtMs = 0 } = principal;
    const expires = new Date(expiresAtMs).toISOString();
    output.print(
      sanitize(`good until ${expires}: ${[id, ...roles].join(" ")}`),
      { type: "verified", id, roles, expires },
    );
  },
  async revoke(values, output) {
    if (values.revoked === undefined) {
      throw new UsageError("Cannot revoke a token: no --revoked was given");
    }
    await Deno.mkdir(dirname(values.revoked), { recursive: true });
    const token = values.subject ?? await readSecret("Token: ");
    await explained("revoke", (await tokensOf(values)).revoke(token));
    output.print("revoked", { type: "revoked" });
  },
};

/** Does what the command line says. */
export const tokenMain: CommandMain<typeof tokenSpec> = async (
  values,
  { output },
) => {
  const does = new Map(Object.entries(DOES)).get(values.action);
  if (does === undefined) {
    throw new UsageError(
      `Cannot do "${values.action}": allowed are ${ACTIONS.join(", ")}`,
    );
  }
  return await does(values, output);
};

async function tokensOf(
  { keys, revoked, issuer, audience }: Values,
): Promise<JwtTokens> {
  return jwtTokens({
    keys: await tokenKeysFile(keys),
    issuer,
    audience,
    revoked: revoked === undefined
      ? new TokenRevocations()
      : await tokenRevocationsFile(revoked),
  });
}

/** Who stands at the command line may know what is wrong with a token. */
async function explained<T>(verb: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof AuthenticationError)) throw error;
    throw new Error(`Cannot ${verb} the token: ${error.detail}`);
  }
}

/** Runs the command as this process, and exits. */
export function run(args: readonly string[]): Promise<never> {
  return runMain(tokenSpec, tokenMain, args);
}
