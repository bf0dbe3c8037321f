import { ByteWriter } from "../bytes/writer.ts";
import { writeFrame } from "../proto/frame_writer.ts";
import type { Wire } from "../proto/framing/framing.ts";

/** The messages of a batch in one wire. */
export class Encoding<Out> {
  /** The wire. */
  readonly wire: Wire<unknown, Out>;
  /** The encoded messages, end to end. */
  readonly writer: ByteWriter;
  /** Where each ends. One that nobody with this wire may have is empty. */
  readonly ends: number[];

  constructor(wire: Wire<unknown, Out>, capacity: number, count: number) {
    this.wire = wire;
    this.writer = new ByteWriter(capacity);
    this.ends = new Array(count).fill(0);
  }

  /** The bytes of the messages `[from, to)`. */
  bytes(from: number, to: number): Uint8Array {
    const start = from === 0 ? 0 : this.ends[from - 1]!;
    return this.writer.bytes.subarray(start, this.ends[to - 1]);
  }
}

/** What a group broadcast in one turn of the event loop, encoded once for each wire that its members have. */
export class Batch<Out> {
  /** Counts the batches of a group. */
  readonly sequence: number;
  readonly #capacity: number;
  readonly #encodings: Encoding<Out>[] = [];
  readonly #keys: unknown[] = [];
  /** Which messages a sender must not get back, by index. */
  #excluded: Map<unknown, number[]> | undefined;

  constructor(sequence: number, capacity: number) {
    this.sequence = sequence;
    this.#capacity = capacity;
  }

  /** How many messages there are. */
  get count(): number {
    return this.#keys.length;
  }

  /** Bytes of the longest encoding. */
  get byteLength(): number {
    return Math.max(...this.#encodings.map(({ writer }) => writer.length));
  }

  /**
   * Appends `message` in each of `wires`, for all but `except`.
   *
   * @throws {LocalProtocolError} If it cannot be put into one of them; it is then in none.
   */
  append(
    message: Out,
    wires: Iterable<Wire<unknown, Out>>,
    key: unknown,
    except: unknown,
  ): void {
    const { count } = this;
    try {
      for (const wire of wires) {
        writeFrame(wire, message, this.#encodingFor(wire).writer);
      }
    } catch (error) {
      for (const { writer, ends } of this.#encodings) {
        writer.truncate(ends.at(-1) ?? 0);
      }
      throw error;
    }
    for (const { writer, ends } of this.#encodings) ends.push(writer.length);
    this.#keys.push(key);
    if (except !== undefined) {
      this.#excluded ??= new Map();
      const excluded = this.#excluded.get(except);
      if (excluded === undefined) this.#excluded.set(except, [count]);
      else excluded.push(count);
    }
  }

  #encodingFor(wire: Wire<unknown, Out>): Encoding<Out> {
    let encoding = this.encoding(wire);
    if (encoding === undefined) {
      encoding = new Encoding(wire, this.#capacity, this.count);
      this.#encodings.push(encoding);
    }
    return encoding;
  }

  /** The messages in `wire`; undefined if there are none. */
  encoding(wire: Wire<unknown, Out>): Encoding<Out> | undefined {
    return this.#encodings.find((encoding) => encoding.wire === wire);
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
