import type { ByteWriter } from "../../bytes/writer.ts";
import { RemoteProtocolError } from "../errors.ts";
import type { Deframer, Framing, FramingOptions } from "./framing.ts";
import {
  checkPayload,
  finishWhole,
  frameLimit,
  frameTooLarge,
  refuseFrame,
} from "./limits.ts";

/** Options of `lengthPrefixed()`; the defaults are a 4-byte big-endian length and nothing else. */
export interface LengthPrefixedOptions extends FramingOptions {
  /** Width of the length field in bytes, 1 to 8. @default {4} */
  lengthBytes?: number;
  /** Which byte of the length field comes first. @default {"big"} */
  byteOrder?: "big" | "little";
  /** Header bytes before the length field: skipped when read, zero when written. @default {0} */
  lengthOffset?: number;
  /** Header bytes before the length field that must be exactly these, in both directions; sets `lengthOffset`. */
  magic?: Uint8Array;
  /** Added to the value of the length field to get the bytes that follow the field. @default {0} */
  lengthAdjustment?: number;
  /** Whether the value of the length field counts the header (offset and length field) too. @default {false} */
  lengthIncludesHeader?: boolean;
  /**
   * Whether the header is part of the payload: the codec then reads it, and writes it with any bytes in the place of the
   * length, which is filled in afterwards. For protocols that keep a type beside the length. @default {false}
   */
  keepHeader?: boolean;
}

/** Those options, resolved. */
export interface HeaderLayout {
  readonly name: string;
  readonly maxFrameBytes: number;
  readonly lengthBytes: number;
  readonly lengthOffset: number;
  /** Offset and length field. */
  readonly headerBytes: number;
  readonly bigEndian: boolean;
  /** Value of the field plus this = bytes after the field. */
  readonly adjustment: number;
  readonly magic: Uint8Array | undefined;
  readonly keepHeader: boolean;
}

/**
 * Resolves `options`.
 *
 * @throws {RangeError} If the layout is impossible.
 */
export function headerLayout(options: LengthPrefixedOptions): HeaderLayout {
  const {
    lengthBytes = 4,
    byteOrder = "big",
    lengthAdjustment = 0,
    keepHeader = false,
  } = options;
  const magic = options.magic?.slice();
  const lengthOffset = options.lengthOffset ?? magic?.length ?? 0;
  integerOption("lengthBytes", lengthBytes, 1, 8);
  integerOption("lengthOffset", lengthOffset, 0, 0xffff);
  integerOption("lengthAdjustment", lengthAdjustment, -0xffffffff, 0xffffffff);
  if (magic !== undefined && magic.length !== lengthOffset) {
    throw new RangeError(
      `Cannot frame as 'lengthOffset' must be the length of 'magic', ${magic.length}: current value is ${lengthOffset}`,
    );
  }
  const headerBytes = lengthOffset + lengthBytes;
  const adjustment = lengthAdjustment -
    (options.lengthIncludesHeader ? headerBytes : 0);
  const carryable = largestField(lengthBytes) + adjustment +
    (keepHeader ? headerBytes : 0);
  return {
    name: `u${lengthBytes * 8}${byteOrder === "big" ? "be" : "le"}`,
    maxFrameBytes: frameLimit(
      options,
      Math.min(carryable, Number.MAX_SAFE_INTEGER),
    ),
    lengthBytes,
    lengthOffset,
    headerBytes,
    bigEndian: byteOrder === "big",
    adjustment,
    magic,
    keepHeader,
  };
}

/** The largest value of a length field that a number holds exactly. */
function largestField(lengthBytes: number): number {
  return Math.min(256 ** lengthBytes - 1, Number.MAX_SAFE_INTEGER);
}

function integerOption(
  name: string,
  value: number,
  least: number,
  most: number,
): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(
      `Cannot frame as '${name}' must be an integer from ${least} to ${most}: current value is ${value}`,
    );
  }
}

/** Any length field but the common one, which has a faster path of its own. */
export class LengthFieldFraming implements Framing {
  readonly name: string;
  readonly maxFrameBytes: number;
  readonly #layout: HeaderLayout;

  constructor(layout: HeaderLayout) {
    this.name = layout.name;
    this.maxFrameBytes = layout.maxFrameBytes;
    this.#layout = layout;
  }

  deframer(): Deframer {
    return new LengthFieldDeframer(this.#layout);
  }

  begin(writer: ByteWriter): number {
    const { headerBytes, keepHeader } = this.#layout;
    const mark = writer.length;
    if (!keepHeader) {
      writer.reserve(headerBytes).fill(0, mark, mark + headerBytes);
      writer.length = mark + headerBytes;
    }
    return mark;
  }

  end(writer: ByteWriter, mark: number): void {
    const { headerBytes, lengthBytes, lengthOffset, magic } = this.#layout;
    const written = writer.length - mark;
    const length = written - headerBytes;
    const field = length - this.#layout.adjustment;
    const payload = this.#layout.keepHeader ? written : length;
    checkPayload(writer, mark, payload, this.maxFrameBytes);
    if (length < 0 || field < 0) {
      throw refuseFrame(
        writer,
        mark,
        "unencodable",
        `payload of ${payload} bytes is shorter than its header says`,
      );
    }
    const bytes = writer.bytes;
    if (magic !== undefined) bytes.set(magic, mark);
    let rest = field;
    for (let i = 0; i < lengthBytes; i++) {
      const at = this.#layout.bigEndian ? lengthBytes - 1 - i : i;
      bytes[mark + lengthOffset + at] = rest % 256;
      rest = Math.floor(rest / 256);
    }
  }
}

class LengthFieldDeframer implements Deframer {
  maxFrameBytes: number;
  start = 0;
  end = 0;
  wanted = 0;
  readonly #layout: HeaderLayout;

  constructor(layout: HeaderLayout) {
    this.maxFrameBytes = layout.maxFrameBytes;
    this.#layout = layout;
  }

  next(bytes: Uint8Array, from: number, to: number): number {
    const { headerBytes, lengthBytes, lengthOffset, magic, keepHeader } =
      this.#layout;
    if (magic !== undefined) checkMagic(magic, bytes, from, to);
    if (from + headerBytes > to) {
      this.wanted = 0;
      return -1;
    }
    let field = 0;
    for (let i = 0; i < lengthBytes; i++) {
      const at = this.#layout.bigEndian ? i : lengthBytes - 1 - i;
      field = field * 256 + bytes[from + lengthOffset + at]!;
    }
    const length = field + this.#layout.adjustment;
    if (length < 0) {
      throw new RemoteProtocolError(
        "invalid_frame",
        `Cannot read frame: length field says ${field}, least is ${-this.#layout
          .adjustment}`,
      );
    }
    const payload = keepHeader ? headerBytes + length : length;
    if (payload > this.maxFrameBytes) {
      throw frameTooLarge(payload, this.maxFrameBytes);
    }
    const end = from + headerBytes + length;
    if (end > to) {
      this.wanted = headerBytes + length;
      return -1;
    }
    this.start = keepHeader ? from : from + headerBytes;
    this.end = end;
    return end;
  }

  finish(_bytes: Uint8Array, from: number, to: number): number {
    return finishWhole(from, to);
  }
}

/** Refuses wrong magic at its first wrong byte, before the header is complete. */
function checkMagic(
  magic: Uint8Array,
  bytes: Uint8Array,
  from: number,
  to: number,
): void {
  const present = Math.min(magic.length, to - from);
  for (let i = 0; i < present; i++) {
    if (bytes[from + i] !== magic[i]) {
      throw new RemoteProtocolError(
        "invalid_frame",
        `Cannot read frame: byte ${i} of the header must be ${
          magic[i]
        }: current value is ${bytes[from + i]}`,
      );
    }
  }
}
