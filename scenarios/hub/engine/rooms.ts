/**
 * Who is in which room, and what is said there.
 *
 * @module
 */

import type { FromHub } from "../messages.ts";
import { answer, missing, refuse } from "./answers.ts";
import type { HubPeer } from "./client.ts";
import type { Directory } from "./directory.ts";
import { gather, sum } from "./gather.ts";
import { isName, nameKey } from "./names.ts";
import type { Audience, HubWorld } from "./world.ts";

const MAX_ROOMS = 64;

/** The rooms of one hub; each lasts as long as somebody is in it. */
export class Rooms<P extends HubPeer> {
  readonly #world: HubWorld<P>;
  readonly #directory: Directory<P>;
  readonly #rooms = new Map<string, Audience<P>>();

  constructor(world: HubWorld<P>, directory: Directory<P>) {
    this.#world = world;
    this.#directory = directory;
  }

  /** How many there are. */
  get size(): number {
    return this.#rooms.size;
  }

  /** The keys of all rooms. */
  keys(): Iterable<string> {
    return this.#rooms.keys();
  }

  /** Who is in a room, if it is one. */
  get(key: string): Audience<P> | undefined {
    return this.#rooms.get(key);
  }

  /** Answers `join`. */
  join(peer: P, room: unknown): void {
    if (typeof room !== "string") return missing(peer, "room");
    if (!isName(room)) {
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
    const task = { task: "members", room: key } as const;
    gather(this.#world.cluster, peer, task, (others, partial) => ({
      type: "joined",
      room,
      members: sum(here, others),
      ...partial,
    }));
  }

  /** Answers `leave`. */
  leave(peer: P, room: unknown): void {
    if (typeof room !== "string") return missing(peer, "room");
    const key = nameKey(room);
    if (!peer.state.rooms?.delete(key)) {
      return refuse(peer, "not_in_room", `you are not in room ${room}`);
    }
    this.#drop(peer, key);
    answer(peer, { type: "left", room });
  }

  /** A client is gone, or somebody else: it is in no room. */
  remove(peer: P): void {
    for (const key of peer.state.rooms ?? []) this.#drop(peer, key);
    peer.state.rooms = undefined;
  }

  #drop(peer: P, key: string): void {
    const audience = this.#rooms.get(key);
    audience?.delete(peer);
    if (audience?.size === 0) this.#rooms.delete(key);
  }

  /** Answers `room_message`. */
  say(peer: P, room: unknown, content: unknown, timestamp: string): void {
    if (typeof room !== "string") return missing(peer, "room");
    if (content === undefined) return missing(peer, "content");
    const key = nameKey(room);
    const audience = this.#rooms.get(key);
    if (audience === undefined || !peer.state.rooms?.has(key)) {
      return refuse(peer, "not_in_room", `you are not in room ${room}`);
    }
    const message: FromHub = {
      type: "room_message",
      room,
      content,
      from: this.#directory.callOf(peer),
      timestamp,
    };
    const here = audience.broadcast(message, { except: peer });
    const task = { task: "room", room: key, message } as const;
    gather(this.#world.cluster, peer, task, (others, partial) => ({
      type: "room_message_sent",
      room,
      recipients: sum(here, others),
      timestamp,
      ...partial,
    }));
  }
}
