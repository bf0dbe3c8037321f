import {
  askLinks,
  type LinkRequest,
  type ToldLink,
} from "../../proxy/link/control.ts";
import { parseEndpoint } from "../../io/endpoint.ts";
import { UsageError } from "../arguments.ts";
import type { CommandSpec } from "../command_spec.ts";
import { formatBytes } from "../format.ts";
import type { Output } from "../output.ts";
import type { CommandMain, RunContext } from "../run.ts";
import { sanitize } from "../sanitize.ts";
import { readSettingTexts, SETTING_FLAGS } from "./link_flags.ts";

/** Where a link is looked at and changed. */
export const CONTROL_FLAG = {
  control: {
    type: "string",
    placeholder: "ENDPOINT",
    default: "unix:.portolan/link.sock",
    help: "The Unix socket by which a link is looked at and changed",
    check: parseEndpoint,
  },
} as const;

const NAME = {
  name: "link",
  help: "Its name; the only one if left out",
} as const;

/** What `link list` takes. */
export const linkListSpec = {
  name: "link list",
  summary: "Show all links that are running.",
  options: CONTROL_FLAG,
} as const satisfies CommandSpec;

/** What `link show` takes. */
export const linkShowSpec = {
  name: "link show",
  summary: "Show what a running link does, and what it has done.",
  positionals: [NAME],
  options: CONTROL_FLAG,
} as const satisfies CommandSpec;

/** What `link set` takes. */
export const linkSetSpec = {
  name: "link set",
  summary: "Change what a running link does.",
  positionals: [NAME],
  options: { ...SETTING_FLAGS, ...CONTROL_FLAG },
  examples: [
    ["deno task link set --latency 200 --loss 5%", "Worse, both ways"],
    ["deno task link set --down 'rate=1Mbit'", "Slower for the client"],
    ["deno task link set --offline on", "An outage, until it is off"],
  ],
} as const satisfies CommandSpec;

/** Shows all links. */
export const linkListMain: CommandMain<typeof linkListSpec> = (
  { control },
  context,
) => ask(control, { do: "list" }, context);

/** Shows one link. */
export const linkShowMain: CommandMain<typeof linkShowSpec> = (
  { control, link },
  context,
) =>
  ask(
    control,
    { do: "show", ...(link === undefined ? {} : { name: link }) },
    context,
  );

/** Changes one link. */
export const linkSetMain: CommandMain<typeof linkSetSpec> = async (
  { control, link, ...values },
  context,
) => {
  const { both, up, down } = readSettingTexts(values);
  const changes = [
    ...(both === undefined ? [] : [{ settings: both }]),
    ...(up === undefined ? [] : [{ settings: up, direction: "up" } as const]),
    ...(down === undefined
      ? []
      : [{ settings: down, direction: "down" } as const]),
  ];
  if (changes.length === 0) {
    throw new UsageError("Cannot set: nothing was given, such as --latency 50");
  }
  const name = link === undefined ? {} : { name: link };
  let links: ToldLink[] = [];
  for (const change of changes) {
    links = await askLinks(String(control), { do: "set", ...name, ...change });
  }
  show(links, context.output);
};

async function ask(
  control: string,
  request: LinkRequest,
  { output }: RunContext,
): Promise<void> {
  show(await askLinks(control, request), output);
}

function show(links: ToldLink[], output: Output): void {
  for (const link of links) {
    const { name, endpoint, to, seed, connections } = link;
    output.print(
      sanitize(
        `${name}: ${endpoint} to ${to}, ${connections} connections, seed ${seed}`,
      ),
      link,
    );
    for (const direction of ["up", "down"] as const) {
      const { settings, counters } = link[direction];
      const { deliveredBytes, lost, dropped } = counters;
      output.print(
        sanitize(
          `  ${direction.padEnd(4)} ${settings}; ${
            formatBytes(deliveredBytes)
          } delivered, ${lost} packets lost, ${dropped} dropped`,
        ),
      );
    }
  }
}
