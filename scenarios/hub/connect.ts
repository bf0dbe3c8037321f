import { parseEndpoint, runMain } from "../../mod.ts";
import { Chat } from "./connect/chat.ts";
import { converse, evaluate } from "./connect/interactive.ts";
import { DEFAULT_HUB } from "./connect/session.ts";

await runMain({
  name: "connect",
  summary: "Talk to a hub: by hand, by a script, or to measure it.",
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
    ["echo ahoy | deno task connect", "Say a line to everybody"],
  ],
}, async (values, { output, signal }) => {
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
  await using chat = await Chat.open(options, output);
  return values.eval.length > 0
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
