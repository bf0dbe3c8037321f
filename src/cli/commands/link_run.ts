import { parseEndpoint } from "../../io/endpoint.ts";
import type {
  Impairments,
  LinkDirection,
} from "../../proto/link/impairments.ts";
import { LINK_PRESETS, type LinkPresetName } from "../../proto/link/presets.ts";
import { parseChange, parseOutages } from "../../proto/link/settings.ts";
import { parseTrace } from "../../proto/link/trace.ts";
import { controlLinks } from "../../proxy/link/control.ts";
import {
  isDatagramEndpoint,
  parseDatagramEndpoint,
} from "../../proxy/link/datagram_front.ts";
import {
  type EmulatedLink,
  emulateLink,
} from "../../proxy/link/emulated_link.ts";
import {
  isPacketEndpoint,
  parsePacketEndpoint,
} from "../../proxy/link/packet_front.ts";
import { UsageError } from "../arguments.ts";
import type { CommandSpec } from "../command_spec.ts";
import { describeError } from "../describe_error.ts";
import type { Output } from "../output.ts";
import type { CommandMain } from "../run.ts";
import { CONTROL_FLAG } from "./link_control.ts";
import { tellLinkEvent } from "./link_events.ts";
import { readSettingTexts, SETTING_FLAGS, settingsFor } from "./link_flags.ts";

function checkEndpoint(text: string): unknown {
  if (isPacketEndpoint(text)) return parsePacketEndpoint(text);
  return isDatagramEndpoint(text)
    ? parseDatagramEndpoint(text)
    : parseEndpoint(text);
}

const traceFlag = (help: string) => ({
  type: "string",
  placeholder: "FILE",
  help,
  variable: false,
} as const);

/** What `link` takes. */
export const linkSpec = {
  name: "link",
  summary: "Put a network that misbehaves on purpose between two programs.",
  positionals: [
    {
      name: "listen",
      help:
        "Where to listen: tcp://HOST:PORT, unix:/PATH or udp://HOST:PORT; " +
        "or list, show, set, trace, toxiproxy",
      required: true,
      check: checkEndpoint,
    },
    {
      name: "to",
      help: "Where everything goes",
      required: true,
      check: checkEndpoint,
    },
  ],
  options: {
    ...SETTING_FLAGS,
    preset: {
      type: "string",
      choices: Object.keys(LINK_PRESETS),
      help: "A link that many have; other flags come on top",
      variable: false,
    },
    outage: {
      type: "list",
      placeholder: "LENGTH/EVERY",
      help: "Outages, such as 10s/60s for ten seconds of every minute",
      check: parseOutages,
      variable: false,
    },
    at: {
      type: "list",
      placeholder: "CHANGE",
      help: "What changes with time: '30s loss=5%', " +
        "'30s/1m down latency=200' for every minute; may be repeated",
      check: parseChange,
      variable: false,
    },
    trace: traceFlag("A trace of mahimahi's, which says what the link carries"),
    traceUp: traceFlag("The same for what the client sends"),
    traceDown: traceFlag("The same for what the server sends"),
    seed: {
      type: "integer",
      help: "What chance is drawn from; one is chosen and printed without it",
      variable: false,
    },
    ...CONTROL_FLAG,
  },
  examples: [
    [
      "deno task link tcp://127.0.0.1:7000 tcp://127.0.0.1:7001 --latency 50 " +
      "--rate 20Mbit --outage 10s/60s",
      "Slow, and away for ten seconds of every minute",
    ],
    [
      "deno task link udp://127.0.0.1:7000 udp://127.0.0.1:7001 --loss 2% " +
      "--reorder 1% --seed 7",
      "Datagrams that are lost and overtaken, the same each time",
    ],
    [
      "deno task link tcp://127.0.0.1:7000 tcp://127.0.0.1:7001 --preset lte",
      "A phone",
    ],
    [
      "deno task link:packets tun:left tun:right --latency 20 --loss 1%",
      "Two network devices, whose kernels see the losses (root)",
    ],
    ["deno task link set --latency 300", "Change the one that is running"],
    ["deno task link show", "See what it does, and has done"],
  ],
} as const satisfies CommandSpec;

/** Runs a link. */
export const linkMain: CommandMain<typeof linkSpec> = async (
  values,
  { output, listening, stopped },
) => {
  const listen = String(values.listen);
  const to = String(values.to);
  const seed = values.seed === undefined
    ? crypto.getRandomValues(new Uint32Array(1))[0]!
    : Number(values.seed);
  const texts = readSettingTexts({ ...values });
  const preset = values.preset === undefined
    ? undefined
    : LINK_PRESETS[values.preset as LinkPresetName];
  const impairments = async (
    direction: LinkDirection,
  ): Promise<Impairments> => ({
    ...preset?.[direction],
    ...settingsFor(texts, direction),
    ...await readTrace(
      direction === "up" ? values.traceUp : values.traceDown,
      values.trace,
    ),
  });
  await using link = await emulateLink({
    listen,
    to,
    up: await impairments("up"),
    down: await impairments("down"),
    schedule: [
      ...list(values.outage).flatMap(parseOutages),
      ...list(values.at).map(parseChange),
    ],
    seed,
    observe: (event) => tellLinkEvent(event, output),
  });
  output.print(`seed ${seed}`, { type: "seed", seed });
  await using _control = await openControl(
    String(values.control),
    link,
    output,
  );
  listening([link.endpoint]);
  await stopped;
};

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

async function readTrace(
  one: unknown,
  both: unknown,
): Promise<Pick<Impairments, "trace">> {
  const path = one ?? both;
  if (path === undefined) return {};
  try {
    return { trace: parseTrace(await Deno.readTextFile(String(path))) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError(`${error.message}: in ${path}`, { cause: error });
  }
}

/** A link without a control socket is one that another link holds, which is no reason not to run. */
async function openControl(
  control: string,
  link: EmulatedLink,
  output: Output,
): Promise<AsyncDisposable | undefined> {
  try {
    return await controlLinks(control, [link]);
  } catch (error) {
    output.error(
      `link: ${describeError(error)}; it cannot be changed while it runs`,
    );
    return undefined;
  }
}
