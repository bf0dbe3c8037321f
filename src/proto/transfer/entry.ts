import type { ByteWriter } from "../../bytes/writer.ts";
import { type FieldReader, malformed, writeInt, writeText } from "./fields.ts";
import { HASH_BYTES } from "./tree.ts";

/** What an entry of a tree is. */
export type TransferEntryKind = "file" | "directory" | "symlink";

/** A file, directory or symbolic link of a tree that is sent. */
export interface TransferEntry {
  /** Where it is, below the folder of the receiver, its names separated by slashes. */
  readonly path: string;
  /** What it is. */
  readonly kind: TransferEntryKind;
  /** Permission bits, such as 0o644. */
  readonly mode: number;
  /** Time of the last change, in whole milliseconds since 1970. */
  readonly mtimeMs: number;
  /** Bytes of a file; 0 for others. */
  readonly size: number;
  /** Where a symbolic link points. */
  readonly target?: string;
  /** Root of the file's tree of hashes, if the sender knows it beforehand. */
  readonly root?: Uint8Array;
}

/** By their number on the wire. */
const KINDS: readonly TransferEntryKind[] = ["file", "directory", "symlink"];
const HAS_ROOT = 0x80;
/** The largest file: its leaves are counted in 32 bits. */
export const MAX_FILE_BYTES: number = 2 ** 50;

/** Appends an entry. */
export function writeEntry(entry: TransferEntry, writer: ByteWriter): void {
  const { path, kind, mode, mtimeMs, size, target, root } = entry;
  writer.u8(KINDS.indexOf(kind) | (root === undefined ? 0 : HAS_ROOT));
  writer.u16(mode);
  writeInt(mtimeMs, writer);
  writeText(path, writer);
  if (kind === "file") writeInt(size, writer);
  if (kind === "symlink") writeText(target ?? "", writer);
  if (root !== undefined) writer.set(root);
}

/**
 * Reads an entry. Its path is still what the peer wants it to be: see `pathFault`.
 *
 * @throws {RemoteProtocolError} If it is none.
 */
export function readEntry(reader: FieldReader): TransferEntry {
  const head = reader.u8();
  const kind = KINDS[head & ~HAS_ROOT];
  if (kind === undefined) throw malformed(`no entry is of kind ${head}`);
  const mode = reader.u16();
  const mtimeMs = reader.int();
  const path = reader.text();
  const size = kind === "file" ? reader.size() : 0;
  if (size > MAX_FILE_BYTES) throw malformed(`a file of ${size} bytes`);
  const entry: {
    -readonly [Name in keyof TransferEntry]: TransferEntry[Name];
  } = {
    path,
    kind,
    mode: mode & 0o7777,
    mtimeMs,
    size,
  };
  if (kind === "symlink") entry.target = reader.text();
  if (head & HAS_ROOT) entry.root = reader.bytes(HASH_BYTES).slice();
  return entry;
}
