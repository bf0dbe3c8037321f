/**
 * Lines typed before, to be called back.
 *
 * @module
 */

/**
 * A bounded list of lines with a position in it. Stepping back from the line
 * being typed keeps that line as a draft to return to.
 *
 * @example
 * ```ts
 * import { History } from "./history.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const history = new History(["/stats", "/ping"]);
 * assertEquals(history.previous("half a li"), "/ping");
 * assertEquals(history.previous("/ping"), "/stats");
 * assertEquals(history.next(), "/ping");
 * assertEquals(history.next(), "half a li");
 * ```
 */
export class History {
  readonly #maxEntries: number;
  #entries: string[];
  #position: number;
  #draft = "";

  /** Starts with `entries`, oldest first; keeps the last `maxEntries`. */
  constructor(entries: readonly string[] = [], maxEntries = 1000) {
    this.#maxEntries = maxEntries;
    this.#entries = entries.slice(-maxEntries);
    this.#position = this.#entries.length;
  }

  /** All lines, oldest first. */
  get entries(): readonly string[] {
    return this.#entries;
  }

  /** Remembers a line that was entered; empty and repeated ones are not. */
  add(line: string): void {
    if (line.trim() !== "" && line !== this.#entries.at(-1)) {
      this.#entries.push(line);
      if (this.#entries.length > this.#maxEntries) this.#entries.shift();
    }
    this.#position = this.#entries.length;
  }

  /** The line before, or `undefined` at the oldest. */
  previous(current: string): string | undefined {
    if (this.#position === 0) return undefined;
    if (this.#position === this.#entries.length) this.#draft = current;
    return this.#entries[--this.#position];
  }

  /** The line after, the draft at the end, or `undefined` beyond it. */
  next(): string | undefined {
    if (this.#position === this.#entries.length) return undefined;
    return this.#entries[++this.#position] ?? this.#draft;
  }
}

/**
 * A search backwards through the lines entered, by a part of them that is typed
 * letter by letter.
 *
 * @example
 * ```ts
 * import { HistorySearch } from "./history.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const search = new HistorySearch(["/echo 1", "/ping", "/echo 2"], "draft");
 * assertEquals(search.find("ec"), "/echo 2");
 * assertEquals(search.older(), "/echo 1");
 * assertEquals(search.older(), undefined);
 * ```
 */
export class HistorySearch {
  /** What is searched for. */
  query = "";
  /** The line to return to when the search is given up. */
  readonly draft: string;
  readonly #entries: readonly string[];
  #index: number;

  /** Starts at the newest of `entries`. */
  constructor(entries: readonly string[], draft: string) {
    this.#entries = entries;
    this.#index = entries.length;
    this.draft = draft;
  }

  /** The newest line that contains `query`, if one does. */
  find(query: string): string | undefined {
    this.query = query;
    return this.#search(this.#entries.length);
  }

  /** The next older line that contains the query, if one does. */
  older(): string | undefined {
    return this.#search(this.#index);
  }

  #search(before: number): string | undefined {
    if (this.query === "") return undefined;
    for (let index = before - 1; index >= 0; index--) {
      const line = this.#entries[index]!;
      if (!line.includes(this.query)) continue;
      this.#index = index;
      return line;
    }
    return undefined;
  }
}
