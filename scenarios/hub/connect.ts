import {
  CLIENT_TLS_FLAGS,
  parseEndpoint,
  readClientTls,
  readSecret,
  runMain,
  UsageError,
} from "../../mod.ts";
import { Chat } from "./connect/chat.ts";
import { demonstrate } from "./connect/demo.ts";
import { converse, evaluate } from "./connect/interactive.ts";
import { measure } from "./connect/performance.ts";
import { DEFAULT_HUB } from "./connect/session.ts";
import type { LoginMessage } from "./messages.ts";

await runMain({
  name: "connect",
  summary: "Talk to a hub, by hand or by script, or measure it.",
  positionals: [{
    name: "endpoint",
    help: "Where the hub is",
    default: DEFAULT_HUB,
    check: parseEndpoint,
  }],
  options: {
    eval: {
      type: "list",
      short: "e",
      placeholder: "LINES",
      help: 'Run lines ("line; line") and exit; may be repeated',
      variable: false,
    },
    demo: {
      type: "boolean",
      help: "Show every function, message by message",
      variable: false,
    },
    performance: {
      type: "boolean",
      help: "Measure throughput and latency, and draw them",
      variable: false,
    },
    connections: {
      type: "integer",
      default: 50,
      min: 1,
      max: 10_000,
      help: "Connections to measure with",
      variable: false,
    },
    window: {
      type: "integer",
      default: 16,
      min: 1,
      max: 10_000,
      help: "Messages in flight on each",
      variable: false,
    },
    size: {
      type: "integer",
      default: 64,
      min: 0,
      max: 1_000_000,
      help: "Characters in a message",
      variable: false,
    },
    seconds: {
      type: "number",
      default: 3,
      min: 0.1,
      max: 3600,
      help: "Seconds to measure each",
      variable: false,
    },
    user: {
      type: "string",
      placeholder: "NAME",
      help: "Log in with this account; its password is asked for",
    },
    passwordFile: {
      type: "string",
      placeholder: "FILE",
      help: "Where the password is",
    },
    tokenFile: {
      type: "string",
      placeholder: "FILE",
      help: "Log in with the token in this file",
    },
    ...CLIENT_TLS_FLAGS,
  },
  examples: [
    ["deno task connect", "Talk to the hub on this machine"],
    [
      'deno task connect --eval "/name ann; /join harbour; /to #harbour ahoy"',
      "Run lines, print the answers",
    ],
    ["deno task connect --demo", "See what a hub can do"],
    [
      "deno task connect --performance --connections 100",
      "Measure a hub; --json prints the figures for a program",
    ],
    ["echo ahoy | deno task connect", "Say a line to everybody"],
    [
      "deno task connect tls://127.0.0.1:9443 --ca .portolan/tls/ca.pem " +
      "--user ada",
      "Log in",
    ],
  ],
}, async (values, { output, signal }) => {
  const options = {
    to: values.endpoint,
    signal,
    tls: await readClientTls(values),
    login: await readLogin(values),
  };
  if (values.demo) return await demonstrate(options, output);
  if (values.performance) return await measure(options, values, output);
  const scripted = values.eval.length > 0;
  const stay = !scripted && Deno.stdin.isTerminal();
  await using chat = await Chat.open(options, output, stay);
  return scripted
    ? await evaluate(chat, values.eval, signal)
    : await converse(chat, signal);
});

/** How to log in, if anything was said about it. */
async function readLogin(
  { user, passwordFile, tokenFile }: {
    user?: string | undefined;
    passwordFile?: string | undefined;
    tokenFile?: string | undefined;
  },
): Promise<LoginMessage | undefined> {
  if (tokenFile !== undefined) {
    if (user !== undefined) {
      throw new UsageError("Cannot use --user and --token-file together");
    }
    return { type: "login", token: await readLine(tokenFile) };
  }
  if (user === undefined) return undefined;
  if (passwordFile !== undefined) {
    return { type: "login", user, password: await readLine(passwordFile) };
  }
  if (!Deno.stdin.isTerminal()) {
    throw new UsageError(
      "Cannot ask for a password: the standard input is no terminal: --password-file is needed",
    );
  }
  const password = await readSecret(`Password of ${user}: `);
  return { type: "login", user, password };
}

/** The first line of a file. */
async function readLine(path: string): Promise<string> {
  try {
    return (await Deno.readTextFile(path)).split(/\r?\n/, 1)[0]!;
  } catch (cause) {
    throw new Error(`Cannot read ${path}`, { cause });
  }
}
