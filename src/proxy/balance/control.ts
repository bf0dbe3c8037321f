import type { BackendReport } from "../../proto/balance/backend.ts";
import { text as utf8 } from "../../proto/codec/text.ts";
import { lines } from "../../proto/framing/delimited.ts";
import { connect } from "../../client/connect.ts";
import { serve } from "../../server/serve.ts";
import type { Server } from "../../server/server.ts";
import type { Balancer } from "./balancer.ts";
import { readTarget } from "./config.ts";
import { choice, LocatedJson, object, text, whole } from "./located_json.ts";
import type { BalanceTarget } from "./options.ts";

/** What a running balancer can be told. */
export type ControlRequest =
  /** Nothing; the answer tells what is so. */
  | { do: "list" }
  /** Reads its configuration again. */
  | { do: "reload" }
  /** Adds a backend. */
  | { do: "add"; target: BalanceTarget }
  /** Changes a backend. */
  | { do: "drain" | "ready" | "remove"; backend: string }
  /** Gives a backend another weight. */
  | { do: "weight"; backend: string; weight: number };

/** What a running balancer answers. */
export interface ControlReport {
  /** How backends are chosen. */
  readonly policy: string;
  /** Connections now. */
  readonly connections: number;
  /** Those of them that wait for a backend. */
  readonly queued: number;
  /** The backends. */
  readonly backends: readonly BackendReport[];
}

type Answer = ControlReport | { error: string };

/** Longest request and answer: an answer has a line for each backend. */
const MAX_BYTES = 1 << 20;
const WIRE = lines(utf8(), { maxFrameBytes: MAX_BYTES });
/** Milliseconds in which a balancer must answer. */
const ANSWER_MS = 5_000;

const REQUESTS = {
  list: object({ do: text() }),
  reload: object({ do: text() }),
  add: object({ do: text(), target: readTarget }),
  drain: object({ do: text(), backend: text() }),
  ready: object({ do: text(), backend: text() }),
  remove: object({ do: text(), backend: text() }),
  weight: object({ do: text(), backend: text(), weight: whole(1, 256) }),
};

const ACTIONS = Object.keys(REQUESTS) as ControlRequest["do"][];

function parseRequest(line: string): ControlRequest {
  const root = LocatedJson.parse(line, "the request");
  const keys = ["do", "target", "backend", "weight"];
  const action = root.members(keys).get("do")?.read(choice(...ACTIONS));
  if (action === undefined) throw root.fault(`the key "do" is missing`);
  const request = root.read(REQUESTS[action]);
  const wanted = action === "add"
    ? ["target"]
    : action === "weight"
    ? ["backend", "weight"]
    : action === "list" || action === "reload"
    ? []
    : ["backend"];
  for (const key of wanted) {
    if (key in request) continue;
    throw root.fault(`the key "${key}" is missing`);
  }
  // Its keys were read by the readers of its action, and none is missing.
  return { ...request, do: action } as ControlRequest;
}

/**
 * Lets a balancer be changed over the endpoint `listen`, usually a Unix socket, by lines of JSON: each is answered by one.
 *
 * @throws {EndpointError} If the endpoint cannot be listened on.
 */
export function serveControl(
  listen: string,
  balancer: Balancer,
  reload: () => Promise<void>,
): Promise<Server<string, string, unknown>> {
  return serve({
    listen,
    wire: WIRE,
    handler: {
      message: async (peer, line) => {
        let answer: Answer;
        try {
          await obey(balancer, parseRequest(line), reload);
          const { policy, connections, queued, backends } = balancer;
          answer = { policy, connections, queued, backends };
        } catch (error) {
          answer = {
            error: error instanceof Error ? error.message : `${error}`,
          };
        }
        peer.send(JSON.stringify(answer));
      },
    },
  });
}

async function obey(
  balancer: Balancer,
  request: ControlRequest,
  reload: () => Promise<void>,
): Promise<void> {
  switch (request.do) {
    case "list":
      return;
    case "reload":
      return await reload();
    case "add":
      return balancer.add(request.target);
    case "weight": {
      const { backend, weight } = request;
      return balancer.change({ type: "weight", backend, weight });
    }
    default:
      return balancer.change({ type: request.do, backend: request.backend });
  }
}

/**
 * Tells the balancer at the endpoint `to` something.
 *
 * @throws {Error} If it refuses; the message says why.
 * @throws {EndpointError} If nobody is there.
 */
export async function control(
  to: string,
  request: ControlRequest,
): Promise<ControlReport> {
  await using client = await connect({ to, wire: WIRE, timeoutMs: ANSWER_MS });
  client.send(
    JSON.stringify(request.do === "add" ? written(request) : request),
  );
  const line = await client.receive();
  if (line === undefined) {
    throw new Error(`Cannot ${request.do}: ${to} has closed without an answer`);
  }
  const answer = JSON.parse(line) as Answer;
  if ("error" in answer) throw new Error(answer.error);
  return answer;
}

/** As configuration files have it. */
function written(
  { target }: Extract<ControlRequest, { do: "add" }>,
): Record<string, unknown> {
  const { proxyProtocol, tls: _, ...rest } = target;
  return {
    do: "add",
    target: {
      ...rest,
      ...(proxyProtocol === undefined
        ? {}
        : { sendProxy: `v${proxyProtocol}` }),
    },
  };
}
