/**
 * What the hub answers, without sockets and clocks: who is called what, who is
 * in which room, and the reply to each message.
 *
 * @module
 */

import {
  answer,
  type Answered,
  missing,
  type Owed,
  refuse,
  reserve,
  settled,
} from "./answers.ts";
import type { Cluster, Task } from "./cluster.ts";
import type {
  ClientEntry,
  CustomMessage,
  ErrorCode,
  FromHub,
  MaybePartial,
  ServerStats,
  ToHub,
} from "./messages.ts";

/** A client, as the engine sees it. */
export interface HubPeer extends Answered {
  /** Address and port that the hub sees. */
  readonly address: string;
  /** Whether it takes less than it is sent. */
  readonly isSlow: boolean;
  /** Milliseconds of silence after which it is cut off. */
  idleMs: number;
  /** What the hub knows of it. */
  readonly state: Client;
}

/** Clients that are told things together. */
export interface Audience<P extends HubPeer> {
  readonly size: number;
  add(peer: P): void;
  delete(peer: P): void;
  broadcast(message: FromHub, options?: { except?: P }): number;
  [Symbol.iterator](): Iterator<P>;
}

/** What the engine needs of the world. */
export interface HubWorld<P extends HubPeer> {
  /** Everyone who is connected. */
  everyone: Audience<P>;
  /** Makes an empty room. */
  createRoom(name: string): Audience<P>;
  /** Milliseconds since 1970. */
  now(): number;
  /** The figures of `server_stats` that only the server knows. */
  figures():
    & Pick<
      ServerStats,
      "total_connections" | "total_messages" | "messages_out"
    >
    & Pick<ServerStats, "bytes_in" | "bytes_out">;
  /** The other hubs, if there are any. */
  cluster?: Cluster;
}

/** What one hub adds to the statistics of all. */
interface Figures extends ReturnType<HubWorld<HubPeer>["figures"]> {
  connected_clients: number;
  named_clients: number;
  /** Its rooms, as far as they are told; those that other hubs have too count once. */
  rooms: string[];
}

/** What one hub adds to the list of all clients. */
interface Listed {
  clients: ClientEntry[];
  total: number;
}

/** Answers messages of one type that the hub itself does not know; what it returns, or resolves to, is sent back. */
export type CustomHandler = (
  message: CustomMessage,
  from: HubPeer,
) => FromHub | undefined | Promise<FromHub | undefined>;

/** What the hub knows of one client. */
export class Client {
  /** Its unique name, if it has one. */
  name: string | undefined;
  /** Its address, once somebody may know it. */
  id: string | undefined;
  /** Rooms it is in. */
  rooms: Set<string> | undefined;
  /** Malformed frames in a row. */
  malformed = 0;
  /** Answers that wait for other hubs, and those after them. */
  owed: Owed | undefined;
  /** Whether it is gone. */
  hasLeft = false;
}

const HUB_NAME = "Portolan hub";
const MAX_ROOMS = 64;
const MAX_LISTED = 1000;
/** Rooms that a hub tells another in one answer. */
const MAX_ROOMS_TOLD = 10_000;
const MAX_MALFORMED_IN_A_ROW = 10;
/** Answers that a client may wait for before its next message is looked at. */
const MAX_OWED = 1024;
/** The shortest silence that a client may promise to break. */
const MIN_TTL_MS = 1000;
const NAME_REGEXP =
  /^[\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_.\- ]{0,30}[\p{L}\p{M}\p{N}_.\-])?$/u;

/** The hub's behaviour. */
export class HubEngine<P extends HubPeer = HubPeer> {
  readonly #world: HubWorld<P>;
  readonly #cluster: Cluster | undefined;
  readonly #custom: Map<string, CustomHandler>;
  readonly #names = new Map<string, P>();
  readonly #ids = new Map<string, P>();
  readonly #rooms = new Map<string, Audience<P>>();
  readonly #startedMs: number;
  #isoMs = NaN;
  #iso = "";

  constructor(
    world: HubWorld<P>,
    custom: Readonly<Record<string, CustomHandler>> = {},
  ) {
    this.#world = world;
    this.#cluster = world.cluster;
    this.#cluster?.attach({
      perform: (task) => this.#perform(task),
      lose: (key) => this.#loseName(key),
      gap: (missed) => world.everyone.broadcast({ type: "gap", missed }),
    });
    this.#custom = new Map(Object.entries(custom));
    this.#startedMs = world.now();
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

  /** A client is gone. */
  leave(peer: P): void {
    const { name, id, rooms } = peer.state;
    peer.state.hasLeft = true;
    if (name !== undefined) this.#free(nameKey(name));
    if (id !== undefined) this.#ids.delete(id);
    for (const room of rooms ?? []) this.#leaveRoom(peer, room);
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
          client_id: this.#idOf(peer),
        });
        return;
      case "broadcast":
        return this.#broadcast(peer, message.content);
      case "get_stats":
        return this.#stats(peer);
      case "identify":
        return this.#identify(peer, message.name);
      case "list":
        return this.#list(peer);
      case "direct":
        return this.#direct(peer, message.to, message.content);
      case "join":
        return this.#join(peer, message.room);
      case "leave":
        return this.#leave(peer, message.room);
      case "room_message":
        return this.#sayInRoom(peer, message.room, message.content);
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

  #idOf(peer: P): string {
    if (peer.state.id === undefined) {
      // Two hubs may see the same address.
      peer.state.id = this.#cluster === undefined
        ? peer.address
        : `${peer.address}@${this.#cluster.id}`;
      this.#ids.set(peer.state.id, peer);
    }
    return peer.state.id;
  }

  #from(peer: P): string {
    return peer.state.name ?? this.#idOf(peer);
  }

  /** Has the other hubs do something as well, and answers with what all of them said. */
  #gather(
    peer: P,
    task: Task,
    reply: (others: unknown[], partial: MaybePartial) => FromHub,
  ): void {
    if (this.#cluster === undefined) return answer(peer, reply([], {}));
    const pay = reserve(peer);
    this.#cluster.ask(
      task,
      (others, partial) => pay(reply(others, partial ? { partial } : {})),
    );
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
        return this.#figures();
      case "list":
        return this.#listed();
    }
  }

  #broadcast(peer: P, content: unknown): void {
    if (content === undefined) return missing(peer, "content");
    const timestamp = this.#now();
    const message: FromHub = {
      type: "broadcast",
      content,
      from: this.#from(peer),
      timestamp,
    };
    const here = this.#world.everyone.broadcast(message, { except: peer });
    this.#gather(peer, { task: "everyone", message }, (others, partial) => ({
      type: "broadcast_sent",
      recipients: sum(here, others),
      timestamp,
      ...partial,
    }));
  }

  #figures(): Figures {
    return {
      connected_clients: this.#world.everyone.size,
      named_clients: this.#names.size,
      rooms: this.#cluster === undefined
        ? []
        : Array.from(this.#rooms.keys()).slice(0, MAX_ROOMS_TOLD),
      ...this.#world.figures(),
    };
  }

  #stats(peer: P): void {
    const nowMs = this.#world.now();
    const current_time = this.#now();
    const here = this.#figures();
    this.#gather(peer, { task: "stats" }, (others, partial) => {
      const all = [here, ...others as Figures[]];
      const elsewhere = all.flatMap(({ rooms }) => rooms)
        .filter((room) => !this.#rooms.has(room));
      const total = (figure: Exclude<keyof Figures, "rooms">) =>
        all.reduce((sum, figures) => sum + figures[figure], 0);
      return {
        type: "server_stats",
        connected_clients: total("connected_clients"),
        uptime_seconds: Math.max(nowMs - this.#startedMs, 0) / 1000,
        server_start_time: new Date(this.#startedMs).toISOString(),
        current_time,
        named_clients: total("named_clients"),
        rooms: this.#rooms.size + new Set(elsewhere).size,
        total_connections: total("total_connections"),
        total_messages: total("total_messages"),
        messages_out: total("messages_out"),
        bytes_in: total("bytes_in"),
        bytes_out: total("bytes_out"),
        ...(this.#cluster === undefined ? {} : { hubs: this.#cluster.size }),
        ...partial,
      };
    });
  }

  #identify(peer: P, name: unknown): void | Promise<void> {
    if (typeof name !== "string") return missing(peer, "name");
    if (!NAME_REGEXP.test(name)) {
      return refuse(
        peer,
        "invalid_name",
        "a name has 1 to 32 letters, digits, spaces, '_', '.' and '-'",
      );
    }
    const holder = this.#names.get(nameKey(name));
    if (holder === undefined && this.#cluster !== undefined) {
      return this.#claim(peer, name, this.#cluster);
    }
    if (holder !== undefined && holder !== peer) return taken(peer, name);
    this.#call(peer, name);
  }

  async #claim(peer: P, name: string, cluster: Cluster): Promise<void> {
    const verdict = await cluster.claim(nameKey(name), this.#world.now());
    if (verdict === "taken") return taken(peer, name);
    if (verdict === "unavailable") {
      return refuse(peer, verdict, "another hub does not answer; try again");
    }
    if (peer.state.hasLeft) cluster.release(nameKey(name));
    else this.#call(peer, name);
  }

  #call(peer: P, name: string): void {
    const key = nameKey(name);
    const former = peer.state.name;
    if (former !== undefined && nameKey(former) !== key) {
      this.#free(nameKey(former));
    }
    peer.state.name = name;
    this.#names.set(key, peer);
    answer(peer, { type: "identified", name, client_id: this.#idOf(peer) });
  }

  #free(key: string): void {
    this.#names.delete(key);
    this.#cluster?.release(key);
  }

  /** While hubs could not hear each other, both gave a name away, and this one has to give it up. */
  #loseName(key: string): void {
    const peer = this.#names.get(key);
    const name = peer?.state.name;
    if (peer === undefined || name === undefined) return;
    this.#names.delete(key);
    peer.state.name = undefined;
    peer.send({
      type: "name_lost",
      name,
      code: "name_taken",
      message: `somebody else was called ${name} first, on another hub`,
    });
  }

  #listed(): Listed {
    const clients: ClientEntry[] = [];
    for (const other of this.#world.everyone) {
      if (clients.length === MAX_LISTED) break;
      const { name } = other.state;
      clients.push({
        client_id: this.#idOf(other),
        ...(name === undefined ? {} : { name }),
      });
    }
    return { clients, total: this.#world.everyone.size };
  }

  #list(peer: P): void {
    const here = this.#listed();
    this.#gather(peer, { task: "list" }, (others, partial) => {
      const all = [here, ...others as Listed[]];
      return {
        type: "clients",
        clients: all.flatMap(({ clients }) => clients).slice(0, MAX_LISTED),
        total: all.reduce((sum, { total }) => sum + total, 0),
        ...partial,
      };
    });
  }

  #direct(peer: P, to: unknown, content: unknown): void {
    if (typeof to !== "string") return missing(peer, "to");
    if (content === undefined) return missing(peer, "content");
    const timestamp = this.#now();
    const message: FromHub = {
      type: "direct",
      content,
      from: this.#from(peer),
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
    else this.#gather(peer, { task: "direct", to, message }, reply);
  }

  /** Hands a message to a client of this hub, if it is one. */
  #deliver(to: string, message: FromHub): "sent" | "slow" | undefined {
    const recipient = this.#names.get(nameKey(to)) ?? this.#ids.get(to);
    if (recipient === undefined) return undefined;
    // Queuing for it would let a stranger have a slow client cut off.
    if (recipient.isSlow) return "slow";
    recipient.send(message);
    return "sent";
  }

  #join(peer: P, room: unknown): void {
    if (typeof room !== "string") return missing(peer, "room");
    if (!NAME_REGEXP.test(room)) {
      return refuse(
        peer,
        "invalid_name",
        "a room has a name of 1 to 32 letters, digits, spaces, '_', '.' and '-'",
      );
    }
    const rooms = peer.state.rooms ??= new Set();
    const key = nameKey(room);
    if (!rooms.has(key) && rooms.size >= MAX_ROOMS) {
      return refuse(
        peer,
        "too_many_rooms",
        `a client may be in ${MAX_ROOMS} rooms at once`,
      );
    }
    let audience = this.#rooms.get(key);
    if (audience === undefined) {
      audience = this.#world.createRoom(room);
      this.#rooms.set(key, audience);
    }
    rooms.add(key);
    audience.add(peer);
    const here = audience.size;
    this.#gather(peer, { task: "members", room: key }, (others, partial) => ({
      type: "joined",
      room,
      members: sum(here, others),
      ...partial,
    }));
  }

  #leave(peer: P, room: unknown): void {
    if (typeof room !== "string") return missing(peer, "room");
    if (!peer.state.rooms?.delete(nameKey(room))) {
      return refuse(peer, "not_in_room", `you are not in room ${room}`);
    }
    this.#leaveRoom(peer, nameKey(room));
    answer(peer, { type: "left", room });
  }

  #leaveRoom(peer: P, key: string): void {
    const audience = this.#rooms.get(key);
    audience?.delete(peer);
    if (audience?.size === 0) this.#rooms.delete(key);
  }

  #sayInRoom(peer: P, room: unknown, content: unknown): void {
    if (typeof room !== "string") return missing(peer, "room");
    if (content === undefined) return missing(peer, "content");
    const key = nameKey(room);
    const audience = this.#rooms.get(key);
    if (audience === undefined || !peer.state.rooms?.has(key)) {
      return refuse(peer, "not_in_room", `you are not in room ${room}`);
    }
    const timestamp = this.#now();
    const message: FromHub = {
      type: "room_message",
      room,
      content,
      from: this.#from(peer),
      timestamp,
    };
    const here = audience.broadcast(message, { except: peer });
    this.#gather(peer, { task: "room", room: key, message }, (
      others,
      partial,
    ) => ({
      type: "room_message_sent",
      room,
      recipients: sum(here, others),
      timestamp,
      ...partial,
    }));
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

/** Names that differ only in case or in the way they are encoded are one. */
function nameKey(name: string): string {
  return name.normalize("NFKC").toLowerCase();
}

/** A client that says how long it may be silent is cut off after that time; it may not ask for more than it has. */
function promiseSigns(peer: HubPeer, ttlMs: unknown): void {
  if (typeof ttlMs !== "number" || !(ttlMs >= MIN_TTL_MS)) return;
  peer.idleMs = Math.min(peer.idleMs, ttlMs);
}

function error(code: ErrorCode, message: string): FromHub {
  return { type: "error", code, message };
}

function taken(peer: HubPeer, name: string): void {
  refuse(peer, "name_taken", `somebody else is called ${name}`);
}

/** Adds what other hubs have counted; one that could not do it counts nothing. */
function sum(here: number, others: unknown[]): number {
  return others.reduce<number>((sum, count) => sum + Number(count), here);
}
