import {
  formatRecord,
  replayLog,
  type TusRecord,
  type TusReplay,
} from "../../proto/transfer/tus/log.ts";
import {
  type Disk,
  type DiskFile,
  lookAt,
  readFull,
  writeAll,
} from "../disk.ts";

const encoder = new TextEncoder();

/** The log of an upload on disk: what is written there stays, even if this process is killed at once. */
export class UploadLog {
  readonly #file: DiskFile;
  /** How long it is. */
  bytes = 0;

  private constructor(file: DiskFile) {
    this.#file = file;
  }

  /** Begins a log at `path`, in the place of one that is there, with what is known already. */
  static begin(
    path: string,
    disk: Disk,
    records: readonly TusRecord[],
  ): UploadLog {
    const fresh = `${path}.new`;
    if (lookAt(fresh) !== undefined) disk.remove(fresh);
    const options = { append: true, createNew: true, mode: 0o600 };
    const log = new UploadLog(disk.open(fresh, options));
    try {
      for (const record of records) log.add(record);
      log.#file.syncDataSync();
      disk.rename(fresh, path);
      disk.syncDirectory(path.slice(0, path.lastIndexOf("/")));
      return log;
    } catch (error) {
      log.close();
      throw error;
    }
  }

  /** Goes on with the log at `path`. */
  static open(path: string, disk: Disk): UploadLog {
    const log = new UploadLog(disk.open(path, { append: true }));
    log.bytes = log.#file.statSync().size;
    return log;
  }

  /** Reads the log at `path`; undefined if nothing in it is sound. */
  static read(path: string, disk: Disk): TusReplay | undefined {
    const file = disk.open(path, { read: true });
    try {
      const bytes = new Uint8Array(file.statSync().size);
      const text = bytes.subarray(0, readFull(file, bytes));
      return replayLog(new TextDecoder().decode(text));
    } finally {
      file.close();
    }
  }

  /** Appends a record. If that fails, the log is as before. */
  add(record: TusRecord): void {
    const line = encoder.encode(formatRecord(record));
    try {
      writeAll(this.#file, line);
    } catch (error) {
      // Nothing after a torn line would ever be read.
      this.#file.truncateSync(this.bytes);
      throw error;
    }
    this.bytes += line.length;
  }

  /** Makes it outlive a loss of power. */
  sync(): Promise<void> {
    return this.#file.syncData();
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }
}
