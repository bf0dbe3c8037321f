import {
  type BalanceCandidate,
  type BalanceChoice,
  type BalancePolicy,
  type BalanceRequest,
  openOnes,
} from "./candidate.ts";

/** A unit of weight in steps, so that a backend that starts slowly gets fractions of it. */
const STEPS = 16;
/** Greatest weight. */
const MAX_WEIGHT = 256;

/** Where a backend waits for its turn. */
type Queue = "starting" | "current" | "next" | "passed" | "absent";

/** The turns of one backend. */
interface Turns {
  readonly name: string;
  /** Weight in steps. */
  share: number;
  queue: Queue;
  /** Place of its next turn; 0 before its first. */
  position: number;
  /** What the division by the share has left over. */
  remainder: number;
  /** What its queue is sorted by; then by `order`. */
  key: number;
  order: number;
}

/**
 * Gives each backend turns in proportion to its weight, spread evenly, in the order of HAProxy's `roundrobin`: the
 * heaviest first, then each at a distance of the sum of all weights over its own. A backend that is full when its turn
 * comes has had it.
 *
 * @example Usage
 * ```ts
 * import { RoundRobin } from "./round_robin.ts";
 * import { ServerLoad } from "../resilience/balance.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const backends = [["a", 1], ["b", 2]].map(([name, weight]) => ({
 *   name: `${name}`,
 *   weight: Number(weight),
 *   currentWeight: Number(weight),
 *   active: 0,
 *   isOpen: true,
 *   load: new ServerLoad(),
 *   isHealthy: () => true,
 * }));
 * const policy = new RoundRobin();
 * const picks = Array.from({ length: 6 }, () =>
 *   policy.choose({}, backends).candidate.name
 * );
 * assertEquals(picks.filter((name) => name === "b").length, 4);
 * ```
 */
export class RoundRobin implements BalancePolicy {
  readonly #turns = new Map<string, Turns>();
  #order = 0;
  /** Where the round is, and where it ends. */
  #position = 0;
  #roundWeight = 0;
  #totalWeight = 0;

  /** Chooses whose turn it is. */
  choose<C extends BalanceCandidate>(
    _request: BalanceRequest,
    candidates: readonly C[],
  ): BalanceChoice<C> {
    const byName = new Map(candidates.map((one) => [one.name, one]));
    this.#join(candidates, byName);
    const passed: Turns[] = [];
    let chosen: C | undefined;
    let switched = false;
    while (chosen === undefined) {
      if (this.#roundWeight === 0) {
        this.#position = this.#roundWeight = this.#totalWeight;
      }
      const turns = this.#first();
      if (turns === undefined) {
        if (switched) break;
        switched = true;
        this.#endRound();
        continue;
      }
      this.#advance(turns);
      const candidate = byName.get(turns.name)!;
      if (candidate.isOpen) {
        chosen = candidate;
        this.#enqueue(turns);
      } else {
        turns.queue = "passed";
        passed.push(turns);
      }
    }
    // The one that was passed over last waits first, as in a stack.
    for (const turns of passed.reverse()) this.#enqueue(turns);
    return {
      candidate: chosen ?? openOnes(candidates)[0]!,
      why: "round robin",
    };
  }

  /** Forgets a backend that has left. */
  forget(name: string): void {
    const turns = this.#turns.get(name);
    if (turns === undefined) return;
    this.#part(turns);
    this.#turns.delete(name);
  }

  #part(turns: Turns): void {
    if (turns.queue === "absent") return;
    turns.queue = "absent";
    this.#totalWeight -= turns.share;
    turns.share = 0;
  }

  #join<C extends BalanceCandidate>(
    candidates: readonly C[],
    byName: ReadonlyMap<string, C>,
  ): void {
    const isFirst = this.#turns.size === 0;
    for (const turns of this.#turns.values()) {
      if (!byName.has(turns.name)) this.#part(turns);
    }
    for (const { name, currentWeight } of candidates) {
      const share = Math.max(Math.round(currentWeight * STEPS), 1);
      const known = this.#turns.get(name);
      if (known?.share === share) continue;
      this.#totalWeight += share - (known?.share ?? 0);
      if (known !== undefined) {
        known.share = share;
        if (known.queue === "absent") this.#squeezeIn(known);
        else if (known.queue !== "current") this.#file(known);
        else this.#squeezeIn(known);
      } else if (isFirst) this.#file(this.#newcomer(name, share));
      else this.#squeezeIn(this.#newcomer(name, share));
    }
    if (isFirst) this.#position = this.#roundWeight = this.#totalWeight;
  }

  #newcomer(name: string, share: number): Turns {
    const turns: Turns = {
      name,
      share,
      queue: "starting",
      position: 0,
      remainder: 0,
      key: 0,
      order: 0,
    };
    this.#turns.set(name, turns);
    return turns;
  }

  /** Gives a backend that joins late its first turn as far ahead as its weight says. */
  #squeezeIn(turns: Turns): void {
    const left = this.#totalWeight + this.#roundWeight - this.#position;
    turns.position = this.#position + Math.floor(left / turns.share);
    this.#enqueue(turns);
  }

  /** Sorts a backend into the queue of those that wait for their first turn of a round, by weight. */
  #file(turns: Turns): void {
    turns.key = MAX_WEIGHT * STEPS - turns.share;
    turns.order = ++this.#order;
  }

  #first(): Turns | undefined {
    const due = this.#least("current");
    if (due !== undefined && due.position <= this.#position) return due;
    const starting = this.#least("starting");
    if (starting === undefined) return due;
    starting.position = starting.remainder = 0;
    return starting;
  }

  #least(queue: Queue): Turns | undefined {
    let least: Turns | undefined;
    for (const turns of this.#turns.values()) {
      if (turns.queue !== queue) continue;
      if (
        least === undefined || turns.key < least.key ||
        turns.key === least.key && turns.order < least.order
      ) least = turns;
    }
    return least;
  }

  #advance(turns: Turns): void {
    if (turns.position === 0) turns.position = this.#position;
    turns.position += Math.floor(this.#totalWeight / turns.share);
    turns.remainder += this.#totalWeight % turns.share;
    if (turns.remainder >= turns.share) {
      turns.remainder -= turns.share;
      turns.position++;
    }
    this.#position++;
  }

  #enqueue(turns: Turns): void {
    const { position, share, remainder } = turns;
    if (
      position >= 2 * this.#roundWeight ||
      position >= this.#roundWeight + this.#totalWeight
    ) {
      turns.queue = "next";
      this.#file(turns);
    } else {
      turns.queue = "current";
      turns.key = MAX_WEIGHT * position +
        Math.floor((MAX_WEIGHT * STEPS + remainder - share) / STEPS);
      turns.order = ++this.#order;
    }
  }

  #endRound(): void {
    for (const turns of this.#turns.values()) {
      if (turns.queue === "next") turns.queue = "starting";
    }
    this.#roundWeight = this.#totalWeight;
    this.#position = this.#roundWeight;
  }
}
