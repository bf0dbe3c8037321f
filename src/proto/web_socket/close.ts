import type { ByteWriter } from "../../bytes/writer.ts";
import { type ProtocolErrorCode, RemoteProtocolError } from "../errors.ts";

/** Status codes of Close frames that this suite sends (RFC 6455, 7.4.1). */
export const CLOSE_CODES = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  invalidPayload: 1007,
  policyViolation: 1008,
  messageTooBig: 1009,
  internalError: 1011,
} as const;

/** A Close frame's payload has room for a code and this many bytes of reason. */
const MAX_REASON_BYTES = 123;

/** What the peer sent breaks RFC 6455 or RFC 7692; `closeCode` is what it is told. */
export class WebSocketError extends RemoteProtocolError {
  /** The status code of the Close frame that answers it. */
  readonly closeCode: number;

  /** Creates the error; the connection is out of step or out of favour, so it never recovers. */
  constructor(
    code: ProtocolErrorCode,
    closeCode: number,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(code, `Cannot read WebSocket frame: ${reason}`, options);
    this.closeCode = closeCode;
  }
}

/** The error for what no peer may send. */
export function violation(reason: string): WebSocketError {
  return new WebSocketError("invalid_frame", CLOSE_CODES.protocolError, reason);
}

/** The error for text that is no UTF-8. */
export function notUtf8(what: string): WebSocketError {
  const reason = `${what} is not UTF-8`;
  return new WebSocketError("malformed", CLOSE_CODES.invalidPayload, reason);
}

/** The error for a message beyond the limit. */
export function messageTooLarge(
  payloadBytes: number | string,
  maxBytes: number,
): WebSocketError {
  return new WebSocketError(
    "frame_too_large",
    CLOSE_CODES.messageTooBig,
    `message has ${payloadBytes} bytes, maximum is ${maxBytes}`,
  );
}

/** Whether a Close frame may carry `code`: those of RFC 6455 and the IANA's registry, of libraries and of programs. */
export function isCloseCode(code: number): boolean {
  return code >= 1000 && code <= 1014 &&
      !(code >= 1004 && code <= 1006) ||
    code >= 3000 && code <= 4999;
}

/** Appends the payload of a Close frame; a reason that is too long is cut between characters. */
export function writeClosePayload(
  writer: ByteWriter,
  code: number | undefined,
  reason: string,
): void {
  if (code === undefined) return;
  writer.u16(code);
  const from = writer.length;
  writer.utf8(reason);
  let end = Math.min(writer.length, from + MAX_REASON_BYTES);
  // A byte that goes on with a character is no place to cut before.
  while (end < writer.length && (writer.bytes[end]! & 0xc0) === 0x80) end--;
  writer.truncate(end);
}
