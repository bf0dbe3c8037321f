const encoder = new TextEncoder();

/** Texts up to this many UTF-16 units are encoded in place; longer ones are measured first to save memory. */
const IN_PLACE_UNITS = 1 << 16;

/**
 * A growing byte buffer that encoders append to. `bytes` and `length` are public so that a hot loop can write in place
 * after {@linkcode ByteWriter.reserve}; everything from `length` on is scratch.
 *
 * @example Usage
 * ```ts
 * import { ByteWriter } from "./writer.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const writer = new ByteWriter();
 * writer.u16(0xcafe);
 * writer.utf8("é");
 * assertEquals(writer.view(), new Uint8Array([0xca, 0xfe, 0xc3, 0xa9]));
 * ```
 */
export class ByteWriter {
  /** The buffer; replaced when it grows. */
  bytes: Uint8Array<ArrayBuffer>;
  /** How many bytes are written. */
  length = 0;

  /** Starts with room for `capacity` bytes, or in a given buffer. */
  constructor(capacity: number | Uint8Array<ArrayBuffer> = 256) {
    this.bytes = typeof capacity === "number"
      ? new Uint8Array(capacity)
      : capacity;
  }

  /** Makes room for `count` more bytes and returns the buffer. */
  reserve(count: number): Uint8Array<ArrayBuffer> {
    const needed = this.length + count;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.bytes.length * 2, needed));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    return this.bytes;
  }

  /** Appends one byte. */
  u8(value: number): void {
    this.reserve(1)[this.length++] = value;
  }

  /** Appends two bytes, most significant first. */
  u16(value: number): void {
    const bytes = this.reserve(2);
    bytes[this.length++] = value >>> 8;
    bytes[this.length++] = value;
  }

  /** Appends four bytes, most significant first. */
  u32(value: number): void {
    const bytes = this.reserve(4);
    bytes[this.length++] = value >>> 24;
    bytes[this.length++] = value >>> 16;
    bytes[this.length++] = value >>> 8;
    bytes[this.length++] = value;
  }

  /** Appends a copy of `chunk`. */
  set(chunk: Uint8Array): void {
    this.reserve(chunk.length).set(chunk, this.length);
    this.length += chunk.length;
  }

  /** Appends `text` as UTF-8; lone surrogates become U+FFFD. */
  utf8(text: string): void {
    if (text.length <= IN_PLACE_UNITS) {
      const bytes = this.reserve(text.length * 3);
      this.length +=
        encoder.encodeInto(text, bytes.subarray(this.length)).written;
    } else {
      this.set(encoder.encode(text));
    }
  }

  /** The written bytes, without a copy. */
  view(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }

  /** Forgets everything from `length` on; the buffer is kept. */
  truncate(length = 0): void {
    this.length = length;
  }
}
