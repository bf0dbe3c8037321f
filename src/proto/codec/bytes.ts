import type { Codec } from "./codec.ts";

/** Options of {@linkcode bytes}. */
export interface BytesOptions {
  /**
   * Hand out a view of the receive buffer instead of a copy: faster, but valid only until the handler of that message
   * returns. @default {false}
   */
  borrow?: boolean;
}

/**
 * Each frame is a message as it is. Messages are copies that may be kept, unless `borrow` is set.
 *
 * @example Usage
 * ```ts
 * import { bytes } from "./bytes.ts";
 * import { assertEquals, assertNotStrictEquals } from "@std/assert";
 *
 * const frame = new Uint8Array([1, 2]);
 * assertEquals(bytes().decode(frame), frame);
 * assertNotStrictEquals(bytes().decode(frame), frame);
 * ```
 */
export function bytes(options: BytesOptions = {}): Codec<Uint8Array> {
  return {
    name: "bytes",
    text: false,
    decode: options.borrow ? (frame) => frame : (frame) => frame.slice(),
    encode: (value, writer) => writer.set(value),
  };
}
