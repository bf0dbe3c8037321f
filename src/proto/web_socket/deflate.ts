import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { CLOSE_CODES, messageTooLarge, WebSocketError } from "./close.ts";

/** How to compress, for {@linkcode Deflate}. */
export interface DeflateOptions {
  /** Messages shorter than this many bytes are sent as they are. @default {1024} */
  thresholdBytes?: number;
  /** How hard to try, 1 to 9. @default {6} */
  level?: number;
  /** Base 2 logarithm of the window that messages are compressed with, 9 to 15. @default {15} */
  windowBits?: number;
}

/** Output is made in chunks of this size. */
const CHUNK_BYTES = 16 * 1024;

/** What Z_SYNC_FLUSH ends with and a sender takes off (RFC 7692, 7.2.1): an empty stored block without its header bits. */
const TAIL_BYTES = 4;

/** Fills in defaults. @throws {RangeError} If an option is out of range. */
export function completeDeflate(
  { thresholdBytes = 1024, level = 6, windowBits = 15 }: DeflateOptions,
): Required<DeflateOptions> {
  inRange("thresholdBytes", thresholdBytes, 0, Number.MAX_SAFE_INTEGER);
  inRange("level", level, 1, 9);
  inRange("windowBits", windowBits, 9, 15);
  return { thresholdBytes, level, windowBits };
}

function inRange(
  name: string,
  value: number,
  least: number,
  most: number,
): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(
      `Cannot compress as '${name}' must be an integer from ${least} to ${most}: current value is ${value}`,
    );
  }
}

/** Compresses one message; the result is a raw deflate stream without its last four bytes. */
export function deflateMessage(
  payload: Uint8Array,
  { level, windowBits }: Required<DeflateOptions>,
): Uint8Array {
  const deflated = deflateRawSync(payload, {
    level,
    windowBits,
    finishFlush: constants.Z_SYNC_FLUSH,
  });
  return deflated.subarray(0, deflated.length - TAIL_BYTES);
}

/**
 * Inflates one message, to no more than `maxBytes`.
 *
 * @throws {WebSocketError} If there are more, or `payload` is no deflate stream.
 */
export function inflateMessage(
  payload: Uint8Array,
  maxBytes: number,
): Uint8Array {
  try {
    // A flush takes the place of the tail that the sender took off.
    const inflated = inflateRawSync(payload, {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: maxBytes,
      chunkSize: Math.max(64, Math.min(maxBytes, CHUNK_BYTES)),
    });
    // A Buffer is a Uint8Array whose slice() is a view, and codecs keep slices.
    const { buffer, byteOffset, length } = inflated;
    return new Uint8Array(buffer, byteOffset, length);
  } catch (cause) {
    if ((cause as { code?: unknown } | null)?.code === "ERR_BUFFER_TOO_LARGE") {
      throw messageTooLarge("too many inflated", maxBytes);
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WebSocketError(
      "malformed",
      CLOSE_CODES.invalidPayload,
      `message does not inflate: ${reason}`,
      { cause },
    );
  }
}
