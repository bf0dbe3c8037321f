import type { ByteWriter } from "../../bytes/writer.ts";
import { LocalProtocolError, RemoteProtocolError } from "../errors.ts";
import { DEFAULT_MAX_FRAME_BYTES, type FramingOptions } from "./framing.ts";

/** The `maxFrameBytes` of `options`, checked against what the header of this framing can say. */
export function frameLimit(
  options: FramingOptions,
  carryable: number = Number.MAX_SAFE_INTEGER,
): number {
  const limit = options.maxFrameBytes ??
    Math.min(DEFAULT_MAX_FRAME_BYTES, carryable);
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > carryable) {
    throw new RangeError(
      `Cannot frame as 'maxFrameBytes' must be an integer from 1 to ${carryable}: current value is ${limit}`,
    );
  }
  return limit;
}

/** The error for a frame whose header, or whose bytes so far, exceed the maximum. */
export function frameTooLarge(
  payloadBytes: number | string,
  maxFrameBytes: number,
): RemoteProtocolError {
  return new RemoteProtocolError(
    "frame_too_large",
    `Cannot read frame: payload has ${payloadBytes} bytes, maximum is ${maxFrameBytes}` +
      (isTlsRecord(payloadBytes) ? "; the peer seems to speak TLS" : ""),
  );
}

/** Whether a length of four bytes is what TLS begins with: an alert or a handshake of version 3 (RFC 8446, 5.1). */
function isTlsRecord(length: number | string): boolean {
  const start = Number(length) >>> 16;
  return start === 0x1503 || start === 0x1603;
}

/** The error for a stream that ended inside a frame. */
export function truncatedFrame(bytesLeft: number): RemoteProtocolError {
  return new RemoteProtocolError(
    "truncated",
    `Cannot read frame: the stream ended inside it, ${bytesLeft} bytes after its start`,
  );
}

/**
 * What is left at the end of a stream, for framings whose frames are all complete: -1 if nothing.
 *
 * @throws {RemoteProtocolError} (`truncated`) If something is left.
 */
export function finishWhole(from: number, to: number): number {
  if (to > from) throw truncatedFrame(to - from);
  return -1;
}

/** Rolls `writer` back to `mark` and returns the error to throw. */
export function refuseFrame(
  writer: ByteWriter,
  mark: number,
  code: "frame_too_large" | "unencodable",
  reason: string,
): LocalProtocolError {
  writer.truncate(mark);
  return new LocalProtocolError(code, `Cannot write frame: ${reason}`, {
    recoverable: true,
  });
}

/**
 * Checks that `payloadBytes` may be sent.
 *
 * @throws {LocalProtocolError} (`frame_too_large`) If not; `writer` is then back at `mark`.
 */
export function checkPayload(
  writer: ByteWriter,
  mark: number,
  payloadBytes: number,
  maxFrameBytes: number,
): void {
  if (payloadBytes > maxFrameBytes) {
    throw refuseFrame(
      writer,
      mark,
      "frame_too_large",
      `payload has ${payloadBytes} bytes, maximum is ${maxFrameBytes}`,
    );
  }
}
