import type { ByteWriter } from "../../bytes/writer.ts";
import type { Codec } from "../codec/codec.ts";
import type { Deframer, Framing, FramingOptions, Wire } from "./framing.ts";
import { frameLimit } from "./limits.ts";

/**
 * No framing: whatever bytes have arrived are a frame, cut at the maximum. How the sender grouped them is lost, so the
 * codec must be one that any cut suits, such as `bytes()`.
 *
 * @param codec What the bytes are.
 * @param options The most bytes handed on at once; what is sent may be longer.
 * @throws {RangeError} If `maxFrameBytes` is not a positive integer.
 *
 * @example Usage
 * ```ts
 * import { raw } from "./raw.ts";
 * import { bytes } from "../codec/bytes.ts";
 * import { FrameReader } from "../frame_reader.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const reader = new FrameReader(raw(bytes(), { maxFrameBytes: 2 }));
 * reader.push(new Uint8Array([1, 2, 3]));
 * assertEquals([...reader], [new Uint8Array([1, 2]), new Uint8Array([3])]);
 * ```
 */
export function raw<In, Out>(
  codec: Codec<In, Out>,
  options: FramingOptions = {},
): Wire<In, Out> {
  return { codec, framing: new RawFraming(frameLimit(options)) };
}

class RawFraming implements Framing {
  readonly name = "raw";
  readonly maxFrameBytes: number;

  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes;
  }

  deframer(): Deframer {
    return new RawDeframer(this.maxFrameBytes);
  }

  begin(writer: ByteWriter): number {
    return writer.length;
  }

  end(_writer: ByteWriter, _mark: number): void {}
}

class RawDeframer implements Deframer {
  maxFrameBytes: number;
  start = 0;
  end = 0;
  wanted = 0;

  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes;
  }

  next(_bytes: Uint8Array, from: number, to: number): number {
    if (from >= to) return -1;
    this.start = from;
    this.end = Math.min(to, from + Math.max(1, this.maxFrameBytes));
    return this.end;
  }

  finish(bytes: Uint8Array, from: number, to: number): number {
    return this.next(bytes, from, to);
  }
}
