import type { ByteWriter } from "../../bytes/writer.ts";
import type { Codec } from "../codec/codec.ts";

/** The largest frame a wire takes unless told otherwise: 1 MiB. */
export const DEFAULT_MAX_FRAME_BYTES: number = 1 << 20;

/** The option that every framing has. */
export interface FramingOptions {
  /** Largest payload of a frame in bytes, in both directions. @default {1_048_576} */
  maxFrameBytes?: number;
}

/**
 * Finds frames in received bytes, without copying them. One per connection, because it may remember how far it looked;
 * the bytes themselves stay with the caller, who must pass the same unconsumed bytes again, longer, next time.
 */
export interface Deframer {
  /** The largest payload to accept; may be changed at any time and holds from the next frame on. */
  maxFrameBytes: number;
  /** Offset of the payload of the frame that `next` found; -1 if what it passed over has none for the program. */
  start: number;
  /** Offset after that payload. */
  end: number;
  /** The payload, where it had to be made anew; undefined if it lies at `[start, end)`. */
  readonly inflated?: Uint8Array | undefined;
  /** Bytes from `from` on that the current frame is known to need in all, header included; 0 while unknown. */
  wanted: number;
  /**
   * Looks for one frame in `bytes[from, to)`. Sets `start` and `end` and returns the offset after the whole frame, or
   * returns -1 if more bytes are needed.
   *
   * @throws {RemoteProtocolError} If the header is impossible or the frame too large; the stream is then out of step.
   */
  next(bytes: Uint8Array, from: number, to: number): number;
  /**
   * Like `next`, for what is left when the stream has ended: the last line without its newline, for example. Returns
   * -1 if nothing is left.
   *
   * @throws {RemoteProtocolError} (`truncated`) If what is left is not a frame.
   */
  finish(bytes: Uint8Array, from: number, to: number): number;
  /**
   * Passes over `bytes[from, to)` once nobody wants messages any more, and returns the offset after what need not be
   * shown again; absent where none of it matters. A road's own frames may still tell of the end.
   */
  discard?(bytes: Uint8Array, from: number, to: number): number;
}

/** How frames are laid out in a byte stream. Stateless; per-connection state lives in the {@linkcode Deframer}. */
export interface Framing {
  /** Short name for logs and negotiation, such as `u32be`. */
  readonly name: string;
  /** Largest payload in bytes. */
  readonly maxFrameBytes: number;
  /** Makes the reading side for one connection. */
  deframer(): Deframer;
  /** Starts a frame in `writer` and returns a mark for `end`. */
  begin(writer: ByteWriter): number;
  /**
   * Ends the frame whose payload was appended since `begin`.
   *
   * @throws {LocalProtocolError} If the payload does not fit the framing; the writer is then back at the mark.
   */
  end(writer: ByteWriter, mark: number): void;
}

/** A framing and a codec: everything needed to turn a byte stream into messages and back. */
export interface Wire<In, Out = In> {
  /** Where messages begin and end. */
  readonly framing: Framing;
  /** What a message is. */
  readonly codec: Codec<In, Out>;
}
