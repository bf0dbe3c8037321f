import { RemoteProtocolError } from "../errors.ts";
import { forbiddenKey } from "./forbidden_keys.ts";
import { decodeUtf8 } from "./utf8.ts";
import { checkWork, type WorkLimits } from "./work_limits.ts";

/** What the scan of a frame found, beside that it is sound. */
export interface MsgpackFindings {
  /** Whether a binary or an extension is in it, which a decoder may hand out as a view of the frame. */
  readonly binary: boolean;
  /** Whether a key is `constructor`. */
  readonly constructorKey: boolean;
}

/** Bytes after the heads 0xc0 to 0xd3 that are scalars; -1 for the others. */
const SCALAR_BYTES = Int8Array.of(
  ...[0, -1, 0, 0], // nil, no type, false, true
  ...[-1, -1, -1, -1, -1, -1], // binaries and extensions
  ...[4, 8], // float 32, 64
  ...[1, 2, 4, 8], // uint 8, 16, 32, 64
  ...[1, 2, 4, 8], // int 8, 16, 32, 64
);

/** The upper halves of 2^53 - 1 and of -2^53. */
const MAX_SAFE_HIGH = 0x1fffff;
const MIN_SAFE_HIGH = -0x200000;

/** From here on the native decoder is the faster way to prove that a text is UTF-8. */
const LONG_TEXT_BYTES = 256;

const PROTO = new TextEncoder().encode("__proto__");
const CONSTRUCTOR = new TextEncoder().encode("constructor");

/**
 * Reads a MessagePack frame from head to head without building anything: linear in its bytes, no recursion, and no
 * memory but a stack as deep as `maxDepth`. It proves that the frame is one complete value within the limits, that its
 * texts are UTF-8 and no key is `__proto__`.
 *
 * @param bytes The frame.
 * @param limits The most work that it may describe.
 * @param wideIntegers Whether integers beyond 2^53 are welcome.
 * @param spentBytes What of `maxDecodedBytes` is spent already.
 * @throws {RemoteProtocolError} (recoverable) `malformed`, `too_complex` or `forbidden_key`.
 */
export function scanMsgpack(
  bytes: Uint8Array,
  limits: Required<WorkLimits>,
  wideIntegers: boolean,
  spentBytes = 0,
): MsgpackFindings {
  return new Scan(bytes, limits, wideIntegers, spentBytes).run();
}

class Scan implements MsgpackFindings {
  binary = false;
  constructorKey = false;
  readonly #bytes: Uint8Array;
  readonly #limits: Required<WorkLimits>;
  readonly #wideIntegers: boolean;
  #at = 0;
  #nodes = 0;
  #contentBytes: number;
  /** Values still to come in the open container, and whether it is a map: then keys leave an odd number. */
  #left = 1;
  #inMap = false;
  /** The same two of the containers around it, a map as a negative number. */
  readonly #outer: number[] = [];

  constructor(
    bytes: Uint8Array,
    limits: Required<WorkLimits>,
    wideIntegers: boolean,
    spentBytes: number,
  ) {
    this.#contentBytes = spentBytes;
    this.#bytes = bytes;
    this.#limits = limits;
    this.#wideIntegers = wideIntegers;
  }

  run(): this {
    while (this.#left > 0) {
      this.#left--;
      this.#value();
      while (this.#left === 0 && this.#outer.length > 0) this.#close();
    }
    if (this.#at < this.#bytes.length) {
      throw malformed(`${this.#bytes.length - this.#at} bytes after the value`);
    }
    checkWork(this.#limits, 0, this.#nodes, this.#contentBytes);
    return this;
  }

  #value(): void {
    this.#nodes++;
    const head = this.#bytes[this.#skip(1)]!;
    if (head < 0x80 || head >= 0xe0) return;
    if (head < 0x90) return this.#open(head & 0x0f, true);
    if (head < 0xa0) return this.#open(head & 0x0f, false);
    if (head < 0xc0) return this.#text(head & 0x1f);
    switch (head) {
      case 0xc4: // bin 8, 16, 32
      case 0xc5:
      case 0xc6:
        return this.#binary(this.#uint(1 << (head - 0xc4)));
      case 0xc7: // ext 8, 16, 32
      case 0xc8:
      case 0xc9:
        return this.#binary(this.#uint(1 << (head - 0xc7)) + 1);
      case 0xd4: // fixext 1, 2, 4, 8, 16
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#binary((1 << (head - 0xd4)) + 1);
      case 0xd9: // str 8, 16, 32
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(1 << (head - 0xd9)));
      case 0xdc: // array 16, 32
      case 0xdd:
        return this.#open(this.#uint(2 << (head - 0xdc)), false);
      case 0xde: // map 16, 32
      case 0xdf:
        return this.#open(this.#uint(2 << (head - 0xde)), true);
      default:
        return this.#scalar(head);
    }
  }

  /** Enters an array, or a map of `count` pairs. */
  #open(count: number, isMap: boolean): void {
    const values = isMap ? 2 * count : count;
    checkWork(
      this.#limits,
      this.#outer.length + 1,
      this.#nodes + values,
      this.#contentBytes,
    );
    if (values > this.#bytes.length - this.#at) throw truncated();
    this.#outer.push(this.#inMap ? ~this.#left : this.#left);
    this.#left = values;
    this.#inMap = isMap;
  }

  #close(): void {
    const left = this.#outer.pop()!;
    this.#inMap = left < 0;
    this.#left = this.#inMap ? ~left : left;
  }

  #text(length: number): void {
    const start = this.#skip(length);
    const bytes = this.#bytes;
    this.#contentBytes += length;
    if (length > LONG_TEXT_BYTES || !isAscii(bytes, start, this.#at)) {
      decodeUtf8(bytes.subarray(start, this.#at));
    }
    const isKey = this.#inMap && this.#left % 2 === 1;
    if (!isKey) return;
    if (equalAt(bytes, start, length, PROTO)) throw forbiddenKey("__proto__");
    if (equalAt(bytes, start, length, CONSTRUCTOR)) this.constructorKey = true;
  }

  #binary(length: number): void {
    this.#skip(length);
    this.#contentBytes += length;
    this.binary = true;
  }

  #scalar(head: number): void {
    const length = SCALAR_BYTES[head - 0xc0]!;
    if (length < 0) {
      throw malformed(`0x${head.toString(16)} is no type`);
    }
    const start = this.#skip(length);
    const is64 = head === 0xcf || head === 0xd3;
    if (!is64 || this.#wideIntegers) return;
    const high = uint32(this.#bytes, start);
    const signed = head === 0xd3 ? high | 0 : high;
    if (signed > MAX_SAFE_HIGH || signed < MIN_SAFE_HIGH) {
      throw malformed("an integer is beyond 2^53 and 'useBigInt64' is not set");
    }
  }

  /** Steps over `length` bytes and returns where they start. */
  #skip(length: number): number {
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw truncated();
    return start;
  }

  /** Reads a big-endian integer of 1, 2 or 4 bytes. */
  #uint(length: number): number {
    const start = this.#skip(length);
    const bytes = this.#bytes;
    if (length === 1) return bytes[start]!;
    if (length === 2) return bytes[start]! << 8 | bytes[start + 1]!;
    return uint32(bytes, start);
  }
}

function uint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 |
    bytes[at + 3]!) >>> 0;
}

function isAscii(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    if (bytes[i]! >= 0x80) return false;
  }
  return true;
}

function equalAt(
  bytes: Uint8Array,
  start: number,
  length: number,
  word: Uint8Array,
): boolean {
  return length === word.length &&
    word.every((byte, i) => byte === bytes[start + i]);
}

function truncated(): RemoteProtocolError {
  return malformed("it ends inside a value");
}

function malformed(reason: string): RemoteProtocolError {
  return new RemoteProtocolError(
    "malformed",
    `Cannot decode MessagePack: ${reason}`,
    { recoverable: true },
  );
}
