import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { connect } from "../../client/connect.ts";
import { inOrder } from "../../client/correlation.ts";
import { parseEndpoint } from "../../io/endpoint.ts";
import { json } from "../../proto/codec/json.ts";
import { lines } from "../../proto/framing/delimited.ts";
import type { LinkCounters } from "../../proto/link/impaired_link.ts";
import type {
  ByDirection,
  LinkDirection,
} from "../../proto/link/impairments.ts";
import { formatSettings, parseSettings } from "../../proto/link/settings.ts";
import { serve } from "../../server/serve.ts";
import type { Server } from "../../server/server.ts";
import type { EmulatedLink, LinkState } from "./emulated_link.ts";

/** The longest request and answer: a few settings, or the states of a few hundred links. */
const MAX_LINE_BYTES = 256 * 1024;

/** How long a running link may take to answer. */
const ANSWER_MS = 5_000;

/** What a link is asked for over its control socket, a line of JSON each. */
export type LinkRequest =
  /** All links. */
  | { do: "list" }
  /** One link, or the only one. */
  | { do: "show"; name?: string }
  /** Changes one link, or the only one. */
  | { do: "set"; name?: string; direction?: LinkDirection; settings: string };

/** A link as its control socket tells it: settings as text, as JSON has no infinity. */
export interface ToldLink extends Omit<LinkState, "up" | "down"> {
  /** What happens to what the client sends. */
  readonly up: { settings: string; counters: LinkCounters };
  /** What happens to what the server sends. */
  readonly down: ByDirection<
    { settings: string; counters: LinkCounters }
  >["down"];
}

type LinkAnswer = { links: ToldLink[] } | { error: string };

/** Writes the state of a link for {@linkcode LinkRequest}. */
export function tellLink({ up, down, ...state }: LinkState): ToldLink {
  const tell = ({ impairments, counters }: LinkState["up"]) => ({
    settings: formatSettings(impairments),
    counters,
  });
  return { ...state, up: tell(up), down: tell(down) };
}

/**
 * Lets links be looked at and changed from outside, over a Unix socket; `.../FOLDER` of its path is made if need be.
 *
 * @throws {EndpointError} If it cannot listen.
 */
export async function controlLinks(
  listen: string,
  links: readonly EmulatedLink[],
): Promise<Server<LinkRequest, LinkAnswer>> {
  const endpoint = parseEndpoint(listen);
  if (endpoint.scheme === "unix") {
    await mkdir(dirname(endpoint.path), { recursive: true });
  }
  return await serve<LinkRequest, LinkAnswer>({
    listen,
    wire: lines(json<LinkRequest, LinkAnswer>(), {
      maxFrameBytes: MAX_LINE_BYTES,
    }),
    handler: {
      message(peer, request) {
        peer.send(answer(request, links));
      },
    },
  });
}

function answer(
  request: LinkRequest,
  links: readonly EmulatedLink[],
): LinkAnswer {
  try {
    const told = carryOut(request, links);
    return { links: told.map(({ state }) => tellLink(state)) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

function carryOut(
  request: LinkRequest,
  links: readonly EmulatedLink[],
): readonly EmulatedLink[] {
  const { do: action, name, direction, settings } = Object(request);
  if (action === "list") return links;
  const found = name === undefined && links.length === 1
    ? links[0]
    : links.find((link) => link.name === name);
  if (found === undefined) {
    throw new RangeError(
      `Cannot find link: the names are ${
        links.map(({ name }) => name).join(", ")
      }: current value is "${name}"`,
    );
  }
  if (action === "show") return [found];
  if (action !== "set") {
    throw new TypeError(
      `Cannot control a link: list, show or set is expected: current value is "${action}"`,
    );
  }
  if (![undefined, "up", "down"].includes(direction)) {
    throw new TypeError(
      `Cannot set a link: the direction is up or down: current value is "${direction}"`,
    );
  }
  found.set(parseSettings(String(settings)), direction);
  return [found];
}

/**
 * Asks the links behind a control socket, and returns those that it was about.
 *
 * @throws {Error} If they refuse.
 * @throws {EndpointError} If nobody answers there.
 */
export async function askLinks(
  to: string,
  request: LinkRequest,
): Promise<ToldLink[]> {
  await using client = await connect({
    to,
    wire: lines(json<LinkAnswer, LinkRequest>(), {
      maxFrameBytes: MAX_LINE_BYTES,
    }),
    correlate: inOrder(),
  });
  const answer = await client.request(request, { timeoutMs: ANSWER_MS });
  if ("error" in answer) throw new Error(answer.error);
  return answer.links;
}
