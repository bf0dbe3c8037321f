import { ByteWriter } from "../bytes/writer.ts";

/** What a group broadcast in one turn of the event loop, encoded once. */
export class Batch {
  /** Counts the batches of a group. */
  readonly sequence: number;
  /** The encoded messages, end to end. */
  readonly writer: ByteWriter;
  readonly #ends: number[] = [];
  readonly #keys: unknown[] = [];
  /** Which messages a sender must not get back, by index. */
  #excluded: Map<unknown, number[]> | undefined;

  constructor(sequence: number, capacity: number) {
    this.sequence = sequence;
    this.writer = new ByteWriter(capacity);
  }

  /** How many messages there are. */
  get count(): number {
    return this.#ends.length;
  }

  /** Counts the message that was just appended to `writer`. */
  appended(key: unknown, except: unknown): void {
    if (except !== undefined) {
      this.#excluded ??= new Map();
      const excluded = this.#excluded.get(except);
      if (excluded === undefined) this.#excluded.set(except, [this.count]);
      else excluded.push(this.count);
    }
    this.#ends.push(this.writer.length);
    this.#keys.push(key);
  }

  /** The bytes of the messages `[from, to)`. */
  bytes(from: number, to: number): Uint8Array {
    const start = from === 0 ? 0 : this.#ends[from - 1]!;
    return this.writer.bytes.subarray(start, this.#ends[to - 1]);
  }

  /** The key of one message. */
  key(index: number): unknown {
    return this.#keys[index];
  }

  /** Calls `give` for each run of the messages `[from, to)` that `member` may have. */
  forEachRun(
    member: unknown,
    from: number,
    to: number,
    give: (from: number, to: number) => void,
  ): void {
    let at = from;
    for (const index of this.#excluded?.get(member) ?? []) {
      if (index < at) continue;
      if (index >= to) break;
      if (index > at) give(at, index);
      at = index + 1;
    }
    if (at < to) give(at, to);
  }
}
