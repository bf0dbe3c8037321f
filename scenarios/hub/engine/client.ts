/**
 * A client, as the engine sees it and what it knows of it.
 *
 * @module
 */

import type { Answered, Owed } from "./answers.ts";

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

/** Who a client is, where the hub asks for a login. */
export interface Identity {
  /** The name of its account. */
  readonly id: string;
  /** It has none. */
  readonly isGuest: boolean;
}

/** What the hub knows of one client. */
export class Client {
  /** Who it has proved to be; undefined where nobody is asked. */
  identity: Identity | undefined;
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

  /** A client that has just come. */
  constructor(identity?: Identity) {
    this.identity = identity;
  }
}
