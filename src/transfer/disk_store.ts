import type { TransferEntry } from "../proto/transfer/entry.ts";
import type { PartialFile } from "../proto/transfer/journal.ts";
import { RESERVED_NAME } from "../proto/transfer/path.ts";
import {
  LEAF_BYTES,
  leafHash,
  leafLength,
  sameHash,
} from "../proto/transfer/tree.ts";
import { type Disk, lookAt, readFull, systemDisk } from "./disk.ts";
import { type JournaledFile, JournalFile } from "./journal_file.ts";
import { sha256 } from "./sha256.ts";
import { StoreSession } from "./store_session.ts";

/** Options of {@linkcode DiskStore.open}. */
export interface DiskStoreOptions {
  /** Does the work on files; tests put a failing one here. @default {systemDisk} */
  readonly disk?: Disk;
}

/**
 * A folder that transfers arrive in. What is not complete lies in its sub-folder `.portolan`, beside the journal that
 * says which of it is verified. One process at a time has it open.
 */
export class DiskStore implements Disposable {
  /** The folder. */
  readonly directory: string;
  /** Does the work on files. */
  readonly disk: Disk;
  /** Says what of the files that are not complete is there. */
  readonly journal: JournalFile;
  /** Whether names that differ in case or normalisation alone are one here. */
  readonly foldsNames: boolean;
  /** Permission bits that new files of this process are denied. */
  readonly umask: number;
  /** Paths that are being received. */
  readonly claimed: Set<string> = new Set();
  readonly #partials = new Map<string, JournaledFile>();
  readonly #lock: { close(): void };
  /** Names of temporary files begin with this, which nobody can guess. */
  readonly #prefix = crypto.randomUUID();
  #temporaries = 0;

  private constructor(directory: string, disk: Disk) {
    this.directory = directory;
    this.disk = disk;
    const own = `${directory}/${RESERVED_NAME}`;
    makeOwnDirectory(own, disk);
    const lock = disk.open(`${own}/lock`, {
      read: true,
      write: true,
      create: true,
      mode: 0o600,
    });
    this.#lock = lock;
    let journal: JournalFile | undefined;
    try {
      if (!lock.tryLockSync(true)) {
        throw new Error(
          `Cannot receive into ${directory}: another process does`,
        );
      }
      makeOwnDirectory(`${own}/tmp`, disk);
      const probe = this.#probe();
      this.umask = probe.umask;
      this.foldsNames = probe.foldsNames;
      const opened = JournalFile.open(
        `${own}/journal`,
        disk,
        (partial) => this.#isSound(partial),
      );
      this.journal = journal = opened.journal;
      for (const file of opened.files) this.keep(file);
      this.#removeOrphans();
      disk.syncDirectory(own);
    } catch (error) {
      journal?.close();
      lock.close();
      throw error;
    }
  }

  /**
   * Opens a folder, which must exist, and finds what was not completed in it.
   *
   * @throws {Error} If another process has it open, or files cannot be made there.
   */
  static open(directory: string, options: DiskStoreOptions = {}): DiskStore {
    const real = Deno.realPathSync(directory);
    return new DiskStore(real, options.disk ?? systemDisk);
  }

  /** Receives one tree. */
  session(): StoreSession {
    return new StoreSession(this);
  }

  /** Where a temporary file is. */
  temporary(name: string): string {
    return `${this.directory}/${RESERVED_NAME}/tmp/${name}`;
  }

  /** A name for a temporary file. */
  newName(): string {
    return `${this.#prefix}-${this.#temporaries++}`;
  }

  /** What is there of a file that is not complete. */
  partial(path: string): JournaledFile | undefined {
    return this.#partials.get(path);
  }

  /** Notes a file that is not complete. */
  keep(file: JournaledFile): void {
    this.#partials.set(file.partial.identity.path, file);
  }

  /** Forgets a file that is at its place or of no use, and removes what is left of it. */
  forget(file: JournaledFile): void {
    const { path, temporary } = file.partial.identity;
    this.#partials.delete(path);
    this.journal.end(file);
    this.removeQuietly(this.temporary(temporary));
  }

  /** Removes a temporary file, if it is there. */
  removeQuietly(path: string): void {
    try {
      this.disk.remove(path);
    } catch {
      // It is gone, or goes when the folder is opened the next time.
    }
  }

  /** Finds out what new files look like here. */
  #probe(): { umask: number; foldsNames: boolean } {
    const name = this.newName();
    const path = this.temporary(name);
    const options = { write: true, createNew: true, mode: 0o777 };
    this.disk.open(path, options).close();
    const { mode } = Deno.lstatSync(path);
    const foldsNames = lookAt(this.temporary(name.toUpperCase())) !== undefined;
    this.disk.remove(path);
    return { umask: ~(mode ?? 0o777) & 0o777, foldsNames };
  }

  /** Whether what the journal says of a file is so: leaves that a loss of power may have taken are read again. */
  #isSound(partial: PartialFile): boolean {
    const { temporary, size } = partial.identity;
    if (temporary.includes("/")) return false;
    const path = this.temporary(temporary);
    if (!lookAt(path)?.isFile) return false;
    const file = this.disk.open(path, { read: true, write: true });
    try {
      const buffer = new Uint8Array(LEAF_BYTES);
      for (const leaf of partial.unsynced) {
        const data = buffer.subarray(0, leafLength(size, leaf));
        file.seekSync(leaf * LEAF_BYTES, Deno.SeekMode.Start);
        // The end of a file may be a hole that was not made yet.
        data.fill(0, readFull(file, data));
        if (!sameHash(leafHash(sha256, data), partial.hash(leaf)!)) {
          return false;
        }
      }
      file.syncDataSync();
      return true;
    } finally {
      file.close();
    }
  }

  #removeOrphans(): void {
    const kept = new Set(
      this.#partials.values().map(({ partial }) => partial.identity.temporary),
    );
    for (const { name } of Deno.readDirSync(this.temporary(""))) {
      if (!kept.has(name)) this.removeQuietly(this.temporary(name));
    }
  }

  /** Closes the folder; what is not complete stays. */
  close(): void {
    this.journal.close();
    this.#lock.close();
  }

  /** Closes the folder. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function makeOwnDirectory(path: string, disk: Disk): void {
  const info = lookAt(path);
  if (info === undefined) return disk.makeDirectory(path, 0o700);
  if (!info.isDirectory) {
    throw new Error(`Cannot use ${path}: it is no directory`);
  }
}

/** Whether an entry of the disk is the unchanged file that `entry` describes. */
export function isSameFile(info: Deno.FileInfo, entry: TransferEntry): boolean {
  return info.isFile && info.size === entry.size &&
    info.mtime?.getTime() === entry.mtimeMs;
}
