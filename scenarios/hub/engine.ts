/**
 * What the hub answers, without sockets and clocks: who is called what, who is
 * in which room, and the reply to each message.
 *
 * @module
 */

import type {
  ClientEntry,
  CustomMessage,
  ErrorCode,
  FromHub,
  ServerStats,
  ToHub,
} from "./messages.ts";

/** A client, as the engine sees it. */
export interface HubPeer {
  /** Address and port that the hub sees. */
  readonly address: string;
  /** Whether it takes less than it is sent. */
  readonly isSlow: boolean;
  /** Milliseconds of silence after which it is cut off. */
  idleMs: number;
  /** What the hub knows of it. */
  readonly state: Client;
  send(message: FromHub): boolean;
}

/** Clients that are told things together. */
export interface Audience<P extends HubPeer> {
  readonly size: number;
  add(peer: P): void;
  delete(peer: P): void;
  broadcast(message: FromHub, options: { except: P }): number;
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
}

const HUB_NAME = "Portolan hub";
const MAX_ROOMS = 64;
const MAX_LISTED = 1000;
const MAX_MALFORMED_IN_A_ROW = 10;
/** The shortest silence that a client may promise to break. */
const MIN_TTL_MS = 1000;
const NAME_REGEXP =
  /^[\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_.\- ]{0,30}[\p{L}\p{M}\p{N}_.\-])?$/u;

/** The hub's behaviour. */
export class HubEngine<P extends HubPeer = HubPeer> {
  readonly #world: HubWorld<P>;
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
    if (name !== undefined) this.#names.delete(nameKey(name));
    if (id !== undefined) this.#ids.delete(id);
    for (const room of rooms ?? []) this.#leaveRoom(peer, room);
  }

  /** Answers a message; a promise if a registered handler takes its time. */
  handle(peer: P, message: ToHub): void | Promise<void> {
    if (message === null || typeof message !== "object") {
      return refuse(peer, "invalid_message", "a message is a JSON object");
    }
    peer.state.malformed = 0;
    switch (message.type) {
      case "echo":
        if (message.content === undefined) return missing(peer, "content");
        peer.send({
          type: "echo_response",
          content: message.content,
          timestamp: this.#now(),
          echoed_by: HUB_NAME,
        });
        return;
      case "ping":
        promiseSigns(peer, message.ttl_ms);
        peer.send({
          type: "pong",
          ping_timestamp: message.timestamp ?? null,
          pong_timestamp: this.#now(),
          client_id: this.#idOf(peer),
        });
        return;
      case "broadcast":
        return this.#broadcast(peer, message.content);
      case "get_stats":
        peer.send(this.#stats());
        return;
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
      peer.state.id = peer.address;
      this.#ids.set(peer.state.id, peer);
    }
    return peer.state.id;
  }

  #from(peer: P): string {
    return peer.state.name ?? this.#idOf(peer);
  }

  #broadcast(peer: P, content: unknown): void {
    if (content === undefined) return missing(peer, "content");
    const timestamp = this.#now();
    const recipients = this.#world.everyone.broadcast(
      { type: "broadcast", content, from: this.#from(peer), timestamp },
      { except: peer },
    );
    peer.send({ type: "broadcast_sent", recipients, timestamp });
  }

  #stats(): ServerStats {
    const nowMs = this.#world.now();
    return {
      type: "server_stats",
      connected_clients: this.#world.everyone.size,
      uptime_seconds: Math.max(nowMs - this.#startedMs, 0) / 1000,
      server_start_time: new Date(this.#startedMs).toISOString(),
      current_time: this.#now(),
      named_clients: this.#names.size,
      rooms: this.#rooms.size,
      ...this.#world.figures(),
    };
  }

  #identify(peer: P, name: unknown): void {
    if (typeof name !== "string") return missing(peer, "name");
    if (!NAME_REGEXP.test(name)) {
      return refuse(
        peer,
        "invalid_name",
        "a name has 1 to 32 letters, digits, spaces, '_', '.' and '-'",
      );
    }
    const key = nameKey(name);
    const holder = this.#names.get(key);
    if (holder !== undefined && holder !== peer) {
      return refuse(peer, "name_taken", `somebody else is called ${name}`);
    }
    if (peer.state.name !== undefined) {
      this.#names.delete(nameKey(peer.state.name));
    }
    peer.state.name = name;
    this.#names.set(key, peer);
    peer.send({ type: "identified", name, client_id: this.#idOf(peer) });
  }

  #list(peer: P): void {
    const clients: ClientEntry[] = [];
    for (const other of this.#world.everyone) {
      if (clients.length === MAX_LISTED) break;
      const { name } = other.state;
      clients.push({
        client_id: this.#idOf(other),
        ...(name === undefined ? {} : { name }),
      });
    }
    peer.send({
      type: "clients",
      clients,
      total: this.#world.everyone.size,
    });
  }

  #direct(peer: P, to: unknown, content: unknown): void {
    if (typeof to !== "string") return missing(peer, "to");
    if (content === undefined) return missing(peer, "content");
    const recipient = this.#names.get(nameKey(to)) ?? this.#ids.get(to);
    if (recipient === undefined) {
      return refuse(peer, "no_such_client", `nobody here is called ${to}`);
    }
    // Queuing for it would let a stranger have a slow client cut off.
    if (recipient.isSlow) {
      return refuse(peer, "recipient_slow", `${to} does not keep up`);
    }
    const timestamp = this.#now();
    const from = this.#from(peer);
    recipient.send({ type: "direct", content, from, timestamp });
    peer.send({ type: "direct_sent", to, timestamp });
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
    peer.send({ type: "joined", room, members: audience.size });
  }

  #leave(peer: P, room: unknown): void {
    if (typeof room !== "string") return missing(peer, "room");
    if (!peer.state.rooms?.delete(nameKey(room))) {
      return refuse(peer, "not_in_room", `you are not in room ${room}`);
    }
    this.#leaveRoom(peer, nameKey(room));
    peer.send({ type: "left", room });
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
    const recipients = audience.broadcast(
      {
        type: "room_message",
        room,
        content,
        from: this.#from(peer),
        timestamp,
      },
      { except: peer },
    );
    peer.send({ type: "room_message_sent", room, recipients, timestamp });
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
      if (reply !== undefined) peer.send(reply);
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

function refuse(peer: HubPeer, code: ErrorCode, message: string): void {
  peer.send({ type: "error", code, message });
}

function missing(peer: HubPeer, field: string): void {
  refuse(peer, "invalid_message", `the field "${field}" is missing or wrong`);
}
