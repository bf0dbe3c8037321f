import type { ByteWriter } from "../../bytes/writer.ts";
import type { Codec } from "../codec/codec.ts";
import type { Deframer, Framing, FramingOptions, Wire } from "./framing.ts";
import {
  checkPayload,
  frameLimit,
  frameTooLarge,
  refuseFrame,
  truncatedFrame,
} from "./limits.ts";

const CARRIAGE_RETURN = 0x0d;

/** Options of {@linkcode lines}. */
export interface LinesOptions extends FramingOptions {
  /** Whether the stream may end without a delimiter after the last frame. @default {true} */
  allowUnterminated?: boolean;
}

/** Options of {@linkcode delimited}. */
export interface DelimitedOptions extends FramingOptions {
  /** What ends a frame: at least one byte, or a text that is sent as UTF-8. */
  delimiter: Uint8Array | string;
  /** Whether the stream may end without a delimiter after the last frame. @default {false} */
  allowUnterminated?: boolean;
}

/**
 * Frames that end with a delimiter, which the payload cannot contain.
 *
 * @param codec What the payload is.
 * @param options The delimiter and the maximum; the delimiter is not counted.
 * @throws {RangeError} If the delimiter is empty, or `maxFrameBytes` is not a positive integer.
 *
 * @example Usage
 * ```ts
 * import { delimited } from "./delimited.ts";
 * import { text } from "../codec/text.ts";
 * import { FrameReader } from "../frame_reader.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const reader = new FrameReader(delimited(text(), { delimiter: "\0" }));
 * reader.push(new TextEncoder().encode("a\0b\0c"));
 * assertEquals([...reader], ["a", "b"]);
 * ```
 */
export function delimited<In, Out>(
  codec: Codec<In, Out>,
  options: DelimitedOptions,
): Wire<In, Out> {
  const delimiter = typeof options.delimiter === "string"
    ? new TextEncoder().encode(options.delimiter)
    : options.delimiter.slice();
  if (delimiter.length === 0) {
    throw new RangeError(
      "Cannot frame as 'delimiter' must have at least one byte: current value is empty",
    );
  }
  const framing = new DelimitedFraming({
    name: "delimited",
    maxFrameBytes: frameLimit(options),
    delimiter,
    stripCarriageReturn: false,
    allowUnterminated: options.allowUnterminated ?? false,
  });
  return { codec, framing };
}

/**
 * Lines of text, as `nc` and NDJSON have them: each ends with a newline when written, and with a newline or a carriage
 * return and a newline when read.
 *
 * @param codec What a line is; `text()`, `json()` and others that write no newline.
 * @param options The maximum, and whether the last line may lack its newline.
 * @throws {RangeError} If `maxFrameBytes` is not a positive integer.
 *
 * @example Usage
 * ```ts
 * import { lines } from "./delimited.ts";
 * import { text } from "../codec/text.ts";
 * import { FrameReader } from "../frame_reader.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const reader = new FrameReader(lines(text()));
 * reader.push(new TextEncoder().encode("one\r\ntwo\nthree")).finish();
 * assertEquals([...reader], ["one", "two", "three"]);
 * ```
 */
export function lines<In, Out>(
  codec: Codec<In, Out>,
  options: LinesOptions = {},
): Wire<In, Out> {
  const framing = new DelimitedFraming({
    name: "lines",
    maxFrameBytes: frameLimit(options),
    delimiter: new Uint8Array([0x0a]),
    stripCarriageReturn: true,
    allowUnterminated: options.allowUnterminated ?? true,
  });
  return { codec, framing };
}

/** The options of a delimiter, resolved. */
interface DelimiterLayout {
  readonly name: string;
  readonly maxFrameBytes: number;
  readonly delimiter: Uint8Array;
  /** Whether a carriage return before the delimiter belongs to it. */
  readonly stripCarriageReturn: boolean;
  readonly allowUnterminated: boolean;
}

class DelimitedFraming implements Framing {
  readonly name: string;
  readonly maxFrameBytes: number;
  readonly #layout: DelimiterLayout;

  constructor(layout: DelimiterLayout) {
    this.name = layout.name;
    this.maxFrameBytes = layout.maxFrameBytes;
    this.#layout = layout;
  }

  deframer(): Deframer {
    return new DelimitedDeframer(this.#layout);
  }

  begin(writer: ByteWriter): number {
    return writer.length;
  }

  end(writer: ByteWriter, mark: number): void {
    const { delimiter, stripCarriageReturn } = this.#layout;
    const end = writer.length;
    checkPayload(writer, mark, end - mark, this.maxFrameBytes);
    if (
      stripCarriageReturn && end > mark &&
      writer.bytes[end - 1] === CARRIAGE_RETURN
    ) {
      throw refuseFrame(
        writer,
        mark,
        "unencodable",
        "payload ends with a carriage return, which readers take for a part of the newline",
      );
    }
    writer.set(delimiter);
    // The delimiter may also come about by the end of the payload and its own start.
    const found = indexOfBytes(writer.bytes, delimiter, mark, writer.length);
    if (found !== end) {
      throw refuseFrame(
        writer,
        mark,
        "unencodable",
        `payload contains the delimiter at offset ${found - mark}`,
      );
    }
  }
}

class DelimitedDeframer implements Deframer {
  maxFrameBytes: number;
  start = 0;
  end = 0;
  wanted = 0;
  readonly #layout: DelimiterLayout;
  /** Bytes after the start of the frame where no delimiter begins. */
  #searched = 0;

  constructor(layout: DelimiterLayout) {
    this.maxFrameBytes = layout.maxFrameBytes;
    this.#layout = layout;
  }

  next(bytes: Uint8Array, from: number, to: number): number {
    const { delimiter, stripCarriageReturn } = this.#layout;
    const furthest = this.maxFrameBytes + delimiter.length +
      (stripCarriageReturn ? 1 : 0);
    const limit = Math.min(to, from + furthest);
    const at = indexOfBytes(bytes, delimiter, from + this.#searched, limit);
    if (at < 0) {
      this.#searched = Math.max(0, limit - from - (delimiter.length - 1));
      this.#refuseTooLong(bytes, from, from + this.#searched);
      return -1;
    }
    this.#searched = 0;
    this.start = from;
    this.end = this.#refuseTooLong(bytes, from, at);
    return at + delimiter.length;
  }

  finish(bytes: Uint8Array, from: number, to: number): number {
    if (from === to) return -1;
    if (!this.#layout.allowUnterminated) throw truncatedFrame(to - from);
    this.#searched = 0;
    this.start = from;
    this.end = this.#refuseTooLong(bytes, from, to);
    return to;
  }

  /** The end of the payload that would end at `end`, without its carriage return. */
  #refuseTooLong(bytes: Uint8Array, from: number, end: number): number {
    const payloadEnd = this.#layout.stripCarriageReturn && end > from &&
        bytes[end - 1] === CARRIAGE_RETURN
      ? end - 1
      : end;
    const length = payloadEnd - from;
    if (length > this.maxFrameBytes) {
      throw frameTooLarge(`at least ${length}`, this.maxFrameBytes);
    }
    return payloadEnd;
  }
}

/** Offset of the first `needle` that lies in `bytes[from, to)`, or -1. */
function indexOfBytes(
  bytes: Uint8Array,
  needle: Uint8Array,
  from: number,
  to: number,
): number {
  // The native search has no end of its own, and what follows `to` may be long.
  const view = bytes.subarray(from, Math.max(from, to));
  const first = needle[0]!;
  for (
    let at = view.indexOf(first);
    at >= 0;
    at = view.indexOf(first, at + 1)
  ) {
    let i = 1;
    while (i < needle.length && view[at + i] === needle[i]) i++;
    if (i === needle.length) return from + at;
  }
  return -1;
}
