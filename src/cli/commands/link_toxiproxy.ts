import { serveToxiproxy } from "../../proxy/link/toxiproxy.ts";
import { endpointOf } from "../../proxy/link/toxic_proxy.ts";
import { parseEndpoint } from "../../io/endpoint.ts";
import type { CommandSpec } from "../command_spec.ts";
import type { CommandMain } from "../run.ts";
import { tellLinkEvent } from "./link_events.ts";

/** What `link toxiproxy` takes. */
export const linkToxiproxySpec = {
  name: "link toxiproxy",
  summary: "Serve toxiproxy's HTTP API, for its clients.",
  positionals: [
    {
      name: "address",
      help: "Where to listen for HTTP: HOST:PORT",
      default: "127.0.0.1:8474",
      check: endpointOf,
    },
  ],
  options: {
    seed: {
      type: "integer",
      help: "What chance is drawn from; one is chosen and printed without it",
      variable: false,
    },
  },
  examples: [
    ["deno task link toxiproxy", "Where toxiproxy's clients look for it"],
  ],
} as const satisfies CommandSpec;

/** Serves the API until it is stopped. */
export const linkToxiproxyMain: CommandMain<typeof linkToxiproxySpec> = async (
  { address, seed = crypto.getRandomValues(new Uint32Array(1))[0]! },
  { output, listening, stopped },
) => {
  const endpoint = parseEndpoint(endpointOf(address));
  const { hostname, port } = endpoint as { hostname: string; port: number };
  await using server = serveToxiproxy({
    hostname,
    port,
    seed,
    observe: (event) => tellLinkEvent(event, output),
  });
  output.print(`seed ${seed}`, { type: "seed", seed });
  listening([server.url]);
  await stopped;
};
