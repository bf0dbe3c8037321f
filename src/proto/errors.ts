/** What went wrong with bytes or messages, in words a program can branch on. */
export type ProtocolErrorCode =
  /** A frame is longer than the connection allows. */
  | "frame_too_large"
  /** A length or header that no sender of this protocol writes. */
  | "invalid_frame"
  /** The stream ended inside a frame. */
  | "truncated"
  /** A sound frame whose payload the codec cannot read. */
  | "malformed"
  /** Nested deeper, or made of more parts or bytes, than the work limits allow. */
  | "too_complex"
  /** An object key that is refused because it reaches for a prototype. */
  | "forbidden_key"
  /** A value that the codec read but the application's `validate` refused. */
  | "invalid_message"
  /** A value that cannot be put into this wire. */
  | "unencodable";

/** Options of {@linkcode LocalProtocolError} and {@linkcode RemoteProtocolError}. */
export interface ProtocolErrorOptions extends ErrorOptions {
  /** Whether the bytes after the offending frame can still be read. @default {false} */
  recoverable?: boolean;
}

/**
 * Common part of the two errors of a wire; catch one of the subclasses, which say whose fault it is.
 *
 * @example Usage
 * ```ts
 * import { ProtocolError, RemoteProtocolError } from "./errors.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new RemoteProtocolError("truncated", "Cannot read frame");
 * assertEquals(error instanceof ProtocolError, true);
 * assertEquals(error.recoverable, false);
 * ```
 */
export abstract class ProtocolError extends Error {
  /** What went wrong. */
  readonly code: ProtocolErrorCode;
  /** Whether the stream is still in step, so that the connection may go on. */
  readonly recoverable: boolean;

  /** Creates the error; `recoverable` is false unless told. */
  constructor(
    code: ProtocolErrorCode,
    message: string,
    options: ProtocolErrorOptions = {},
  ) {
    super(message, options);
    this.code = code;
    this.recoverable = options.recoverable ?? false;
  }
}

/**
 * This side broke the protocol: a value or an option of ours is at fault.
 *
 * @example Usage
 * ```ts
 * import { json, LocalProtocolError, ByteWriter } from "../../mod.ts";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(
 *   () => json().encode(1n, new ByteWriter()),
 *   LocalProtocolError,
 * );
 * ```
 */
export class LocalProtocolError extends ProtocolError {
  /** The name that stack traces show. */
  override readonly name = "LocalProtocolError";
}

/**
 * The peer broke the protocol: what it sent is at fault.
 *
 * @example Usage
 * ```ts
 * import { json, RemoteProtocolError } from "../../mod.ts";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(
 *   () => json().decode(new TextEncoder().encode("{")),
 *   RemoteProtocolError,
 * );
 * ```
 */
export class RemoteProtocolError extends ProtocolError {
  /** The name that stack traces show. */
  override readonly name = "RemoteProtocolError";
}
