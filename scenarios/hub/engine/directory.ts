/**
 * Who is called what: the names and ids of a hub's clients.
 *
 * @module
 */

import type { ClientEntry } from "../messages.ts";
import { answer, missing, refuse } from "./answers.ts";
import type { HubPeer } from "./client.ts";
import type { Cluster } from "./cluster.ts";
import { gather } from "./gather.ts";
import { GUEST_PREFIX, isName, nameKey } from "./names.ts";
import type { HubWorld } from "./world.ts";

/** What one hub adds to the list of all clients. */
interface Listed {
  clients: ClientEntry[];
  total: number;
}

const MAX_LISTED = 1000;

/** The clients of one hub, by name and id. */
export class Directory<P extends HubPeer> {
  readonly #world: HubWorld<P>;
  readonly #cluster: Cluster | undefined;
  readonly #names = new Map<string, P>();
  readonly #ids = new Map<string, P>();

  constructor(world: HubWorld<P>) {
    this.#world = world;
    this.#cluster = world.cluster;
  }

  /** How many clients have a name. */
  get named(): number {
    return this.#names.size;
  }

  /** Whom others call `to`, by name or id, if it is a client of this hub. */
  find(to: string): P | undefined {
    return this.#names.get(nameKey(to)) ?? this.#ids.get(to);
  }

  /** The id of a client; from then on others may know it. */
  idOf(peer: P): string {
    if (peer.state.id === undefined) {
      // Two hubs may see the same address.
      peer.state.id = this.#cluster === undefined
        ? peer.address
        : `${peer.address}@${this.#cluster.id}`;
      this.#ids.set(peer.state.id, peer);
    }
    return peer.state.id;
  }

  /** What others are told that a client is called: its name, or else its id. */
  callOf(peer: P): string {
    return peer.state.name ?? this.idOf(peer);
  }

  /** Answers `identify`; a promise if other hubs have to agree. */
  identify(peer: P, name: unknown): void | Promise<void> {
    if (typeof name !== "string") return missing(peer, "name");
    const { identity } = peer.state;
    const isOwn = identity !== undefined && !identity.isGuest &&
      nameKey(identity.id) === nameKey(name);
    if (identity !== undefined && !isOwn) {
      const { isGuest, id } = identity;
      if (!isGuest) {
        return refuse(peer, "denied", `your account has the name ${id}`);
      }
      if (!nameKey(name).startsWith(GUEST_PREFIX)) {
        const message = `without a login a name begins with "${GUEST_PREFIX}"`;
        return refuse(peer, "denied", message);
      }
    }
    if (!isOwn && !isName(name)) {
      return refuse(
        peer,
        "invalid_name",
        "a name has 1 to 32 letters, digits, spaces, '_', '.' and '-'",
      );
    }
    // However it writes the name of its account, it is called what the account is.
    const called = isOwn ? identity.id : name;
    const holder = this.#names.get(nameKey(called));
    if (holder === undefined && this.#cluster !== undefined) {
      return this.#claim(peer, called, this.#cluster);
    }
    if (holder !== undefined && holder !== peer) return taken(peer, called);
    this.#call(peer, called);
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
    answer(peer, { type: "identified", name, client_id: this.idOf(peer) });
  }

  #free(key: string): void {
    this.#names.delete(key);
    this.#cluster?.release(key);
  }

  /** While hubs could not hear each other, both gave a name away, and this one has to give it up. */
  lose(key: string): void {
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

  /** A client is called nothing any more: its name is free. */
  unname(peer: P): void {
    const { name } = peer.state;
    if (name === undefined) return;
    peer.state.name = undefined;
    this.#free(nameKey(name));
  }

  /** A client is gone. */
  remove(peer: P): void {
    this.unname(peer);
    if (peer.state.id !== undefined) this.#ids.delete(peer.state.id);
  }

  /** What this hub adds to the list of all clients. */
  listed(): Listed {
    const clients: ClientEntry[] = [];
    for (const other of this.#world.everyone) {
      if (clients.length === MAX_LISTED) break;
      const { name } = other.state;
      clients.push({
        client_id: this.idOf(other),
        ...(name === undefined ? {} : { name }),
      });
    }
    return { clients, total: this.#world.everyone.size };
  }

  /** Answers `list`. */
  list(peer: P): void {
    const here = this.listed();
    gather(this.#cluster, peer, { task: "list" }, (others, partial) => {
      const all = [here, ...others as Listed[]];
      return {
        type: "clients",
        clients: all.flatMap(({ clients }) => clients).slice(0, MAX_LISTED),
        total: all.reduce((sum, { total }) => sum + total, 0),
        ...partial,
      };
    });
  }
}

function taken(peer: HubPeer, name: string): void {
  refuse(peer, "name_taken", `somebody else is called ${name}`);
}
