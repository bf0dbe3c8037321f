import { createHash } from "node:crypto";
import { nextTurn } from "../io/turn.ts";
import { Chunker } from "../proto/transfer/chunker.ts";
import { readFull } from "./disk.ts";
import { PlaceError } from "./safe_tree.ts";

/** Bytes that are read and cut before others have their turn. */
const TURN_BYTES = 512 * 1024;

/**
 * Passes over an error of the disk, by which nothing is lost but time.
 *
 * @throws Whatever `error` is, if it is another.
 */
export function passOver(error: unknown): void {
  const isDiskError = error instanceof Error && "code" in error ||
    error instanceof Deno.errors.NotCapable || error instanceof PlaceError;
  if (!isDiskError) throw error;
}

/** What {@linkcode scanChunks} tells. */
export interface ChunkTaker {
  /** Takes the length and the SHA-256 of the next chunk; `false` ends it early. */
  take(length: number, hash: Uint8Array): boolean | void;
  /** Lets others have their turn; `false` ends it early. @default {nextTurn} */
  turn?(): Promise<boolean | void>;
}

/** Reads a file from where it is, and tells of each chunk of it. */
export async function scanChunks(
  file: Pick<Deno.FsFile, "readSync">,
  averageBytes: number,
  { take, turn = () => new Promise<void>(nextTurn) }: ChunkTaker,
): Promise<void> {
  const chunker = new Chunker(averageBytes);
  const buffer = new Uint8Array(TURN_BYTES);
  let hash = createHash("sha256");
  let length = 0;
  for (;;) {
    const data = buffer.subarray(0, readFull(file, buffer));
    let at = 0;
    for (;;) {
      const end = chunker.next(data, at);
      const part = data.subarray(at, end < 0 ? data.length : end);
      hash.update(part);
      length += part.length;
      if (end < 0) break;
      if (take(length, hash.digest()) === false) return;
      hash = createHash("sha256");
      length = 0;
      at = end;
    }
    if (data.length < TURN_BYTES) break;
    if (await turn() === false) return;
  }
  if (length > 0) take(length, hash.digest());
}
