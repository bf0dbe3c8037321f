import type { Clock } from "../../io/clock.ts";
import { MachineTimer } from "../../io/machine_timer.ts";
import {
  ImpairedLink,
  type LinkFlow,
  type LinkPacket,
} from "../../proto/link/impaired_link.ts";
import type {
  ByDirection,
  Impairments,
  LinkDirection,
} from "../../proto/link/impairments.ts";

/** What packets belong to, and who is given them when they arrive. */
export interface LinkSink extends LinkFlow {
  /** Takes what arrives. */
  arrived(packet: LinkPacket<LinkSink>): void;
}

/** Options of {@linkcode LinkPair}. */
export interface LinkPairOptions {
  /** How the directions behave at first. */
  impairments: ByDirection<Required<Impairments>>;
  /** Whether streams pass it. */
  isReliable: boolean;
  /** What chance is drawn from. */
  seed: number;
  /** Where time comes from. */
  clock: Clock;
}

/** Sets the two directions apart. */
const DOWN_SEED = 0x5bd1e995;

/** Both directions of a link, in real time. */
export class LinkPair {
  readonly #clock: Clock;
  readonly #links: ByDirection<ImpairedLink<LinkSink>>;
  readonly #timers: ByDirection<MachineTimer>;
  readonly #room: Partial<ByDirection<PromiseWithResolvers<void>>> = {};
  readonly #watchers = new Set<() => void>();

  /** A link on which nothing is under way. */
  constructor({ impairments, isReliable, seed, clock }: LinkPairOptions) {
    this.#clock = clock;
    const create = (direction: LinkDirection) =>
      new ImpairedLink<LinkSink>({
        impairments: impairments[direction],
        isReliable,
        seed: direction === "up" ? seed : seed ^ DOWN_SEED,
        nowMs: clock.now(),
        deliver: (packet) => packet.flow.arrived(packet),
      });
    this.#links = { up: create("up"), down: create("down") };
    const timer = (direction: LinkDirection) => {
      const link = this.#links[direction];
      return new MachineTimer(clock, {
        get dueMs() {
          return link.dueMs;
        },
        advance: (nowMs) => {
          link.advance(nowMs);
          this.#tellRoom(direction);
        },
      });
    };
    this.#timers = { up: timer("up"), down: timer("down") };
  }

  /** How the directions behave. */
  get impairments(): ByDirection<Required<Impairments>> {
    const { up, down } = this.#links;
    return { up: up.impairments, down: down.impairments };
  }

  /** One direction, to look at. */
  link(direction: LinkDirection): ImpairedLink<LinkSink> {
    return this.#links[direction];
  }

  /** Sends a packet; false if a black hole took it. */
  send(direction: LinkDirection, packet: LinkPacket<LinkSink>): boolean {
    const nowMs = this.#clock.now();
    const isTaken = this.#links[direction].push(packet, nowMs);
    this.#timers[direction].schedule(nowMs);
    return isTaken;
  }

  /** Behaves otherwise from now on. */
  change(impairments: ByDirection<Required<Impairments>>): void {
    const nowMs = this.#clock.now();
    for (const direction of ["up", "down"] as const) {
      const link = this.#links[direction];
      if (link.impairments === impairments[direction]) continue;
      link.change(impairments[direction], nowMs);
      this.#timers[direction].schedule(nowMs);
      this.#tellRoom(direction);
    }
    for (const watcher of [...this.#watchers]) watcher();
  }

  /** Calls `changed` after every change, until the function that it returns is called. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => void this.#watchers.delete(changed);
  }

  /** Resolves when the queue of a direction may have room again. */
  room(direction: LinkDirection): Promise<void> {
    const waiting = this.#room[direction] ??= Promise.withResolvers();
    return waiting.promise;
  }

  #tellRoom(direction: LinkDirection): void {
    if (this.#links[direction].isFull) return;
    this.#room[direction]?.resolve();
    delete this.#room[direction];
  }

  /** Delivers nothing more. */
  close(): void {
    for (const direction of ["up", "down"] as const) {
      this.#timers[direction].stop();
      this.#room[direction]?.resolve();
    }
  }
}
