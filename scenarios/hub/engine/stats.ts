/**
 * The figures of `server_stats`, summed over all hubs.
 *
 * @module
 */

import type { HubPeer } from "./client.ts";
import type { Directory } from "./directory.ts";
import { gather } from "./gather.ts";
import type { Rooms } from "./rooms.ts";
import type { HubWorld, ServerFigures } from "./world.ts";

/** What one hub adds to the statistics of all. */
interface Figures extends ServerFigures {
  connected_clients: number;
  named_clients: number;
  /** Its rooms, as far as they are told; those that other hubs have too count once. */
  rooms: string[];
}

/** Rooms that a hub tells another in one answer. */
const MAX_ROOMS_TOLD = 10_000;

/** The statistics of one hub, and of all. */
export class Stats<P extends HubPeer> {
  readonly #world: HubWorld<P>;
  readonly #directory: Directory<P>;
  readonly #rooms: Rooms<P>;
  readonly #startedMs: number;

  constructor(world: HubWorld<P>, directory: Directory<P>, rooms: Rooms<P>) {
    this.#world = world;
    this.#directory = directory;
    this.#rooms = rooms;
    this.#startedMs = world.now();
  }

  /** What this hub adds to the statistics of all. */
  figures(): Figures {
    return {
      connected_clients: this.#world.everyone.size,
      named_clients: this.#directory.named,
      rooms: this.#world.cluster === undefined
        ? []
        : Array.from(this.#rooms.keys()).slice(0, MAX_ROOMS_TOLD),
      ...this.#world.figures(),
    };
  }

  /** Answers `get_stats`. */
  tell(peer: P): void {
    const { cluster } = this.#world;
    const nowMs = this.#world.now();
    const here = this.figures();
    gather(cluster, peer, { task: "stats" }, (others, partial) => {
      const all = [here, ...others as Figures[]];
      const elsewhere = all.flatMap(({ rooms }) => rooms)
        .filter((room) => this.#rooms.get(room) === undefined);
      const total = (figure: Exclude<keyof Figures, "rooms">) =>
        all.reduce((sum, figures) => sum + figures[figure], 0);
      return {
        type: "server_stats",
        connected_clients: total("connected_clients"),
        uptime_seconds: Math.max(nowMs - this.#startedMs, 0) / 1000,
        server_start_time: new Date(this.#startedMs).toISOString(),
        current_time: new Date(nowMs).toISOString(),
        named_clients: total("named_clients"),
        rooms: this.#rooms.size + new Set(elsewhere).size,
        total_connections: total("total_connections"),
        total_messages: total("total_messages"),
        messages_out: total("messages_out"),
        bytes_in: total("bytes_in"),
        bytes_out: total("bytes_out"),
        ...(cluster === undefined ? {} : { hubs: cluster.size }),
        ...partial,
      };
    });
  }
}
