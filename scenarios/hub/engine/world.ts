/**
 * What the engine needs of the world.
 *
 * @module
 */

import type { FromHub, ServerStats } from "../messages.ts";
import type { HubPeer } from "./client.ts";
import type { Cluster } from "./cluster.ts";

/** Clients that are told things together. */
export interface Audience<P extends HubPeer> {
  readonly size: number;
  add(peer: P): void;
  delete(peer: P): void;
  broadcast(message: FromHub, options?: { except?: P }): number;
  [Symbol.iterator](): Iterator<P>;
}

/** The figures of `server_stats` that only the server knows. */
export type ServerFigures = Pick<
  ServerStats,
  | "total_connections"
  | "total_messages"
  | "messages_out"
  | "bytes_in"
  | "bytes_out"
>;

/** What the engine needs of the world. */
export interface HubWorld<P extends HubPeer> {
  /** Everyone who is connected. */
  everyone: Audience<P>;
  /** Makes an empty room. */
  createRoom(name: string): Audience<P>;
  /** Milliseconds since 1970. */
  now(): number;
  /** The figures of `server_stats` that only the server knows. */
  figures(): ServerFigures;
  /** The other hubs, if there are any. */
  cluster?: Cluster;
}
