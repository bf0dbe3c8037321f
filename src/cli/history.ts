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

  /**
   * The newest line before index `before` that contains `query`, with its
   * index; `undefined` where there is none.
   */
  search(
    query: string,
    before: number = this.#entries.length,
  ): { index: number; line: string } | undefined {
    for (let index = before - 1; index >= 0; index--) {
      const line = this.#entries[index]!;
      if (line.includes(query)) return { index, line };
    }
    return undefined;
  }
}
