/**
 * What the hub answers, without sockets and clocks: each message goes to the
 * part of `engine/` that knows the reply.
 *
 * @module
 */

import { answer, missing, refuse, settled } from "./engine/answers.ts";
import type { HubPeer, Identity } from "./engine/client.ts";
import type { Cluster, Task } from "./engine/cluster.ts";
import { Directory } from "./engine/directory.ts";
import { gather, sum } from "./engine/gather.ts";
import { Rooms } from "./engine/rooms.ts";
import { Stats } from "./engine/stats.ts";
import type { HubWorld } from "./engine/world.ts";
import type { CustomMessage, ErrorCode, FromHub, ToHub } from "./messages.ts";

/** Answers messages of one type that the hub itself does not know; what it returns, or resolves to, is sent back. */
export type CustomHandler = (
  message: CustomMessage,
  from: HubPeer,
) => FromHub | undefined | Promise<FromHub | undefined>;

const HUB_NAME = "Portolan hub";
const MAX_MALFORMED_IN_A_ROW = 10;
/** Answers that a client may wait for before its next message is looked at. */
const MAX_OWED = 1024;
/** The shortest silence that a client may promise to break. */
const MIN_TTL_MS = 1000;

/** The hub's behaviour. */
export class HubEngine<P extends HubPeer = HubPeer> {
  readonly #world: HubWorld<P>;
  readonly #cluster: Cluster | undefined;
  readonly #custom: Map<string, CustomHandler>;
  readonly #directory: Directory<P>;
  readonly #rooms: Rooms<P>;
  readonly #stats: Stats<P>;
  #isoMs = NaN;
  #iso = "";

  constructor(
    world: HubWorld<P>,
    custom: Readonly<Record<string, CustomHandler>> = {},
  ) {
    this.#world = world;
    this.#cluster = world.cluster;
    this.#custom = new Map(Object.entries(custom));
    this.#directory = new Directory(world);
    this.#rooms = new Rooms(world, this.#directory);
    this.#stats = new Stats(world, this.#directory, this.#rooms);
    this.#cluster?.attach({
      perform: (task) => this.#perform(task),
      lose: (key) => this.#directory.lose(key),
      gap: (missed) => world.everyone.broadcast({ type: "gap", missed }),
    });
  }

  /** Now in ISO 8601; formatted once for all messages of a millisecond. */
  #now(): string {
    const ms = this.#world.now();
    if (ms !== this.#isoMs) {
      this.#isoMs = ms;
      this.#iso = new Date(ms).toISOString();
    }
    return this.#iso;
  }

  /** A client has logged in. The name and the rooms of somebody else are not its own. */
  become(peer: P, identity: Identity): void {
    const former = peer.state.identity;
    peer.state.identity = identity;
    if (former?.id === identity.id && !former.isGuest) return;
    this.#directory.unname(peer);
    if (former?.isGuest === false) this.#rooms.remove(peer);
  }

  /** A client is gone. */
  leave(peer: P): void {
    peer.state.hasLeft = true;
    this.#directory.remove(peer);
    this.#rooms.remove(peer);
  }

  /** Answers a message; a promise if the client's next one has to wait. */
  handle(peer: P, message: ToHub): void | Promise<void> {
    const wait = this.#handle(peer, message);
    const owed = peer.state.owed?.places.length ?? 0;
    return wait ?? (owed < MAX_OWED ? undefined : settled(peer));
  }

  /** Resolves once a client has all its answers; nothing if it has. */
  finish(peer: P): Promise<void> | undefined {
    return settled(peer);
  }

  #handle(peer: P, message: ToHub): void | Promise<void> {
    if (message === null || typeof message !== "object") {
      return refuse(peer, "invalid_message", "a message is a JSON object");
    }
    peer.state.malformed = 0;
    switch (message.type) {
      case "echo":
        if (message.content === undefined) return missing(peer, "content");
        answer(peer, {
          type: "echo_response",
          content: message.content,
          timestamp: this.#now(),
          echoed_by: HUB_NAME,
        });
        return;
      case "ping":
        promiseSigns(peer, message.ttl_ms);
        answer(peer, {
          type: "pong",
          ping_timestamp: message.timestamp ?? null,
          pong_timestamp: this.#now(),
          client_id: this.#directory.idOf(peer),
        });
        return;
      case "broadcast":
        return this.#broadcast(peer, message.content);
      case "get_stats":
        return this.#stats.tell(peer);
      case "identify":
        return this.#directory.identify(peer, message.name);
      case "list":
        return this.#directory.list(peer);
      case "direct":
        return this.#direct(peer, message.to, message.content);
      case "join":
        return this.#rooms.join(peer, message.room);
      case "leave":
        return this.#rooms.leave(peer, message.room);
      case "room_message":
        return this.#rooms.say(
          peer,
          message.room,
          message.content,
          this.#now(),
        );
      default:
        return this.#handleCustom(peer, message as CustomMessage);
    }
  }

  /**
   * Tells a client that it sent something that is no message.
   *
   * @returns Whether it has done so too often in a row and must go.
   */
  malformed(peer: P, code: string, message: string): boolean {
    refuse(peer, KNOWN_CODES.get(code) ?? "malformed", message);
    return ++peer.state.malformed >= MAX_MALFORMED_IN_A_ROW;
  }

  /** Does what another hub asks. */
  #perform(task: Task): unknown {
    switch (task.task) {
      case "everyone":
        return this.#world.everyone.broadcast(task.message);
      case "room":
        return this.#rooms.get(task.room)?.broadcast(task.message) ?? 0;
      case "direct":
        return this.#deliver(task.to, task.message) ?? null;
      case "members":
        return this.#rooms.get(task.room)?.size ?? 0;
      case "stats":
        return this.#stats.figures();
      case "list":
        return this.#directory.listed();
    }
  }

  #broadcast(peer: P, content: unknown): void {
    if (content === undefined) return missing(peer, "content");
    const timestamp = this.#now();
    const message: FromHub = {
      type: "broadcast",
      content,
      from: this.#directory.callOf(peer),
      timestamp,
    };
    const here = this.#world.everyone.broadcast(message, { except: peer });
    gather(
      this.#cluster,
      peer,
      { task: "everyone", message },
      (others, partial) => ({
        type: "broadcast_sent",
        recipients: sum(here, others),
        timestamp,
        ...partial,
      }),
    );
  }

  #direct(peer: P, to: unknown, content: unknown): void {
    if (typeof to !== "string") return missing(peer, "to");
    if (content === undefined) return missing(peer, "content");
    const timestamp = this.#now();
    const message: FromHub = {
      type: "direct",
      content,
      from: this.#directory.callOf(peer),
      timestamp,
    };
    const reply = (outcomes: unknown[]): FromHub => {
      if (outcomes.includes("sent")) {
        return { type: "direct_sent", to, timestamp };
      }
      return outcomes.includes("slow")
        ? error("recipient_slow", `${to} does not keep up`)
        : error("no_such_client", `nobody here is called ${to}`);
    };
    const here = this.#deliver(to, message);
    if (here !== undefined) answer(peer, reply([here]));
    else gather(this.#cluster, peer, { task: "direct", to, message }, reply);
  }

  /** Hands a message to a client of this hub, if it is one. */
  #deliver(to: string, message: FromHub): "sent" | "slow" | undefined {
    const recipient = this.#directory.find(to);
    if (recipient === undefined) return undefined;
    // Queuing for it would let a stranger have a slow client cut off.
    if (recipient.isSlow) return "slow";
    recipient.send(message);
    return "sent";
  }

  #handleCustom(peer: P, message: CustomMessage): void | Promise<void> {
    const { type } = message;
    if (typeof type !== "string") return missing(peer, "type");
    const handler = this.#custom.get(type);
    if (handler === undefined) {
      return refuse(peer, "unknown_type", `no message has the type ${type}`);
    }
    return this.#runCustom(handler, message, peer);
  }

  async #runCustom(
    handler: CustomHandler,
    message: CustomMessage,
    peer: P,
  ): Promise<void> {
    try {
      const reply = await handler(message, peer);
      if (reply !== undefined) answer(peer, reply);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      refuse(peer, "handler_failed", `${message.type}: ${reason}`);
    }
  }
}

const KNOWN_CODES: ReadonlyMap<string, ErrorCode> = new Map(
  ([
    "too_complex",
    "forbidden_key",
    "frame_too_large",
    "invalid_frame",
    "invalid_message",
  ] as const).map((code) => [code, code]),
);

/** A client that says how long it may be silent is cut off after that time; it may not ask for more than it has. */
function promiseSigns(peer: HubPeer, ttlMs: unknown): void {
  if (typeof ttlMs !== "number" || !(ttlMs >= MIN_TTL_MS)) return;
  peer.idleMs = Math.min(peer.idleMs, ttlMs);
}

function error(code: ErrorCode, message: string): FromHub {
  return { type: "error", code, message };
}
