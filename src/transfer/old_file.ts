import { ByteWriter } from "../bytes/writer.ts";
import {
  applyPatch,
  averageChunkBytes,
  CHUNK_HASH_BYTES,
  CHUNK_RECORD_BYTES,
  MAX_CHUNKS,
} from "../proto/transfer/delta.ts";
import { PAGE_BYTES } from "../proto/transfer/messages.ts";
import { LEAF_BYTES } from "../proto/transfer/tree.ts";
import { passOver, scanChunks } from "./chunk_scan.ts";
import { type DiskFile, readFull } from "./disk.ts";

/** The version of a file that a receiver has, from which leaves of the new one are made. */
export class OldFile {
  /** Number of the entry. */
  readonly index: number;
  /** What it is cut by. */
  readonly averageBytes: number;
  readonly #file: DiskFile;
  readonly #leaf = new Uint8Array(LEAF_BYTES);
  #isClosed = false;

  private constructor(index: number, file: DiskFile) {
    this.index = index;
    this.#file = file;
    this.averageBytes = averageChunkBytes(file.statSync().size);
  }

  /** Opens it; undefined if it cannot be read, as nothing is lost by that. */
  static open(
    index: number,
    open: () => DiskFile | undefined,
  ): OldFile | undefined {
    try {
      const file = open();
      return file && new OldFile(index, file);
    } catch (error) {
      passOver(error);
      return undefined;
    }
  }

  /** Reads all of it, and tells of its chunks, page by page; now and then `turn` lets others have theirs. */
  async chunks(
    tell: (page: Uint8Array) => void,
    turn: () => Promise<void>,
  ): Promise<void> {
    const page = new ByteWriter();
    let count = 0;
    const turnPage = (): void => {
      if (page.length > 0) tell(page.bytes.slice(0, page.length));
      page.truncate();
    };
    try {
      const take = (length: number, hash: Uint8Array): boolean => {
        page.u32(length);
        page.set(hash.subarray(0, CHUNK_HASH_BYTES));
        if (page.length + CHUNK_RECORD_BYTES > PAGE_BYTES) turnPage();
        return ++count < MAX_CHUNKS;
      };
      await scanChunks(this.#file, this.averageBytes, {
        take,
        turn: () => turn().then(() => !this.#isClosed),
      });
    } catch (error) {
      // What was told of so far can be used.
      passOver(error);
    }
    turnPage();
  }

  /** A leaf of `length` bytes that is made as `patch` says; it is overwritten by the next one. */
  patched(patch: Uint8Array, length: number): Uint8Array {
    const leaf = this.#leaf.subarray(0, length);
    applyPatch(patch, leaf, (from, into) => {
      // What cannot be read, as the file was cut off or the sender made it up, is found by the leaf's hash.
      try {
        this.#file.seekSync(from, Deno.SeekMode.Start);
        readFull(this.#file, into);
      } catch (error) {
        passOver(error);
      }
    });
    return leaf;
  }

  /** Closes it. */
  close(): void {
    if (!this.#isClosed) this.#file.close();
    this.#isClosed = true;
  }
}
