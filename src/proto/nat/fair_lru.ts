/** What a {@linkcode FairLru} keeps. */
export interface Used<O> {
  /** Whose it is. */
  readonly owner: O;
  /** When it was used last. */
  lastMs: number;
  /** When it was used as far as the order knows; belongs to the {@linkcode FairLru}. */
  rankMs: number;
}

/** Entries passed over, because they were used again, in one search. */
const MAX_SECOND_CHANCES = 32;

/**
 * Entries of many owners, of which one must go when there is no room: the least recently used of the owner that has the
 * most, so that who fills a table displaces himself. Using an entry costs nothing but setting its `lastMs` (second
 * chance, or CLOCK).
 */
export class FairLru<O, U extends Used<O>> {
  readonly #entries = new Map<O, Set<U>>();
  /** The owners by how many entries they have. */
  readonly #owners: Set<O>[] = [new Set()];
  #most = 0;

  /** How many entries an owner has. */
  count(owner: O): number {
    return this.#entries.get(owner)?.size ?? 0;
  }

  /** Adds an entry. */
  add(entry: U): void {
    let entries = this.#entries.get(entry.owner);
    if (entries === undefined) {
      this.#entries.set(entry.owner, entries = new Set());
    }
    entry.rankMs = entry.lastMs;
    entries.add(entry);
    this.#move(entry.owner, entries.size - 1, entries.size);
  }

  /** Removes an entry; does nothing if it is not there. */
  delete(entry: U): void {
    const entries = this.#entries.get(entry.owner);
    if (entries === undefined || !entries.delete(entry)) return;
    this.#move(entry.owner, entries.size + 1, entries.size);
    if (entries.size === 0) this.#entries.delete(entry.owner);
  }

  /** The owner that has the most entries. */
  get greediest(): O | undefined {
    return first(this.#owners[this.#most]!);
  }

  /** The least recently used entry of an owner. */
  oldestOf(owner: O): U | undefined {
    const entries = this.#entries.get(owner);
    if (entries === undefined) return undefined;
    for (let chance = 0; chance < MAX_SECOND_CHANCES; chance++) {
      const entry = first(entries)!;
      if (entry.lastMs <= entry.rankMs) return entry;
      entry.rankMs = entry.lastMs;
      entries.delete(entry);
      entries.add(entry);
    }
    return first(entries);
  }

  #move(owner: O, from: number, to: number): void {
    this.#owners[from]!.delete(owner);
    if (to > 0) (this.#owners[to] ??= new Set()).add(owner);
    this.#most = Math.max(this.#most, to);
    while (this.#most > 0 && this.#owners[this.#most]!.size === 0) this.#most--;
  }
}

function first<T>(set: Set<T>): T | undefined {
  for (const value of set) return value;
  return undefined;
}
