import type { ByteWriter } from "../../bytes/writer.ts";

/**
 * Turns the payload of one frame into a value and back. Both directions are synchronous and pure.
 *
 * @typeParam In What `decode` makes of a peer's bytes.
 * @typeParam Out What `encode` takes.
 */
export interface Codec<In, Out = In> {
  /** Short name for logs and negotiation, such as `json`. */
  readonly name: string;
  /** Whether the encoded form is UTF-8 text, for transports that tell text from binary. */
  readonly text: boolean;
  /**
   * Reads one payload. `frame` is a view of the receive buffer: it must not be kept past the call.
   *
   * @param frame The payload.
   * @param spentBytes What of `maxDecodedBytes` was spent on the frame before, by inflating it; a codec without work
   * limits need not look. @default {0}
   * @throws {RemoteProtocolError} (`recoverable`) If the payload is malformed or exceeds the work limits.
   */
  decode(frame: Uint8Array, spentBytes?: number): In;
  /**
   * Appends one payload.
   *
   * @throws {LocalProtocolError} (`recoverable`) If the value cannot be represented.
   */
  encode(value: Out, writer: ByteWriter): void;
}
