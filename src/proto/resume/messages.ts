import { RemoteProtocolError } from "../errors.ts";

/** The subprotocol of WebSocket by which a client asks for a stream that can be resumed. */
export const RESUME_PROTOCOL = "portolan.resume.1";

/** Bytes of a session's token: 128 bits that nobody guesses. */
export const TOKEN_BYTES = 16;

/** Bytes before the data of a numbered message. */
const HEADER_BYTES = 7;

/** Numbers have 48 bits: more messages than a connection can carry. */
const MAX_NUMBER = 2 ** 48 - 1;

const DATA = 0;
const END = 1;
const ACK = 2;
const START = 3;
const STARTED = 4;
const GONE = 5;

/** What the two ends of a resumable stream tell each other; `docs/gateway.md` has the bytes. */
export type ResumeMessage =
  /** Bytes of the stream, numbered from 1. */
  | { type: "data"; number: number; data: Uint8Array }
  /** The sender's direction ends; numbered like data. */
  | { type: "end"; number: number }
  /** Everything up to `number` has arrived. */
  | { type: "ack"; number: number }
  /** The client's first message on a connection: a new session, or one to go on with; it has received up to `number`. */
  | { type: "start"; number: number; token: Uint8Array | undefined }
  /** The server's answer: the session, what it has received, and how long it keeps a session without a connection. */
  | { type: "started"; number: number; token: Uint8Array; keepMs: number }
  /** The session is no more, and why. */
  | { type: "gone"; reason: string };

/**
 * Writes one message of the resumable stream.
 *
 * @example Usage
 * ```ts
 * import { encodeResume } from "./messages.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   encodeResume({ type: "ack", number: 258 }),
 *   new Uint8Array([2, 0, 0, 0, 0, 1, 2]),
 * );
 * ```
 */
export function encodeResume(message: ResumeMessage): Uint8Array<ArrayBuffer> {
  switch (message.type) {
    case "data": {
      const bytes = numbered(DATA, message.number, message.data.length);
      bytes.set(message.data, HEADER_BYTES);
      return bytes;
    }
    case "end":
      return numbered(END, message.number);
    case "ack":
      return numbered(ACK, message.number);
    case "start": {
      const { token } = message;
      const bytes = numbered(START, message.number, token?.length ?? 0);
      if (token !== undefined) bytes.set(token, HEADER_BYTES);
      return bytes;
    }
    case "started": {
      const bytes = numbered(STARTED, message.number, TOKEN_BYTES + 4);
      bytes.set(message.token, HEADER_BYTES);
      view(bytes).setUint32(HEADER_BYTES + TOKEN_BYTES, message.keepMs);
      return bytes;
    }
    case "gone": {
      const reason = new TextEncoder().encode(message.reason);
      const bytes = new Uint8Array(1 + reason.length);
      bytes[0] = GONE;
      bytes.set(reason, 1);
      return bytes;
    }
  }
}

function numbered(
  type: number,
  number: number,
  extra = 0,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES + extra);
  bytes[0] = type;
  const header = view(bytes);
  header.setUint16(1, Math.floor(number / 2 ** 32));
  header.setUint32(3, number % 2 ** 32);
  return bytes;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * Reads one message. Its data is a view of `bytes`.
 *
 * @throws {RemoteProtocolError} (`malformed`) If it is none.
 *
 * @example Usage
 * ```ts
 * import { decodeResume, encodeResume } from "./messages.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(decodeResume(encodeResume({ type: "gone", reason: "too old" })), {
 *   type: "gone",
 *   reason: "too old",
 * });
 * ```
 */
export function decodeResume(bytes: Uint8Array): ResumeMessage {
  const type = bytes[0];
  if (type === GONE) {
    return {
      type: "gone",
      reason: new TextDecoder().decode(bytes.subarray(1)),
    };
  }
  if (type === undefined || type > GONE || bytes.length < HEADER_BYTES) {
    throw malformed(`${bytes.length} bytes of type ${type}`);
  }
  const header = view(bytes);
  const number = header.getUint16(1) * 2 ** 32 + header.getUint32(3);
  const rest = bytes.subarray(HEADER_BYTES);
  if (type === DATA) return { type: "data", number, data: rest };
  if (type === STARTED) {
    if (rest.length !== TOKEN_BYTES + 4) throw malformed("a wrong length");
    const token = rest.slice(0, TOKEN_BYTES);
    return {
      type: "started",
      number,
      token,
      keepMs: header.getUint32(HEADER_BYTES + TOKEN_BYTES),
    };
  }
  if (type === START) {
    if (rest.length === 0) return { type: "start", number, token: undefined };
    if (rest.length !== TOKEN_BYTES) throw malformed("a wrong length");
    return { type: "start", number, token: rest.slice() };
  }
  if (rest.length > 0) throw malformed("bytes after its end");
  return { type: type === END ? "end" : "ack", number };
}

/** The error for what is no message of a resumable stream, or not at this place. */
export function malformed(what: string): RemoteProtocolError {
  return new RemoteProtocolError(
    "malformed",
    `Cannot read a message of a resumable stream: it has ${what}`,
  );
}

/** The number after `number`. */
export function nextNumber(number: number): number {
  if (number >= MAX_NUMBER) {
    throw new RangeError(
      `Cannot number another message: the last number is ${MAX_NUMBER}: current value is ${number}`,
    );
  }
  return number + 1;
}
