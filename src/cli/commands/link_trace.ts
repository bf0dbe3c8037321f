import { parseValue } from "../../proto/link/settings.ts";
import { formatTrace, generateTrace } from "../../proto/link/trace.ts";
import type { CommandSpec } from "../command_spec.ts";
import type { CommandMain } from "../run.ts";

/** What `link trace` takes. */
export const linkTraceSpec = {
  name: "link trace",
  summary: "Make up a trace of a cellular link, in mahimahi's format.",
  options: {
    seconds: {
      type: "number",
      default: 60,
      min: 0.1,
      max: 3600,
      help: "How long it lasts",
      variable: false,
    },
    rate: {
      type: "string",
      default: "6Mbit",
      placeholder: "RATE",
      help: "What it carries on average",
      check: (text) => parseValue("rate", text),
      variable: false,
    },
    seed: {
      type: "integer",
      default: 1,
      help: "What chance is drawn from",
      variable: false,
    },
  },
  examples: [
    [
      "deno task link trace --seconds 120 --rate 8Mbit > cell.trace",
      "Make one",
    ],
    [
      "deno task link tcp://127.0.0.1:7000 tcp://127.0.0.1:7001 " +
      "--trace cell.trace",
      "Use it",
    ],
  ],
} as const satisfies CommandSpec;

/** Prints a trace. */
export const linkTraceMain: CommandMain<typeof linkTraceSpec> = (
  { seconds, rate, seed },
  { output },
) => {
  output.write(formatTrace(generateTrace({
    durationMs: Math.round(seconds * 1000),
    meanBytesPerSecond: Number(parseValue("rate", rate)),
    seed,
  })));
};
