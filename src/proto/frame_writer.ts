import { ByteWriter } from "../bytes/writer.ts";
import type { Wire } from "./framing/framing.ts";

/**
 * Appends one framed message to `writer`, or nothing if that fails.
 *
 * @throws {LocalProtocolError} If the value cannot be encoded or is too large for a frame.
 *
 * @example Usage
 * ```ts
 * import { writeFrame } from "./frame_writer.ts";
 * import { ByteWriter } from "../bytes/writer.ts";
 * import { lines } from "./framing/delimited.ts";
 * import { text } from "./codec/text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const writer = new ByteWriter();
 * writeFrame(lines(text()), "hello", writer);
 * assertEquals(writer.view(), new TextEncoder().encode("hello\n"));
 * ```
 */
export function writeFrame<Out>(
  wire: Wire<unknown, Out>,
  value: Out,
  writer: ByteWriter,
): void {
  const before = writer.length;
  try {
    const mark = wire.framing.begin(writer);
    wire.codec.encode(value, writer);
    wire.framing.end(writer, mark);
  } catch (error) {
    writer.truncate(before);
    throw error;
  }
}

/**
 * One framed message as bytes of its own.
 *
 * @throws {LocalProtocolError} If the value cannot be encoded or is too large for a frame.
 *
 * @example Usage
 * ```ts
 * import { encodeFrame } from "./frame_writer.ts";
 * import { lengthPrefixed } from "./framing/length_prefixed.ts";
 * import { text } from "./codec/text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(encodeFrame(lengthPrefixed(text()), "é").length, 6);
 * ```
 */
export function encodeFrame<Out>(
  wire: Wire<unknown, Out>,
  value: Out,
): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  writeFrame(wire, value, writer);
  return writer.bytes.slice(0, writer.length);
}
