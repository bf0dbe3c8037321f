import { crc32c } from "../../bytes/crc32c.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { FieldReader, writeInt, writeText } from "./fields.ts";
import { HASH_BYTES, leafCount } from "./tree.ts";
import type { VerifiedLeaves } from "./receiver_machine.ts";

/** The first bytes of a journal: a name, a version, and what a transfer as text would break. */
export const JOURNAL_MAGIC: Uint8Array = new TextEncoder().encode(
  "portolan\x01\r\n\0",
);

/** What a journal says of a file that is not complete. */
export interface PartialIdentity {
  /** Where the file will be. */
  readonly path: string;
  /** Size of the source. */
  readonly size: number;
  /** Time of the last change of the source. */
  readonly mtimeMs: number;
  /** Name of the temporary file. */
  readonly temporary: string;
}

/** A record of a journal; `id` tells partial files apart. */
export type JournalRecord =
  /** A file was begun. */
  | ({ readonly type: "begin"; readonly id: number } & PartialIdentity)
  /** A verified leaf was written. */
  | {
    readonly type: "leaf";
    readonly id: number;
    readonly leaf: number;
    readonly hash: Uint8Array;
  }
  /** The first `count` leaf records of the file are of data that outlives a loss of power. */
  | { readonly type: "synced"; readonly id: number; readonly count: number }
  /** The file was put to its place, or given up. */
  | { readonly type: "end"; readonly id: number };

const TYPES: readonly JournalRecord["type"][] = [
  "begin",
  "leaf",
  "synced",
  "end",
];
/** Longer than any record with its path. */
const MAX_RECORD_BYTES = 8192;
const HEAD_BYTES = 8;

/** Appends a record: its length, the CRC-32C of its body, its body. */
export function writeRecord(record: JournalRecord, writer: ByteWriter): void {
  const mark = writer.length;
  writer.u32(0);
  writer.u32(0);
  writer.u8(TYPES.indexOf(record.type));
  writer.u32(record.id);
  if (record.type === "begin") {
    writeInt(record.size, writer);
    writeInt(record.mtimeMs, writer);
    writeText(record.temporary, writer);
    writeText(record.path, writer);
  } else if (record.type === "leaf") {
    writer.u32(record.leaf);
    writer.set(record.hash);
  } else if (record.type === "synced") {
    writer.u32(record.count);
  }
  const end = writer.length;
  const body = writer.bytes.subarray(mark + HEAD_BYTES, end);
  writer.length = mark;
  writer.u32(body.length);
  writer.u32(crc32c(body));
  writer.length = end;
}

function readRecord(body: Uint8Array): JournalRecord {
  const reader = new FieldReader(body);
  const type = TYPES[reader.u8()];
  const id = reader.u32();
  switch (type) {
    case "begin": {
      const size = reader.size();
      const mtimeMs = reader.int();
      const temporary = reader.text();
      return { type, id, size, mtimeMs, temporary, path: reader.text() };
    }
    case "leaf":
      return {
        type,
        id,
        leaf: reader.u32(),
        hash: reader.bytes(HASH_BYTES).slice(),
      };
    case "synced":
      return { type, id, count: reader.u32() };
    default:
      return { type: "end", id };
  }
}

/** The verified leaves of a file that is not complete. */
export class PartialFile implements VerifiedLeaves {
  /** What it is of. */
  readonly identity: PartialIdentity;
  /** Leaves that a loss of power may have taken: their data must be looked at before it is relied on. */
  unsynced: number[] = [];
  /** How many leaf records there are. */
  records = 0;
  /** Of them, those that were counted as synced. */
  #synced = 0;
  /** Hashes by leaf; zeros for one that is not there. */
  #hashes = new Uint8Array(0);

  /** Starts without leaves. */
  constructor(identity: PartialIdentity) {
    this.identity = identity;
  }

  /** Notes that a leaf was written. */
  add(leaf: number, hash: Uint8Array): void {
    if (leaf >= leafCount(this.identity.size)) return;
    const end = (leaf + 1) * HASH_BYTES;
    if (end > this.#hashes.length) {
      const most = leafCount(this.identity.size) * HASH_BYTES;
      const grown = new Uint8Array(
        Math.min(Math.max(end, this.#hashes.length * 2), most),
      );
      grown.set(this.#hashes);
      this.#hashes = grown;
    }
    this.#hashes.set(hash, leaf * HASH_BYTES);
    this.unsynced.push(leaf);
    this.records++;
  }

  /** Notes that the data of the first `count` leaf records outlives a loss of power. */
  sync(count: number): void {
    this.unsynced.splice(0, count - this.#synced);
    this.#synced = count;
  }

  /** The hash of a leaf; undefined if it is not there. */
  hash(leaf: number): Uint8Array | undefined {
    const at = leaf * HASH_BYTES;
    const hash = this.#hashes.subarray(at, at + HASH_BYTES);
    return hash.some((byte) => byte !== 0) ? hash : undefined;
  }
}

/** What a journal came to. */
export interface Replay {
  /** Files that are not complete. */
  readonly partials: readonly PartialFile[];
  /** Bytes up to the end of the last sound record: what follows was torn by a crash. */
  readonly soundBytes: number;
}

/**
 * Reads a journal up to its end, or up to the first record that is torn or damaged.
 *
 * @example Usage
 * ```ts
 * import { JOURNAL_MAGIC, replayJournal, writeRecord } from "./journal.ts";
 * import { ByteWriter } from "../../bytes/writer.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const journal = new ByteWriter();
 * journal.set(JOURNAL_MAGIC);
 * const file = { path: "a", size: 300_000, mtimeMs: 0, temporary: "t" };
 * writeRecord({ type: "begin", id: 1, ...file }, journal);
 * writeRecord({ type: "leaf", id: 1, leaf: 0, hash: new Uint8Array(32) }, journal);
 * const torn = journal.view().subarray(0, -1);
 * const [partial] = replayJournal(torn).partials;
 * assertEquals(partial?.identity, file);
 * assertEquals(partial?.hash(0), undefined);
 * ```
 */
export function replayJournal(bytes: Uint8Array): Replay {
  const partials = new Map<number, PartialFile>();
  if (JOURNAL_MAGIC.some((byte, i) => byte !== bytes[i])) {
    return { partials: [], soundBytes: 0 };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = JOURNAL_MAGIC.length;
  while (at + HEAD_BYTES <= bytes.length) {
    const length = view.getUint32(at);
    const end = at + HEAD_BYTES + length;
    if (length > MAX_RECORD_BYTES || end > bytes.length) break;
    const body = bytes.subarray(at + HEAD_BYTES, end);
    if (crc32c(body) !== view.getUint32(at + 4)) break;
    try {
      apply(readRecord(body), partials);
    } catch {
      break;
    }
    at = end;
  }
  return { partials: [...partials.values()], soundBytes: at };
}

function apply(
  record: JournalRecord,
  partials: Map<number, PartialFile>,
): void {
  const { type, id } = record;
  if (type === "begin") {
    const { path, size, mtimeMs, temporary } = record;
    partials.set(id, new PartialFile({ path, size, mtimeMs, temporary }));
  } else if (type === "leaf") {
    partials.get(id)?.add(record.leaf, record.hash);
  } else if (type === "synced") {
    partials.get(id)?.sync(record.count);
  } else {
    partials.delete(id);
  }
}
