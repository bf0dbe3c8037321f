/** Why two sides could not agree, in words a program can branch on. */
export type HelloErrorCode =
  /** What came is no hello, or not the part of it that is due. */
  | "malformed"
  /** The stream ended inside the hello. */
  | "ended"
  /** The hello took too long. */
  | "timed_out"
  /** No version of the protocol is known to both. */
  | "no_common_version"
  /** No codec is. */
  | "no_common_codec"
  /** No compression is, nor do both allow `none`. */
  | "no_common_compression"
  /** No checksum is, nor do both allow `none`. */
  | "no_common_checksum"
  /** The server chose what was not offered. */
  | "not_offered"
  /** The two sides did not see the same hello, or do not have the same key. */
  | "tampered"
  /** The peer gave up; `peerCode` is its reason. */
  | "refused";

/** Options of {@linkcode HelloError}. */
export interface HelloErrorOptions extends ErrorOptions {
  /** The code in the peer's refusal. */
  peerCode?: string;
}

/**
 * Two sides could not agree on a wire. The connection is of no use any more.
 *
 * @example Usage
 * ```ts
 * import { json, lengthPrefixed, negotiated, HelloError } from "../mod.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const wire = negotiated({ framing: lengthPrefixed, codecs: [json()] });
 * const hello = wire.hello("client", { nonce: new Uint8Array(16), mac: (_key, data) => data });
 * assertEquals(assertThrows(() => hello.finish(), HelloError).code, "ended");
 * ```
 */
export class HelloError extends Error {
  /** The name that stack traces show. */
  override readonly name = "HelloError";
  /** Why. */
  readonly code: HelloErrorCode;
  /** The code in the peer's refusal, if it sent one: a {@linkcode HelloErrorCode} or one of its own. */
  readonly peerCode: string | undefined;

  /** Creates the error for a reason in a few words. */
  constructor(
    code: HelloErrorCode,
    reason: string,
    options: HelloErrorOptions = {},
  ) {
    super(`Cannot agree on a wire: ${reason}`, options);
    this.code = code;
    this.peerCode = options.peerCode;
  }
}
