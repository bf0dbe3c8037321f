import type { TransferEntry } from "../proto/transfer/entry.ts";
import type { Result, TransferOutcome } from "../proto/transfer/messages.ts";
import type { Found } from "../proto/transfer/receiver_machine.ts";
import { LEAF_BYTES, leafHash, sameHash } from "../proto/transfer/tree.ts";
import { type DiskFile, lookAt, writeAll } from "./disk.ts";
import { type DiskStore, isSameFile } from "./disk_store.ts";
import { diskFailure } from "./failure.ts";
import type { JournaledFile } from "./journal_file.ts";
import { parentOf, PlaceError, SafeTree } from "./safe_tree.ts";
import { sha256 } from "./sha256.ts";

/** After this much of a file, what is there is made to outlive a loss of power, in the background. */
const SYNC_BYTES = 64 * 1024 * 1024;
/** Where a sync takes longer than this, those of a batch are made at once by other threads. */
const SLOW_SYNC_MS = 0.2;

/** An old version of a file that is shorter is not looked at. */
const LEAST_OLD_BYTES = 64 * 1024;

/** A file of several leaves that is being written. */
interface OpenFile {
  readonly journaled: JournaledFile;
  readonly file: DiskFile;
  /** Below this, zeros are written, as something else may be there. */
  readonly writtenBefore: number;
  /** Where the next write goes by itself. */
  position: number;
  /** Leaf records in the journal that a sync was begun for. */
  syncBegun: number;
  syncing: Promise<void> | undefined;
}

/** A whole small file, written and not yet at its place. */
interface WrittenFile {
  readonly index: number;
  readonly entry: TransferEntry;
  readonly temporary: string;
  readonly file: DiskFile;
}

/** The hash of a whole leaf of zeros: such a leaf is left out, as a hole. */
const ZERO_LEAF = leafHash(sha256, new Uint8Array(LEAF_BYTES));

/** What one connection writes into a {@linkcode DiskStore}. */
export class StoreSession {
  readonly #store: DiskStore;
  readonly #tree: SafeTree;
  readonly #claims = new Set<string>();
  /** Directories and links, to be finished in the end. */
  readonly #later: { index: number; entry: TransferEntry }[] = [];
  #open: OpenFile | undefined;
  /** Where chunks of files may be found. */
  readonly #old = new Map<string, string>();
  #siblings: { parent: string; files: Map<string, string> } | undefined;
  #batch: WrittenFile[] = [];
  #syncMs = 0;
  /** Directories whose parents are to be synced. */
  readonly #made: TransferEntry[] = [];
  /** Bytes of large files that are still to be written. */
  #promisedBytes = 0;

  /** Made by {@linkcode DiskStore.session}. */
  constructor(store: DiskStore) {
    this.#store = store;
    const { directory, disk, foldsNames } = store;
    this.#tree = new SafeTree(directory, disk, foldsNames);
  }

  /** How many small files are written and not yet at their place. */
  get batched(): number {
    return this.#batch.length;
  }

  /** Makes the directories that were made outlive a loss of power; what is in them relies on that. */
  syncDirectories(): void {
    const made = this.#made.splice(0);
    this.#syncParents(made);
  }

  /** Looks what is there of an entry, and makes directories; {@linkcode StoreSession.syncDirectories} follows. */
  examine(index: number, entry: TransferEntry): Found {
    try {
      return this.#examine(index, entry);
    } catch (error) {
      return { type: "refused", ...placeFailure(error) };
    }
  }

  #examine(index: number, entry: TransferEntry): Found {
    const { path, kind, mode } = entry;
    if (kind === "directory") {
      if (this.#tree.makeDirectory(entry)) this.#made.push(entry);
      this.#later.push({ index, entry });
      return { type: "absent" };
    }
    const info = this.#tree.existing(path);
    if (info?.isDirectory) {
      throw new PlaceError(`Cannot put "${path}": a directory is there`);
    }
    if (kind === "symlink") {
      this.#later.push({ index, entry });
      return { type: "absent" };
    }
    if (info !== undefined && isSameFile(info, entry)) {
      if ((info.mode ?? 0) % 0o1000 !== mode % 0o1000) {
        this.#store.disk.setMode(this.#tree.locate(path), mode & 0o777);
      }
      return { type: "present" };
    }
    const found = this.#claim(entry);
    if (found.type !== "absent" && found.type !== "partial") return found;
    const old = this.#findOld(entry, info);
    if (old === undefined) return found;
    this.#old.set(path, old);
    return { ...found, hasOld: true };
  }

  /** Where chunks of a file may be found: at its place, or under its former name beside it. */
  #findOld(
    entry: TransferEntry,
    info: Deno.FileInfo | undefined,
  ): string | undefined {
    const { path, size } = entry;
    if (size <= LEAF_BYTES) return undefined;
    if (info !== undefined) {
      return info.isFile && info.size >= LEAST_OLD_BYTES ? path : undefined;
    }
    const parent = parentOf(path);
    if (this.#siblings?.parent !== parent) {
      this.#siblings = { parent, files: this.#listLarge(parent) };
    }
    return this.#siblings.files.get(likeness(size, entry.mtimeMs));
  }

  /** Files of several leaves in a directory, by size and time. */
  #listLarge(parent: string): Map<string, string> {
    const files = new Map<string, string>();
    for (const { name, isFile } of this.#tree.list(parent)) {
      const path = parent === "" ? name : `${parent}/${name}`;
      const info = isFile ? lookAt(this.#tree.locate(path)) : undefined;
      if (info === undefined || info.size <= LEAF_BYTES) continue;
      files.set(likeness(info.size, info.mtime?.getTime() ?? 0), path);
    }
    return files;
  }

  /** Opens the file in which chunks of another may be found; undefined if it is gone. */
  openOld({ path }: TransferEntry): DiskFile | undefined {
    const old = this.#old.get(path);
    this.#old.delete(path);
    this.#tree.forget();
    if (old === undefined || !this.#tree.existing(old)?.isFile) {
      return undefined;
    }
    return this.#store.disk.open(this.#tree.locate(old), { read: true });
  }

  /** What was received of a file before; from now on no other connection writes it. */
  #claim(entry: TransferEntry): Found {
    const { path } = entry;
    const { claimed } = this.#store;
    if (claimed.has(path)) {
      const detail = `"${path}" is being received from another sender`;
      return { type: "refused", outcome: "busy", detail };
    }
    const found = this.#resumable(entry);
    const fault = this.#roomFault(entry, found);
    if (fault !== undefined) return fault;
    claimed.add(path);
    this.#claims.add(path);
    return found;
  }

  /** What is there of a file that is not complete; what is there of another version of it is given up. */
  #resumable({ path, size, mtimeMs }: TransferEntry): Found {
    const journaled = this.#store.partial(path);
    if (journaled === undefined) return { type: "absent" };
    const { identity } = journaled.partial;
    const isSame = identity.size === size && identity.mtimeMs === mtimeMs &&
      lookAt(this.#store.temporary(identity.temporary)) !== undefined;
    if (isSame) return { type: "partial", leaves: journaled.partial };
    this.#store.forget(journaled);
    return { type: "absent" };
  }

  /** Refuses a large file that the disk has no room for; small ones find out by themselves. */
  #roomFault({ path, size }: TransferEntry, found: Found): Found | undefined {
    if (size <= LEAF_BYTES) return undefined;
    const held = found.type === "partial"
      ? this.#store.partial(path)!.partial.records * LEAF_BYTES
      : 0;
    const needed = this.#promisedBytes + Math.max(size - held, 0);
    const { disk, directory } = this.#store;
    const free = disk.freeBytes(directory);
    if (free !== undefined && needed > free) {
      const detail = `${needed} bytes are needed, ${free} are free`;
      return { type: "refused", outcome: "full", detail };
    }
    this.#promisedBytes = needed;
    return undefined;
  }

  /** Writes a verified leaf of a file of several. When this returns, it is there even if the process is killed. */
  write(
    entry: TransferEntry,
    leaf: number,
    hash: Uint8Array,
    data: Uint8Array,
  ): void {
    const open = this.#open ??= this.#openFile(entry);
    const offset = leaf * LEAF_BYTES;
    if (!sameHash(hash, ZERO_LEAF) || offset < open.writtenBefore) {
      if (open.position !== offset) {
        open.file.seekSync(offset, Deno.SeekMode.Start);
        open.position = offset;
      }
      writeAll(open.file, data);
      open.position += data.length;
    }
    this.#store.journal.addLeaf(open.journaled, leaf, hash);
    this.#promisedBytes -= data.length;
    this.#syncSometimes(open);
  }

  #openFile(entry: TransferEntry): OpenFile {
    const { path, size, mtimeMs, mode } = entry;
    const store = this.#store;
    let journaled = store.partial(path);
    const isNew = journaled === undefined;
    const temporary = journaled?.partial.identity.temporary ?? store.newName();
    const file = store.disk.open(store.temporary(temporary), {
      write: true,
      createNew: isNew,
      mode: mode & 0o777 | 0o600,
    });
    if (journaled === undefined) {
      const identity = { path, size, mtimeMs, temporary };
      journaled = store.journal.begin(identity);
      store.keep(journaled);
    }
    return {
      journaled,
      file,
      writtenBefore: isNew ? 0 : file.statSync().size,
      position: 0,
      syncBegun: journaled.partial.records,
      syncing: undefined,
    };
  }

  #syncSometimes(open: OpenFile): void {
    const { file, journaled, syncBegun } = open;
    const { records } = journaled.partial;
    if ((records - syncBegun) * LEAF_BYTES < SYNC_BYTES) return;
    if (open.syncing !== undefined) return;
    open.syncBegun = records;
    open.syncing = file.syncData()
      .then(() => this.#store.journal.addSynced(journaled, records))
      .catch(() => {
        // Without the record these leaves are read again after a crash; the sync before the commit fails aloud.
      })
      .finally(() => open.syncing = undefined);
  }

  /** Puts a file whose data is complete and proven to its place. */
  async commit(index: number, entry: TransferEntry): Promise<Result> {
    try {
      const open = this.#open ??= this.#openFile(entry);
      await open.syncing;
      open.file.truncateSync(entry.size);
      setTimes(open.file, entry);
      await open.file.syncData();
      const { temporary } = open.journaled.partial.identity;
      this.#install(temporary, entry, open.file);
      this.#tree.forget();
      this.#syncParents([entry]);
      this.#open = undefined;
      this.#store.forget(open.journaled);
      this.#unclaim(entry.path);
      return { index, outcome: "stored", detail: "" };
    } catch (error) {
      this.release(entry.path, false);
      return { index, ...placeFailure(error) };
    }
  }

  #install(temporary: string, entry: TransferEntry, file: DiskFile): void {
    const { umask, disk } = this.#store;
    const path = this.#store.temporary(temporary);
    const mode = entry.mode & 0o777;
    if ((mode & umask) !== 0 || (mode & 0o600) !== 0o600) {
      disk.setMode(path, mode);
    }
    file.close();
    this.#tree.install(path, entry.path);
  }

  /** Writes a small file; {@linkcode StoreSession.flush} puts it to its place. */
  put(index: number, entry: TransferEntry, data: Uint8Array): void {
    const journaled = this.#store.partial(entry.path);
    if (journaled !== undefined) this.#store.forget(journaled);
    const temporary = this.#store.newName();
    const path = this.#store.temporary(temporary);
    const options = {
      write: true,
      createNew: true,
      mode: entry.mode & 0o777 | 0o600,
    };
    const file = this.#store.disk.open(path, options);
    try {
      writeAll(file, data);
      setTimes(file, entry);
    } catch (error) {
      file.close();
      this.#store.removeQuietly(path);
      throw error;
    }
    this.#batch.push({ index, entry, temporary, file });
  }

  /**
   * Puts the small files that were written to their places, and tells what became of them. They are synced one by one
   * where that is quick, else all at once.
   */
  flush(): Result[] | Promise<Result[]> {
    const batch = this.#batch;
    this.#batch = [];
    if (this.#syncMs <= SLOW_SYNC_MS) return this.#place(batch, syncNow);
    return this.#flushSlow(batch);
  }

  async #flushSlow(batch: WrittenFile[]): Promise<Result[]> {
    const startMs = performance.now();
    const syncs = batch.map(({ file }) => file.syncData());
    const settled = await Promise.allSettled(syncs);
    this.#syncMs = (performance.now() - startMs) / batch.length;
    return this.#place(batch, (_file, at) => {
      const sync = settled[at]!;
      if (sync.status === "rejected") throw sync.reason;
    });
  }

  #place(
    batch: WrittenFile[],
    sync: (file: DiskFile, at: number) => void,
  ): Result[] {
    this.#tree.forget();
    const startMs = performance.now();
    const results = batch.map((written, at): Result => {
      const { index, entry, temporary, file } = written;
      try {
        sync(file, at);
        this.#install(temporary, entry, file);
        return { index, outcome: "stored", detail: "" };
      } catch (error) {
        closeQuietly(file);
        this.#store.removeQuietly(this.#store.temporary(temporary));
        return { index, ...placeFailure(error) };
      } finally {
        this.#unclaim(entry.path);
      }
    });
    if (sync === syncNow && batch.length > 0) {
      this.#syncMs = (performance.now() - startMs) / batch.length;
    }
    try {
      this.#syncParents(batch.map(({ entry }) => entry));
    } catch (error) {
      // They are at their places, and may not stay there.
      return results.map(({ index }) => ({ index, ...placeFailure(error) }));
    }
    return results;
  }

  #syncParents(entries: readonly TransferEntry[]): void {
    for (const parent of new Set(entries.map(({ path }) => parentOf(path)))) {
      this.#store.disk.syncDirectory(this.#tree.locate(parent));
    }
  }

  /** Lets go of a file; what is there of it stays for another try, unless it is of no use. */
  release(path: string, discard: boolean): void {
    const open = this.#open;
    if (open?.journaled.partial.identity.path === path) {
      closeQuietly(open.file);
      this.#open = undefined;
    }
    const journaled = this.#store.partial(path);
    if (discard && journaled !== undefined) this.#store.forget(journaled);
    this.#unclaim(path);
  }

  #unclaim(path: string): void {
    this.#claims.delete(path);
    this.#store.claimed.delete(path);
  }

  /** Makes links, and sets modes and times of directories, the deepest first. */
  finish(outcome: (index: number) => TransferOutcome | undefined): Result[] {
    this.#tree.forget();
    const results: Result[] = [];
    const pass = (
      kind: TransferEntry["kind"],
      work: (entry: TransferEntry) => void,
    ): void => {
      for (const { index, entry } of this.#later.toReversed()) {
        if (entry.kind !== kind || outcome(index) !== undefined) continue;
        try {
          work(entry);
          results.push({ index, outcome: "stored", detail: "" });
        } catch (error) {
          results.push({ index, ...placeFailure(error) });
        }
      }
    };
    pass("symlink", (entry) => this.#makeLink(entry));
    pass("directory", (entry) => this.#finishDirectory(entry));
    return results;
  }

  #makeLink(entry: TransferEntry): void {
    this.#tree.checkParents(entry.path);
    const place = this.#tree.locate(entry.path);
    if (isLinkTo(place, entry.target)) return;
    const name = this.#store.newName();
    this.#tree.link(entry, this.#store.temporary(name));
    this.#syncParents([entry]);
  }

  #finishDirectory(entry: TransferEntry): void {
    const { disk } = this.#store;
    this.#tree.checkParents(entry.path);
    const place = this.#tree.locate(entry.path);
    const info = Deno.lstatSync(place);
    if (!info.isDirectory) {
      throw new PlaceError(`Cannot finish "${entry.path}": it was replaced`);
    }
    if (((info.mode ?? 0) ^ entry.mode) & 0o777) {
      disk.setMode(place, entry.mode & 0o777);
    }
    if (info.mtime?.getTime() !== entry.mtimeMs) {
      disk.setTime(place, entry.mtimeMs);
    }
  }

  /** Ends the session; what is not complete stays for another. */
  close(): void {
    if (this.#open !== undefined) {
      this.release(this.#open.journaled.partial.identity.path, false);
    }
    for (const { file, temporary } of this.#batch.splice(0)) {
      closeQuietly(file);
      this.#store.removeQuietly(this.#store.temporary(temporary));
    }
    for (const path of this.#claims) this.#store.claimed.delete(path);
    this.#claims.clear();
  }
}

/** The same for a file and what it was renamed to. */
function likeness(size: number, mtimeMs: number): string {
  return `${size} ${mtimeMs}`;
}

function syncNow(file: DiskFile): void {
  file.syncDataSync();
}

function setTimes(file: DiskFile, { mtimeMs }: TransferEntry): void {
  const time = new Date(mtimeMs);
  file.utimeSync(time, time);
}

function isLinkTo(path: string, target: string | undefined): boolean {
  try {
    return Deno.readLinkSync(path) === target;
  } catch {
    return false;
  }
}

function closeQuietly(file: DiskFile): void {
  try {
    file.close();
  } catch {
    // It was closed before.
  }
}

function placeFailure(
  error: unknown,
): { outcome: TransferOutcome; detail: string } {
  return error instanceof PlaceError
    ? { outcome: "refused", detail: error.message }
    : diskFailure(error);
}
