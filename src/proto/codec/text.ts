import type { Codec } from "./codec.ts";
import { decodeUtf8 } from "./utf8.ts";

/**
 * Each frame is a UTF-8 text. Malformed UTF-8 is refused; lone surrogates are sent as U+FFFD.
 *
 * @example Usage
 * ```ts
 * import { text } from "./text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(text().decode(new Uint8Array([0xc3, 0xa9])), "é");
 * ```
 */
export function text(): Codec<string> {
  return {
    name: "text",
    text: true,
    decode: decodeUtf8,
    encode: (value, writer) => writer.utf8(value),
  };
}
