import { MAX_AVERAGE_BYTES } from "./chunker.ts";
import { FieldReader, malformed } from "./fields.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { writeInt } from "./fields.ts";

/** Bytes of the hash of a chunk: the first of its SHA-256. What is made of chunks is proven by other hashes. */
export const CHUNK_HASH_BYTES = 12;

/** Bytes that tell of a chunk: its length, and its hash. */
export const CHUNK_RECORD_BYTES: number = 4 + CHUNK_HASH_BYTES;

/** The most chunks that a side tells of a file, or holds. */
export const MAX_CHUNKS: number = 2 ** 20;

/** The shortest average of chunks: below it their hashes would cost more than is won. */
const LEAST_AVERAGE_BYTES = 2048;
/** A file is cut into about this many chunks, or fewer. */
const WANTED_CHUNKS = 2 ** 19;
/** Slots that are looked at for a chunk: hashes that somebody has made to collide cost no more. */
const MAX_STEPS = 64;

/**
 * The average that a file of `size` bytes is cut by: small chunks find more, large ones cost less to tell of.
 *
 * @example Usage
 * ```ts
 * import { averageChunkBytes } from "./delta.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(averageChunkBytes(1e6), 2048);
 * assertEquals(averageChunkBytes(2 ** 32), 8192);
 * assertEquals(averageChunkBytes(2 ** 50), 2 ** 24);
 * ```
 */
export function averageChunkBytes(size: number): number {
  let bytes = LEAST_AVERAGE_BYTES;
  while (bytes * WANTED_CHUNKS < size && bytes < MAX_AVERAGE_BYTES) bytes *= 2;
  return bytes;
}

/**
 * The chunks of a file that the other side has, by their hashes: a table with open addressing, of 40 to 80 bytes for a
 * chunk.
 */
export class ChunkIndex {
  /** How many chunks there are. */
  count = 0;
  /** Where the next chunk begins. */
  #end = 0;
  /** For each chunk its hash in three words, and its length. */
  #records = new Uint32Array(4 * 1024);
  #offsets = new Float64Array(1024);
  /** Numbers of chunks, plus one, by the first word of their hashes. */
  #slots = new Uint32Array(4096);

  /**
   * Adds the next chunk.
   *
   * @throws {RemoteProtocolError} If there are too many.
   */
  add(length: number, hash: Uint8Array): void {
    if (this.count === MAX_CHUNKS) {
      throw malformed(`a file of more than ${MAX_CHUNKS} chunks`);
    }
    if (this.count === this.#offsets.length) this.#grow();
    const at = this.count++;
    const words = wordsOf(hash);
    this.#records.set(words, at * 4);
    this.#records[at * 4 + 3] = length;
    this.#offsets[at] = this.#end;
    this.#end += length;
    this.#insert(at);
  }

  #grow(): void {
    const size = this.count * 2;
    const records = new Uint32Array(size * 4);
    const offsets = new Float64Array(size);
    records.set(this.#records);
    offsets.set(this.#offsets);
    this.#records = records;
    this.#offsets = offsets;
    this.#slots = new Uint32Array(size * 4);
    for (let at = 0; at < this.count; at++) this.#insert(at);
  }

  /** The first of equal chunks stays, and one that finds no slot is not found again. */
  #insert(at: number): void {
    const from = at * 4;
    const words = this.#records.subarray(from, from + 3);
    const slot = this.#slot(words, this.#records[from + 3]!);
    if (slot >= 0 && this.#slots[slot] === 0) this.#slots[slot] = at + 1;
  }

  /** The slot that a chunk is in, or would be; -1 if there is no room near its own. */
  #slot(words: Uint32Array, length: number): number {
    const slots = this.#slots;
    const records = this.#records;
    const mask = slots.length - 1;
    const first = words[0]! ^ Math.imul(words[1]!, 31) ^ words[2]!;
    for (let step = 0; step < MAX_STEPS; step++) {
      const slot = first + step & mask;
      const number = slots[slot]!;
      if (number === 0) return slot;
      const from = number * 4 - 4;
      if (
        records[from] === words[0] && records[from + 1] === words[1] &&
        records[from + 2] === words[2] && records[from + 3] === length
      ) return slot;
    }
    return -1;
  }

  /** Where a chunk is; -1 if there is none of this length and hash. */
  find(length: number, hash: Uint8Array): number {
    const slot = this.#slot(wordsOf(hash), length);
    const number = slot < 0 ? 0 : this.#slots[slot]!;
    return number === 0 ? -1 : this.#offsets[number - 1]!;
  }
}

const scratch = new Uint8Array(CHUNK_HASH_BYTES);
const scratchWords = new Uint32Array(scratch.buffer);

/** The hash as words, until the next call. */
function wordsOf(hash: Uint8Array): Uint32Array {
  scratch.set(hash.subarray(0, CHUNK_HASH_BYTES));
  return scratchWords;
}

/** A part of the new file that the other side has in its old one. */
interface Copy {
  /** Where it is in the new file. */
  readonly to: number;
  /** Where it is in the old one. */
  readonly from: number;
  length: number;
}

/**
 * Which parts of a file the other side has, found by its chunks.
 *
 * @example Usage
 * ```ts
 * import { ByteWriter } from "../../bytes/writer.ts";
 * import { applyPatch, ChunkIndex, DeltaPlan } from "./delta.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const [one, two] = [1, 2].map((byte) => new Uint8Array(12).fill(byte));
 * const index = new ChunkIndex();
 * index.add(3, one!);
 * const plan = new DeltaPlan(index);
 * plan.add(2, two!);
 * plan.add(3, one!);
 *
 * const encoder = new TextEncoder();
 * const patch = new ByteWriter();
 * plan.patch(0, encoder.encode("??old"), patch);
 * const made = new Uint8Array(5);
 * applyPatch(patch.view(), made, (from, into) => {
 *   into.set(encoder.encode("old").subarray(from, from + into.length));
 * });
 * assertEquals(made, encoder.encode("??old"));
 * ```
 */
export class DeltaPlan {
  readonly #index: ChunkIndex;
  readonly #copies: Copy[] = [];
  #end = 0;
  /** Copies before this one are behind the last patch. */
  #next = 0;

  /** Starts at the front of the file; `index` has the chunks of the other side. */
  constructor(index: ChunkIndex) {
    this.#index = index;
  }

  /** Takes the next chunk of the file. */
  add(length: number, hash: Uint8Array): void {
    const to = this.#end;
    this.#end += length;
    const from = this.#index.find(length, hash);
    if (from < 0) return;
    const last = this.#copies.at(-1);
    const goesOn = last !== undefined && last.to + last.length === to &&
      last.from + last.length === from;
    if (goesOn) last.length += length;
    else this.#copies.push({ to, from, length });
  }

  /** Writes how `data`, which is in the file at `offset`, is made; later calls are of later parts of the file. */
  patch(offset: number, data: Uint8Array, writer: ByteWriter): void {
    const end = offset + data.length;
    let at = offset;
    for (; this.#next < this.#copies.length; this.#next++) {
      const copy = this.#copies[this.#next]!;
      if (copy.to >= end) break;
      const copyEnd = copy.to + copy.length;
      if (copyEnd <= at) continue;
      const from = Math.max(copy.to, at);
      const to = Math.min(copyEnd, end);
      writeLiteral(data.subarray(at - offset, from - offset), writer);
      writer.u32(to - from);
      writeInt(copy.from + from - copy.to, writer);
      at = to;
      // The next part of the file may go on with this one.
      if (copyEnd > end) break;
    }
    if (at < end) writeLiteral(data.subarray(at - offset), writer);
  }
}

function writeLiteral(data: Uint8Array, writer: ByteWriter): void {
  writer.u32(data.length);
  writer.set(data);
}

/**
 * Makes data as a patch says: `copy` fills bytes with what the old file has from an offset on. Whether it is right is for its
 * hash to say.
 *
 * @throws {RemoteProtocolError} If the patch is not one of so many bytes.
 */
export function applyPatch(
  patch: Uint8Array,
  into: Uint8Array,
  copy: (from: number, into: Uint8Array) => void,
): void {
  const reader = new FieldReader(patch);
  let at = 0;
  const take = (length: number): Uint8Array => {
    const end = at + length;
    if (end > into.length) {
      throw malformed(`a patch makes more than ${into.length} bytes`);
    }
    const part = into.subarray(at, end);
    at = end;
    return part;
  };
  while (!reader.done) {
    const literal = reader.bytes(reader.u32());
    take(literal.length).set(literal);
    if (reader.done) break;
    const part = take(reader.u32());
    copy(reader.size(), part);
  }
  if (at < into.length) {
    throw malformed(`a patch makes ${at} bytes: ${into.length} are expected`);
  }
}
