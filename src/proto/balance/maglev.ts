import {
  type BalanceCandidate,
  type BalanceChoice,
  type BalancePolicy,
  type BalanceRequest,
  openOnes,
} from "./candidate.ts";
import { hashText } from "./hash.ts";
import { draw } from "./random_two.ts";

/** A prime, and more than a hundred times as large as any sensible number of backends: the small table of the paper. */
const TABLE_SIZE = 65_537;
const KEY_SEED = 0x9e3779b9;
const OFFSET_SEED = 0x2545f491;
const SKIP_SEED = 0x5bd1e995;

/** Options of {@linkcode Maglev}. */
export interface MaglevOptions {
  /**
   * No backend gets more than this many times its fair share of the connections there are; `Infinity` for no bound. What is
   * beyond goes to the next ones in the table.
   *
   * @default {1.25}
   */
  maxLoad?: number;
}

/**
 * Sends the same source to the same backend by the lookup table of Maglev (Eisenbud and others, NSDI 2016, section 3.4):
 * tables are equal wherever the backends are, so that several balancers agree without a word. Loads are bounded as in
 * "Consistent Hashing with Bounded Loads" (Mirrokni and others, 2018).
 *
 * @example Usage
 * ```ts
 * import { Maglev } from "./maglev.ts";
 * import { ServerLoad } from "../resilience/balance.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const backends = ["a", "b", "c"].map((name) => ({
 *   name,
 *   weight: 1,
 *   currentWeight: 1,
 *   active: 0,
 *   isOpen: true,
 *   load: new ServerLoad(),
 *   isHealthy: () => true,
 * }));
 * const choose = (policy: Maglev) =>
 *   policy.choose({ key: "192.0.2.7" }, backends, 0, () => 0.5).candidate;
 * assertEquals(choose(new Maglev()), choose(new Maglev()));
 * ```
 */
export class Maglev implements BalancePolicy {
  readonly #maxLoad: number;
  #built = "";
  #names: readonly string[] = [];
  #table: Uint16Array = new Uint16Array();

  /**
   * Starts without a table; it is built when backends are there, and again when others are.
   *
   * @throws {RangeError} If `maxLoad` is below 1.
   */
  constructor(options: MaglevOptions = {}) {
    this.#maxLoad = options.maxLoad ?? 1.25;
    if (!(this.#maxLoad >= 1)) {
      throw new RangeError(
        `Cannot bound loads: 'maxLoad' must be at least 1: current value is ${this.#maxLoad}`,
      );
    }
  }

  /** Chooses who has the key's place in the table, or one of the next places if it has too much. */
  choose<C extends BalanceCandidate>(
    { key }: BalanceRequest,
    candidates: readonly C[],
    _nowMs: number,
    random: () => number,
  ): BalanceChoice<C> {
    if (key === undefined) {
      const candidate = draw(openOnes(candidates), random);
      return { candidate, why: "no source: at random" };
    }
    this.#build(candidates);
    const byName = new Map(candidates.map((one) => [one.name, one]));
    const ordered = this.#names.map((name) => byName.get(name)!);
    const start = hashText(key, KEY_SEED) % TABLE_SIZE;
    const first = ordered[this.#table[start]!]!;
    const bound = this.#bound(candidates);
    const takes = (one: C) => one.isOpen && one.active < bound(one);
    const chosen = takes(first) ? first : this.#next(ordered, start, takes) ??
      this.#next(ordered, start, ({ isOpen }) => isOpen)!;
    return {
      candidate: chosen,
      why: chosen === first
        ? `hash of ${key}`
        : `hash of ${key}, past ${first.name} with ${first.active}`,
    };
  }

  /** How many connections each may have. */
  #bound(
    candidates: readonly BalanceCandidate[],
  ): (one: BalanceCandidate) => number {
    let active = 1;
    let weights = 0;
    for (const one of candidates) {
      active += one.active;
      weights += one.weight;
    }
    const share = this.#maxLoad * active / weights;
    return ({ weight }) => Math.ceil(share * weight);
  }

  #next<C>(
    ordered: readonly C[],
    start: number,
    takes: (one: C) => boolean,
  ): C | undefined {
    for (let step = 1; step < TABLE_SIZE; step++) {
      const one = ordered[this.#table[(start + step) % TABLE_SIZE]!]!;
      if (takes(one)) return one;
    }
    return undefined;
  }

  #build(candidates: readonly BalanceCandidate[]): void {
    const sorted = candidates
      .map(({ name, weight }) => ({ name, weight }))
      .sort((a, b) => a.name < b.name ? -1 : 1);
    const wanted = sorted.map(({ name, weight }) => `${weight} ${name}`)
      .join("\n");
    if (wanted === this.#built) return;
    this.#built = wanted;
    this.#names = sorted.map(({ name }) => name);
    this.#table = maglevTable(sorted);
  }
}

/**
 * The lookup table of Maglev: for each place the index of a backend. Weights decide how often a backend takes a place
 * while the table is filled.
 *
 * @example Usage
 * ```ts
 * import { maglevTable } from "./maglev.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const table = maglevTable([
 *   { name: "a", weight: 1 },
 *   { name: "b", weight: 3 },
 * ]);
 * assertEquals(table.length, 65_537);
 * assertEquals(table.filter((index) => index === 1).length, 49_153);
 * ```
 */
export function maglevTable(
  backends: readonly { readonly name: string; readonly weight: number }[],
): Uint16Array {
  const table = new Uint16Array(TABLE_SIZE);
  const isTaken = new Uint8Array(TABLE_SIZE);
  const heaviest = Math.max(...backends.map(({ weight }) => weight));
  const fillers = backends.map(({ name, weight }) => ({
    at: hashText(name, OFFSET_SEED) % TABLE_SIZE,
    skip: hashText(name, SKIP_SEED) % (TABLE_SIZE - 1) + 1,
    share: weight / heaviest,
    due: 0,
  }));
  for (let filled = 0; filled < TABLE_SIZE;) {
    for (const [index, filler] of fillers.entries()) {
      filler.due += filler.share;
      if (filler.due < 1) continue;
      filler.due -= 1;
      while (isTaken[filler.at]) {
        filler.at = (filler.at + filler.skip) % TABLE_SIZE;
      }
      table[filler.at] = index;
      isTaken[filler.at] = 1;
      if (++filled === TABLE_SIZE) break;
    }
  }
  return table;
}
