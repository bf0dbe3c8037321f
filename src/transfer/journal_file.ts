import { ByteWriter } from "../bytes/writer.ts";
import {
  JOURNAL_MAGIC,
  type JournalRecord,
  PartialFile,
  type PartialIdentity,
  replayJournal,
  writeRecord,
} from "../proto/transfer/journal.ts";
import { leafCount } from "../proto/transfer/tree.ts";
import {
  type Disk,
  type DiskFile,
  lookAt,
  readFull,
  writeAll,
} from "./disk.ts";

/** A journal that has grown to this is emptied once it has no file to tell of. */
const EMPTY_FROM_BYTES = 1024 * 1024;

/** A file that is not complete, and its number in the journal. */
export interface JournaledFile {
  readonly id: number;
  readonly partial: PartialFile;
}

/** The journal of a store on disk: what is written there stays, even if this process is killed at once. */
export class JournalFile {
  readonly #file: DiskFile;
  readonly #writer = new ByteWriter();
  #bytes = 0;
  #nextId = 1;
  /** Files that it tells of. */
  #open = 0;

  private constructor(file: DiskFile) {
    this.#file = file;
  }

  /**
   * Reads the journal at `path` and begins a new one in its place, with the files that `isSound` accepts: those whose
   * data is all there, and on disk for good.
   */
  static open(
    path: string,
    disk: Disk,
    isSound: (partial: PartialFile) => boolean,
  ): { journal: JournalFile; files: JournaledFile[] } {
    const partials = readPartials(path, disk).filter(isSound);
    const fresh = `${path}.new`;
    const options = { write: true, create: true, truncate: true, mode: 0o600 };
    const journal = new JournalFile(disk.open(fresh, options));
    try {
      journal.#append(JOURNAL_MAGIC);
      const files = partials.map((partial) => journal.#copy(partial));
      journal.#file.syncDataSync();
      disk.rename(fresh, path);
      return { journal, files };
    } catch (error) {
      journal.close();
      throw error;
    }
  }

  #copy(old: PartialFile): JournaledFile {
    const file = this.begin(old.identity);
    const leaves = leafCount(old.identity.size);
    for (let leaf = 0; leaf < leaves; leaf++) {
      const hash = old.hash(leaf);
      if (hash !== undefined) this.addLeaf(file, leaf, hash);
    }
    this.addSynced(file, file.partial.records);
    return file;
  }

  /** Notes that a file is begun. */
  begin(identity: PartialIdentity): JournaledFile {
    const id = this.#nextId++;
    this.#write({ type: "begin", id, ...identity });
    this.#open++;
    return { id, partial: new PartialFile(identity) };
  }

  /** Notes that a verified leaf is written. */
  addLeaf(
    { id, partial }: JournaledFile,
    leaf: number,
    hash: Uint8Array,
  ): void {
    this.#write({ type: "leaf", id, leaf, hash });
    partial.add(leaf, hash);
  }

  /** Notes that the first `count` leaves that were noted outlive a loss of power. */
  addSynced({ id, partial }: JournaledFile, count: number): void {
    this.#write({ type: "synced", id, count });
    partial.sync(count);
  }

  /** Notes that a file is at its place, or given up. */
  end({ id }: JournaledFile): void {
    this.#write({ type: "end", id });
    this.#open--;
    if (this.#open > 0 || this.#bytes < EMPTY_FROM_BYTES) return;
    this.#truncate(JOURNAL_MAGIC.length);
  }

  /** Appends a record. If that fails, the journal is as before. */
  #write(record: JournalRecord): void {
    this.#writer.truncate();
    writeRecord(record, this.#writer);
    this.#append(this.#writer.view());
  }

  #append(bytes: Uint8Array): void {
    try {
      writeAll(this.#file, bytes);
    } catch (error) {
      // Nothing after a torn record would ever be read.
      this.#truncate(this.#bytes);
      throw error;
    }
    this.#bytes += bytes.length;
  }

  #truncate(length: number): void {
    this.#file.truncateSync(length);
    this.#file.seekSync(length, Deno.SeekMode.Start);
    this.#bytes = length;
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }
}

function readPartials(path: string, disk: Disk): readonly PartialFile[] {
  if (lookAt(path) === undefined) return [];
  const file = disk.open(path, { read: true });
  try {
    const bytes = new Uint8Array(file.statSync().size);
    return replayJournal(bytes.subarray(0, readFull(file, bytes))).partials;
  } finally {
    file.close();
  }
}
