import type { ByteWriter } from "../../bytes/writer.ts";
import type { Codec } from "../codec/codec.ts";
import type { Deframer, Framing, Wire } from "./framing.ts";
import {
  headerLayout,
  LengthFieldFraming,
  type LengthPrefixedOptions,
} from "./length_field.ts";
import { checkPayload, finishWhole, frameTooLarge } from "./limits.ts";

export type { LengthPrefixedOptions };

/**
 * Frames with a length before them, as Netty's `LengthFieldBasedFrameDecoder` and tokio-util's `LengthDelimitedCodec`
 * know them. A frame is refused as soon as its header is read.
 *
 * @param codec What the payload is.
 * @param options Layout of the header; by default a 4-byte big-endian length.
 * @throws {RangeError} If the layout is impossible, or the length field cannot carry `maxFrameBytes`.
 *
 * @example Usage
 * ```ts
 * import { lengthPrefixed } from "./length_prefixed.ts";
 * import { text } from "../codec/text.ts";
 * import { encodeFrame } from "../frame_writer.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lengthPrefixed(text(), { lengthBytes: 2, maxFrameBytes: 1000 });
 * assertEquals(encodeFrame(wire, "hi"), new Uint8Array([0, 2, 0x68, 0x69]));
 * ```
 */
export function lengthPrefixed<In, Out>(
  codec: Codec<In, Out>,
  options: LengthPrefixedOptions = {},
): Wire<In, Out> {
  const layout = headerLayout(options);
  const plain = layout.lengthBytes === 4 && layout.headerBytes === 4 &&
    layout.bigEndian && layout.adjustment === 0 && !layout.keepHeader;
  return {
    codec,
    framing: plain
      ? new Uint32Framing(layout.maxFrameBytes)
      : new LengthFieldFraming(layout),
  };
}

/** The common case, 4 bytes big-endian: no allocation and no division per frame. */
class Uint32Framing implements Framing {
  readonly name = "u32be";
  readonly maxFrameBytes: number;

  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes;
  }

  deframer(): Deframer {
    return new Uint32Deframer(this.maxFrameBytes);
  }

  begin(writer: ByteWriter): number {
    const mark = writer.length;
    writer.reserve(4);
    writer.length = mark + 4;
    return mark;
  }

  end(writer: ByteWriter, mark: number): void {
    const length = writer.length - mark - 4;
    checkPayload(writer, mark, length, this.maxFrameBytes);
    const bytes = writer.bytes;
    bytes[mark] = length >>> 24;
    bytes[mark + 1] = length >>> 16;
    bytes[mark + 2] = length >>> 8;
    bytes[mark + 3] = length;
  }
}

class Uint32Deframer implements Deframer {
  maxFrameBytes: number;
  start = 0;
  end = 0;
  wanted = 0;

  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes;
  }

  next(bytes: Uint8Array, from: number, to: number): number {
    const start = from + 4;
    if (start > to) {
      this.wanted = 0;
      return -1;
    }
    const length = (bytes[from]! << 24 | bytes[from + 1]! << 16 |
      bytes[from + 2]! << 8 | bytes[from + 3]!) >>> 0;
    if (length > this.maxFrameBytes) {
      throw frameTooLarge(length, this.maxFrameBytes);
    }
    const end = start + length;
    if (end > to) {
      this.wanted = length + 4;
      return -1;
    }
    this.start = start;
    this.end = end;
    return end;
  }

  finish(_bytes: Uint8Array, from: number, to: number): number {
    return finishWhole(from, to);
  }
}
