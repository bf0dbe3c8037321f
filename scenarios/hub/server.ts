import {
  type AuthenticatedCallbacks,
  Group,
  type HandlerCallbacks,
  lengthPrefixed,
  LocalProtocolError,
  type Peer,
  type Principal,
  serve,
  type ServeOptions,
  type Server,
} from "../../mod.ts";
import { type Backplane, type HubsChanged, joinCluster } from "./backplane.ts";
import { hubJson } from "./codec.ts";
import { type CustomHandler, HubEngine } from "./engine.ts";
import { refuse } from "./engine/answers.ts";
import { Client, type Identity } from "./engine/client.ts";
import type { Cluster } from "./engine/cluster.ts";
import type { FromHub, ToHub } from "./messages.ts";
import { answerBrowser } from "./web.ts";

/** Options of {@linkcode startHub}. */
export interface HubOptions extends
  Pick<
    ServeOptions<ToHub, FromHub, Client>,
    | "listen"
    | "limits"
    | "observe"
    | "tls"
    | "trustedProxies"
    | "webSocket"
    | "reusePort"
    | "backlog"
  > {
  /** Largest message in bytes. @default {1_048_576} */
  maxFrameBytes?: number;
  /** Handlers of message types of one's own. */
  handlers?: Readonly<Record<string, CustomHandler>>;
  /** Puts a login before the handler. */
  guard?: HubGuard;
  /** What joins this hub with others to one. */
  backplane?: Backplane;
  /** Is told of the other hubs. */
  hubsChanged?: HubsChanged;
}

/** Puts a login before a handler. */
export type HubGuard = (
  handler: AuthenticatedCallbacks<ToHub, FromHub, Client>,
) => HandlerCallbacks<ToHub, FromHub, Client>;

/** A running hub. */
export type Hub = Server<ToHub, FromHub, Client>;

/** Starts a hub; resolves once it listens. */
export async function startHub(options: HubOptions): Promise<Hub> {
  const { backplane, hubsChanged } = options;
  if (backplane === undefined) return await open(options);
  const { cluster, leave } = await joinCluster(backplane, hubsChanged);
  try {
    const hub = await open(options, cluster);
    void hub.closed.then(leave);
    return hub;
  } catch (error) {
    leave();
    throw error;
  }
}

async function open(options: HubOptions, cluster?: Cluster): Promise<Hub> {
  const {
    handlers,
    maxFrameBytes,
    guard = (handler) => handler as HandlerCallbacks<ToHub, FromHub, Client>,
    backplane: _,
    hubsChanged: __,
    ...serving
  } = options;
  const wire = lengthPrefixed(
    hubJson(),
    maxFrameBytes === undefined ? {} : { maxFrameBytes },
  );
  const createRoom = (name: string) =>
    new Group<ToHub, FromHub, Client>({
      name,
      gap: (missed) => ({ type: "gap", missed }),
    });
  const everyone = createRoom("everyone");
  const engine = new HubEngine<Peer<ToHub, FromHub, Client>>({
    everyone,
    createRoom,
    now: nowInTurn(),
    figures: () => ({
      total_connections: hub.counters.accepted,
      total_messages: hub.counters.messagesIn,
      messages_out: hub.counters.messagesOut,
      bytes_in: hub.counters.bytesIn,
      bytes_out: hub.counters.bytesOut,
    }),
    ...(cluster === undefined ? {} : { cluster }),
  }, handlers);
  const hub: Hub = await serve({
    ...serving,
    wire,
    webSocket: {
      http: (request) => answerBrowser(request, hub),
      ...options.webSocket,
    },
    // Who only listens is welcome: silence is bounded by the idle time alone.
    limits: { firstMessageMs: Infinity, ...options.limits },
    overLimit: (limit) => ({
      type: "error",
      code: "too_many_connections",
      message: `the hub takes no more connections (${limit})`,
    }),
    handler: guard({
      open(peer, principal?: Principal) {
        everyone.add(peer);
        return new Client(principal && identityOf(principal));
      },
      login: (peer, principal) => engine.become(peer, identityOf(principal)),
      message(peer, message) {
        try {
          return engine.handle(peer, message);
        } catch (error) {
          if (!(error instanceof LocalProtocolError)) throw error;
          refuse(peer, "frame_too_large", error.message);
        }
      },
      invalid(peer, { code, message }) {
        if (engine.malformed(peer, code, message)) {
          void peer.close("too many malformed messages in a row");
        }
      },
      finish: (peer) => engine.finish(peer),
      drain: (peer, { comeBackInMs }) =>
        peer.send({ type: "going_away", come_back_in_ms: comeBackInMs }),
      close: (peer) => engine.leave(peer),
    }),
  });
  return hub;
}

function identityOf({ id, method }: Principal): Identity {
  return { id, isGuest: method === "none" };
}

/** Milliseconds since 1970, read once for all messages of a turn: reading the clock costs as much as a short decode. */
function nowInTurn(): () => number {
  let ms: number | undefined;
  const forget = () => ms = undefined;
  return () => {
    if (ms === undefined) {
      ms = Date.now();
      queueMicrotask(forget);
    }
    return ms;
  };
}
