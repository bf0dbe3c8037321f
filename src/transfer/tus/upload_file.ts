import type { TusConcat } from "../../proto/transfer/tus/headers.ts";
import type {
  TusBeginning,
  TusRecord,
  TusReplay,
} from "../../proto/transfer/tus/log.ts";
import type { TusUpload } from "../../proto/transfer/tus/protocol.ts";
import { type Disk, type DiskFile, readFull, writeAll } from "../disk.ts";
import { sha256 } from "../sha256.ts";
import { UploadLog } from "./upload_log.ts";

/** Data is written, and noted in the log, in blocks of this. */
const BLOCK_BYTES = 256 * 1024;
/** After this much, what is there is made to outlive a loss of power. */
const SYNC_BYTES = 64 * 1024 * 1024;
/** A log that has grown to this is written anew. */
const MAX_LOG_BYTES = 1024 * 1024;

type Block = TusRecord & { readonly type: "block" };

/**
 * An upload on disk: its data, and a log that says up to where it is what was received. Nothing counts as received that
 * the log does not tell of.
 */
export class UploadFile implements TusUpload {
  readonly id: string;
  /** What was said when it was created. */
  readonly beginning: TusBeginning;
  length: number | undefined;
  offset = 0;
  expiresMs = 0;
  /** It is at its place. */
  isStored = false;
  /** Resolves when the request that is at work on it has ended; undefined if none is. */
  busy: Promise<void> | undefined;
  /** Where its data is until then. */
  readonly dataPath: string;
  readonly #logPath: string;
  readonly #disk: Disk;
  #log: UploadLog | undefined;
  #file: DiskFile | undefined;
  /** Data that is not written yet; it is there while a body is received. */
  #buffer = new Uint8Array(0);
  #buffered = 0;
  #written = 0;
  #synced = 0;
  /** Blocks of a body whose checksum is still to be seen. */
  #unchecked: Block[] | undefined;

  private constructor(
    folder: string,
    id: string,
    beginning: TusBeginning,
    disk: Disk,
  ) {
    this.id = id;
    this.beginning = beginning;
    this.length = beginning.length;
    this.dataPath = `${folder}/${id}`;
    this.#logPath = `${folder}/${id}.log`;
    this.#disk = disk;
  }

  get metadata(): string | undefined {
    return this.beginning.metadata;
  }

  get concat(): TusConcat | undefined {
    return this.beginning.concat;
  }

  /** Bytes that were received, those of a body whose checksum is still to be seen among them. */
  get end(): number {
    return this.#written + this.#buffered;
  }

  /** Makes a new upload in `folder`. */
  static create(
    folder: string,
    id: string,
    beginning: TusBeginning,
    disk: Disk,
  ): UploadFile {
    const upload = new UploadFile(folder, id, beginning, disk);
    const options = { write: true, createNew: true, mode: 0o600 };
    disk.open(upload.dataPath, options).close();
    upload.#beginLog();
    return upload;
  }

  /** Finds an upload that was made before; undefined if there is nothing sound of it. */
  static load(folder: string, id: string, disk: Disk): UploadFile | undefined {
    const replay = UploadLog.read(`${folder}/${id}.log`, disk);
    if (replay === undefined) return undefined;
    const upload = new UploadFile(folder, id, replay.beginning, disk);
    upload.length = replay.length;
    upload.expiresMs = replay.expiresMs;
    upload.isStored = replay.isStored;
    if (upload.isStored) {
      upload.offset = replay.length ?? 0;
      return upload;
    }
    return upload.#recover(replay) ? upload : undefined;
  }

  /** Looks at the data that the log tells of. What a loss of power took is cut off. */
  #recover({ syncedEnd, blocks, length }: TusReplay): boolean {
    let file: DiskFile;
    try {
      file = this.#disk.open(this.dataPath, { read: true, write: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      // It was put to its place, and the process ended before it could say so.
      const end = blocks.at(-1)?.end ?? syncedEnd;
      this.isStored = end === length && this.concat?.type !== "partial";
      this.offset = end;
      return this.isStored;
    }
    try {
      const { size } = file.statSync();
      if (size < syncedEnd) return false;
      let end = syncedEnd;
      for (const block of blocks) {
        if (block.end - block.start > BLOCK_BYTES || block.end > size) break;
        const data = new Uint8Array(block.end - block.start);
        file.seekSync(block.start, Deno.SeekMode.Start);
        if (readFull(file, data) < data.length) break;
        if (sha256(data).toHex() !== block.sha256) break;
        end = block.end;
      }
      file.truncateSync(end);
      file.syncDataSync();
      this.offset = this.#written = this.#synced = end;
    } finally {
      file.close();
    }
    this.#beginLog();
    this.close();
    return true;
  }

  #beginLog(): void {
    const { length, expiresMs } = this;
    const records: TusRecord[] = [{ type: "begin", ...this.beginning, length }];
    if (this.#synced > 0) records.push({ type: "synced", end: this.#synced });
    if (expiresMs > 0) records.push({ type: "expires", atMs: expiresMs });
    if (this.isStored) records.push({ type: "stored" });
    this.#log?.close();
    this.#log = undefined;
    this.#log = UploadLog.begin(this.#logPath, this.#disk, records);
  }

  #note(record: TusRecord): void {
    this.#log ??= UploadLog.open(this.#logPath, this.#disk);
    this.#log.add(record);
  }

  /** Notes how long it is. */
  setLength(length: number): void {
    if (this.length !== undefined) return;
    this.#note({ type: "length", length });
    this.length = length;
  }

  /** Notes when it expires. */
  setExpiry(atMs: number): void {
    this.#note({ type: "expires", atMs });
    this.expiresMs = atMs;
  }

  /** Begins a body; if it `isChecked`, nothing of it counts before {@linkcode UploadFile.finish}. */
  beginBody(isChecked: boolean): void {
    this.#unchecked = isChecked ? [] : undefined;
    this.#buffer = new Uint8Array(BLOCK_BYTES);
    this.#file ??= this.#disk.open(this.dataPath, { write: true });
    this.#file.seekSync(this.#written, Deno.SeekMode.Start);
  }

  /** Appends data; a promise if it has to be waited for. */
  append(data: Uint8Array): Promise<void> | undefined {
    for (let at = 0; at < data.length;) {
      const room = BLOCK_BYTES - this.#buffered;
      const part = data.subarray(at, at + room);
      this.#buffer.set(part, this.#buffered);
      this.#buffered += part.length;
      at += part.length;
      if (this.#buffered === BLOCK_BYTES) this.flush();
    }
    return this.offset - this.#synced >= SYNC_BYTES ? this.sync() : undefined;
  }

  /** Writes what is not written yet. */
  flush(): void {
    if (this.#buffered === 0) return;
    const data = this.#buffer.subarray(0, this.#buffered);
    this.#buffered = 0;
    const end = this.#written + data.length;
    try {
      writeAll(this.#file!, data);
      const digest = sha256(data).toHex();
      const block: Block = { type: "block", end, sha256: digest };
      if (this.#unchecked === undefined) this.#count(block);
      else this.#unchecked.push(block);
      this.#written = end;
    } catch (error) {
      this.#file!.seekSync(this.#written, Deno.SeekMode.Start);
      throw error;
    }
  }

  #count(block: Block): void {
    this.#note(block);
    this.offset = block.end;
  }

  /** What is there outlives a loss of power once this resolves. */
  async sync(): Promise<void> {
    const end = this.offset;
    if (end === this.#synced) return;
    await this.#file!.syncData();
    this.#note({ type: "synced", end });
    this.#synced = end;
    if (this.#log!.bytes > MAX_LOG_BYTES) this.#beginLog();
  }

  /** Ends a body; everything of it counts, and is on disk for good. */
  async finish(): Promise<void> {
    this.flush();
    for (const block of this.#unchecked ?? []) this.#count(block);
    this.#unchecked = undefined;
    await this.sync();
    await this.#log?.sync();
  }

  /** Drops what does not count. */
  rollBack(): void {
    this.#buffered = 0;
    this.#unchecked = undefined;
    this.#written = this.offset;
    this.#file?.truncateSync(this.offset);
    this.#file?.seekSync(this.offset, Deno.SeekMode.Start);
  }

  /** Notes that it is at its place. */
  stored(): void {
    this.#note({ type: "stored" });
    this.isStored = true;
  }

  /** Reads it, a block at a time. */
  *read(): Generator<Uint8Array> {
    const file = this.#disk.open(this.dataPath, { read: true });
    const buffer = new Uint8Array(BLOCK_BYTES);
    try {
      for (let at = 0; at < this.offset;) {
        const count = readFull(file, buffer);
        if (count === 0) break;
        yield buffer.subarray(0, count);
        at += count;
      }
    } finally {
      file.close();
    }
  }

  /** Closes its files; they are opened again when they are needed. */
  close(): void {
    this.#buffer = new Uint8Array(0);
    this.#buffered = 0;
    this.#file?.close();
    this.#file = undefined;
    this.#log?.close();
    this.#log = undefined;
  }

  /** Removes it; what is at its place stays. */
  remove(): void {
    this.close();
    for (const path of [this.dataPath, this.#logPath]) {
      try {
        this.#disk.remove(path);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
}
