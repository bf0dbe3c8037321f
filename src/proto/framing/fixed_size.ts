import type { ByteWriter } from "../../bytes/writer.ts";
import type { Codec } from "../codec/codec.ts";
import type { Deframer, Framing, Wire } from "./framing.ts";
import {
  finishWhole,
  frameLimit,
  frameTooLarge,
  refuseFrame,
} from "./limits.ts";

/** Options of {@linkcode fixedSize}. */
export interface FixedSizeOptions {
  /** How many bytes every frame has. */
  frameBytes: number;
}

/**
 * Frames that all have the same size and nothing between them.
 *
 * @param codec What the payload is.
 * @param options The size.
 * @throws {RangeError} If `frameBytes` is not a positive integer.
 *
 * @example Usage
 * ```ts
 * import { fixedSize } from "./fixed_size.ts";
 * import { bytes } from "../codec/bytes.ts";
 * import { FrameReader } from "../frame_reader.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const reader = new FrameReader(fixedSize(bytes(), { frameBytes: 2 }));
 * reader.push(new Uint8Array([1, 2, 3, 4, 5]));
 * assertEquals([...reader].length, 2);
 * ```
 */
export function fixedSize<In, Out>(
  codec: Codec<In, Out>,
  options: FixedSizeOptions,
): Wire<In, Out> {
  const frameBytes = frameLimit({ maxFrameBytes: options.frameBytes });
  return { codec, framing: new FixedFraming(frameBytes) };
}

class FixedFraming implements Framing {
  readonly name = "fixed";
  readonly maxFrameBytes: number;

  constructor(frameBytes: number) {
    this.maxFrameBytes = frameBytes;
  }

  deframer(): Deframer {
    return new FixedDeframer(this.maxFrameBytes);
  }

  begin(writer: ByteWriter): number {
    return writer.length;
  }

  end(writer: ByteWriter, mark: number): void {
    const length = writer.length - mark;
    if (length !== this.maxFrameBytes) {
      throw refuseFrame(
        writer,
        mark,
        "unencodable",
        `payload must have ${this.maxFrameBytes} bytes: current value is ${length}`,
      );
    }
  }
}

class FixedDeframer implements Deframer {
  maxFrameBytes: number;
  start = 0;
  end = 0;
  wanted: number;
  readonly #frameBytes: number;

  constructor(frameBytes: number) {
    this.maxFrameBytes = frameBytes;
    this.wanted = frameBytes;
    this.#frameBytes = frameBytes;
  }

  next(_bytes: Uint8Array, from: number, to: number): number {
    if (from < to && this.#frameBytes > this.maxFrameBytes) {
      throw frameTooLarge(this.#frameBytes, this.maxFrameBytes);
    }
    const end = from + this.#frameBytes;
    if (end > to) return -1;
    this.start = from;
    this.end = end;
    return end;
  }

  finish(_bytes: Uint8Array, from: number, to: number): number {
    return finishWhole(from, to);
  }
}
