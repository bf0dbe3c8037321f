import {
  MAX_VARINT_BYTES,
  putVarint,
  readVarint,
  varintBytes,
} from "../../bytes/varint.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import type { Codec } from "../codec/codec.ts";
import { RemoteProtocolError } from "../errors.ts";
import type { Deframer, Framing, FramingOptions, Wire } from "./framing.ts";
import {
  checkPayload,
  finishWhole,
  frameLimit,
  frameTooLarge,
} from "./limits.ts";

/**
 * Frames with their length before them as an unsigned LEB128 varint, as Protocol Buffers delimit messages. A length in
 * more bytes than it needs is refused.
 *
 * @param codec What the payload is.
 * @param options The maximum, of 32 bits at most.
 * @throws {RangeError} If `maxFrameBytes` is not an integer from 1 to 2^32 - 1.
 *
 * @example Usage
 * ```ts
 * import { varintPrefixed } from "./varint_prefixed.ts";
 * import { text } from "../codec/text.ts";
 * import { encodeFrame } from "../frame_writer.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodeFrame(varintPrefixed(text()), "x".repeat(300)).length, 302);
 * ```
 */
export function varintPrefixed<In, Out>(
  codec: Codec<In, Out>,
  options: FramingOptions = {},
): Wire<In, Out> {
  return { codec, framing: new VarintFraming(frameLimit(options, 0xffffffff)) };
}

class VarintFraming implements Framing {
  readonly name = "varint";
  readonly maxFrameBytes: number;

  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes;
  }

  deframer(): Deframer {
    return new VarintDeframer(this.maxFrameBytes);
  }

  begin(writer: ByteWriter): number {
    return writer.length;
  }

  end(writer: ByteWriter, mark: number): void {
    const length = writer.length - mark;
    checkPayload(writer, mark, length, this.maxFrameBytes);
    const header = varintBytes(length);
    const bytes = writer.reserve(header);
    bytes.copyWithin(mark + header, mark, mark + length);
    putVarint(length, bytes, mark);
    writer.length += header;
  }
}

class VarintDeframer implements Deframer {
  maxFrameBytes: number;
  start = 0;
  end = 0;
  wanted = 0;

  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes;
  }

  next(bytes: Uint8Array, from: number, to: number): number {
    const length = readVarint(bytes, from, to);
    if (length === -1) {
      this.wanted = 0;
      return -1;
    }
    if (length === -2) {
      throw new RemoteProtocolError(
        "invalid_frame",
        `Cannot read frame: its length is not a varint of at most ${MAX_VARINT_BYTES} bytes`,
      );
    }
    if (length > this.maxFrameBytes) {
      throw frameTooLarge(length, this.maxFrameBytes);
    }
    const start = from + varintBytes(length);
    const end = start + length;
    if (end > to) {
      this.wanted = end - from;
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
