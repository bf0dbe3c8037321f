import type { ByteWriter } from "../../bytes/writer.ts";
import { LocalProtocolError, RemoteProtocolError } from "../errors.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const U32 = 0x1_0000_0000;

/** The error of a message that no sender of this protocol writes. */
export function malformed(reason: string): RemoteProtocolError {
  return new RemoteProtocolError(
    "malformed",
    `Cannot read message: ${reason}`,
  );
}

/** Reads the fields of a message one after the other. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  /** Starts at the first byte. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether nothing is left. */
  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next `count` bytes, without a copy. */
  bytes(count: number): Uint8Array {
    const from = this.#at;
    if (from + count > this.#bytes.length) {
      throw malformed(
        `it ends after ${this.#bytes.length} bytes: at least ${
          from + count
        } are expected`,
      );
    }
    this.#at += count;
    return this.#bytes.subarray(from, this.#at);
  }

  /** Everything that is left, without a copy. */
  rest(): Uint8Array {
    return this.bytes(this.#bytes.length - this.#at);
  }

  /** One byte. */
  u8(): number {
    return this.bytes(1)[0]!;
  }

  /** Two bytes, most significant first. */
  u16(): number {
    return this.u8() * 256 + this.u8();
  }

  /** Four bytes, most significant first. */
  u32(): number {
    return this.u16() * 65536 + this.u16();
  }

  /** Eight bytes, two's complement, most significant first, of an integer that a number holds exactly. */
  int(): number {
    const high = this.u32() | 0;
    const value = high * U32 + this.u32();
    if (!Number.isSafeInteger(value)) {
      throw malformed(`an integer is out of range: current value is ${value}`);
    }
    return value;
  }

  /** The same, not negative. */
  size(): number {
    const value = this.int();
    if (value < 0) throw malformed(`a size is negative: ${value}`);
    return value;
  }

  /** A text in UTF-8 after its length in two bytes. */
  text(): string {
    const bytes = this.bytes(this.u16());
    try {
      return decoder.decode(bytes);
    } catch {
      throw malformed("a text is not UTF-8");
    }
  }

  /** Checks that nothing is left. */
  end(): void {
    if (!this.done) {
      throw malformed(`${this.#bytes.length - this.#at} bytes are left over`);
    }
  }
}

/** Appends an integer that {@linkcode FieldReader.int} reads. */
export function writeInt(value: number, writer: ByteWriter): void {
  writer.u32(Math.floor(value / U32));
  writer.u32(value >>> 0);
}

/**
 * Appends a text that {@linkcode FieldReader.text} reads.
 *
 * @throws {LocalProtocolError} If it is longer than 65,535 bytes.
 */
export function writeText(text: string, writer: ByteWriter): void {
  const bytes = encoder.encode(text);
  if (bytes.length > 0xffff) {
    throw new LocalProtocolError(
      "unencodable",
      `Cannot write a text longer than 65535 bytes: current value has ${bytes.length}`,
      { recoverable: true },
    );
  }
  writer.u16(bytes.length);
  writer.set(bytes);
}
