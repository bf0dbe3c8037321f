import { ByteWriter } from "../bytes/writer.ts";
import type { Wire } from "./framing/framing.ts";

/**
 * Reads messages from bytes that come from anywhere: the way to use a wire without this suite's sockets. Push what
 * arrived, then iterate over the messages that are complete.
 *
 * What stays in the buffer after that is less than one frame, so the buffer is bounded by `maxFrameBytes` and the
 * largest chunk. An error of the codec concerns one frame, and the next iteration goes on after it; an error of the
 * framing is final and thrown again.
 *
 * @typeParam In What the wire decodes.
 *
 * @example Usage
 * ```ts
 * import { FrameReader } from "./frame_reader.ts";
 * import { lengthPrefixed } from "./framing/length_prefixed.ts";
 * import { text } from "./codec/text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const reader = new FrameReader(lengthPrefixed(text()));
 * assertEquals([...reader.push(new Uint8Array([0, 0, 0, 2, 0x68]))], []);
 * assertEquals([...reader.push(new Uint8Array([0x69]))], ["hi"]);
 * ```
 */
export class FrameReader<In> implements Iterable<In> {
  readonly #wire: Wire<In, never>;
  readonly #deframer;
  readonly #buffer = new ByteWriter(0);
  #from = 0;
  #finished = false;
  #failure: unknown;

  /** Starts with an empty buffer. */
  constructor(wire: Wire<In, never>) {
    this.#wire = wire;
    this.#deframer = wire.framing.deframer();
  }

  /** Largest payload to accept, in bytes; may be changed at any time. */
  get maxFrameBytes(): number {
    return this.#deframer.maxFrameBytes;
  }
  set maxFrameBytes(value: number) {
    this.#deframer.maxFrameBytes = value;
  }

  /** Bytes that are pushed and not yet part of a message. */
  get bufferedBytes(): number {
    return this.#buffer.length - this.#from;
  }

  /** Takes a copy of `chunk` and returns the reader, to iterate over. */
  push(chunk: Uint8Array): this {
    const buffer = this.#buffer;
    if (this.#from > 0) {
      buffer.bytes.copyWithin(0, this.#from, buffer.length);
      buffer.truncate(buffer.length - this.#from);
      this.#from = 0;
    }
    buffer.set(chunk);
    return this;
  }

  /** Says that no more bytes come: the next iteration ends with an unterminated last frame, or throws `truncated`. */
  finish(): this {
    this.#finished = true;
    return this;
  }

  /** The complete messages, in order. */
  [Symbol.iterator](): Iterator<In> {
    return { next: () => this.#next() };
  }

  #next(): IteratorResult<In> {
    if (this.#failure !== undefined) throw this.#failure;
    do {
      const next = this.#deframe();
      if (next < 0) return { done: true, value: undefined };
      this.#from = next;
    } while (this.#deframer.start < 0);
    const { start, end, inflated } = this.#deframer;
    const payload = inflated ?? this.#buffer.bytes.subarray(start, end);
    return { done: false, value: this.#wire.codec.decode(payload) };
  }

  #deframe(): number {
    const { bytes, length } = this.#buffer;
    try {
      const end = this.#deframer.next(bytes, this.#from, length);
      if (end >= 0 || !this.#finished) return end;
      return this.#deframer.finish(bytes, this.#from, length);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }
}
