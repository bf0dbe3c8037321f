import { statfsSync } from "node:fs";

/** A file that is being written. */
export type DiskFile = Pick<
  Deno.FsFile,
  | "readSync"
  | "writeSync"
  | "seekSync"
  | "truncateSync"
  | "statSync"
  | "utimeSync"
  | "syncDataSync"
  | "syncData"
  | "tryLockSync"
  | "close"
>;

/** What a store does with its disk; tests put a failing one in its place. */
export interface Disk {
  /** Opens or creates a file. */
  open(path: string, options: Deno.OpenOptions): DiskFile;
  /** Moves a file, in the place of one that is there. */
  rename(from: string, to: string): void;
  /** Makes a directory. */
  makeDirectory(path: string, mode: number): void;
  /** Removes a file. */
  remove(path: string): void;
  /** Makes a symbolic link. */
  link(target: string, path: string): void;
  /** Sets permission bits. */
  setMode(path: string, mode: number): void;
  /** Sets the time of the last change. */
  setTime(path: string, mtimeMs: number): void;
  /** Makes what changed in a directory outlive a loss of power. */
  syncDirectory(path: string): void;
  /** Bytes that can still be written; undefined where this process may not ask. */
  freeBytes(path: string): number | undefined;
}

/** The disk of the machine. */
export const systemDisk: Disk = {
  open: Deno.openSync,
  rename: Deno.renameSync,
  makeDirectory: (path, mode) => Deno.mkdirSync(path, { mode }),
  remove: (path) => Deno.removeSync(path),
  link: (target, path) => Deno.symlinkSync(target, path),
  setMode: Deno.chmodSync,
  setTime(path, mtimeMs): void {
    const time = new Date(mtimeMs);
    Deno.utimeSync(path, time, time);
  },
  syncDirectory(path): void {
    using directory = Deno.openSync(path);
    directory.syncSync();
  },
  freeBytes(path): number | undefined {
    const descriptor = { name: "sys", kind: "statfs" } as const;
    if (Deno.permissions.querySync(descriptor).state !== "granted") return;
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  },
};

/** What is at `path`, links not followed; undefined if nothing is. */
export function lookAt(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Writes all of `bytes`. */
export function writeAll(file: DiskFile, bytes: Uint8Array): void {
  let at = file.writeSync(bytes);
  while (at < bytes.length) at += file.writeSync(bytes.subarray(at));
}

/** Reads until `into` is full or the file ends; the bytes read. */
export function readFull(
  file: Pick<Deno.FsFile, "readSync">,
  into: Uint8Array,
): number {
  let at = 0;
  while (at < into.length) {
    const count = file.readSync(into.subarray(at));
    if (count === null) break;
    at += count;
  }
  return at;
}
