import { parseEndpoint, runMain, UsageError } from "../../mod.ts";
import { Chat } from "./connect/chat.ts";
import { demonstrate } from "./connect/demo.ts";
import { converse, evaluate } from "./connect/interactive.ts";
import { measure } from "./connect/performance.ts";
import { DEFAULT_HUB } from "./connect/session.ts";

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
    ca: { type: "string", placeholder: "FILE", help: "Authority to trust" },
    cert: { type: "string", placeholder: "FILE", help: "Own certificate" },
    key: { type: "string", placeholder: "FILE", help: "Its private key" },
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
  ],
}, async (values, { output, signal }) => {
  if ((values.cert === undefined) !== (values.key === undefined)) {
    throw new UsageError("Cannot use --cert and --key one without the other");
  }
  const [ca, cert, key] = await Promise.all(
    [values.ca, values.cert, values.key].map(readFile),
  );
  const options = {
    to: values.endpoint,
    signal,
    ...(ca === undefined ? {} : { caCerts: [ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
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

async function readFile(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw new Error(`Cannot read ${path}`, { cause });
  }
}
