/**
 * Trees of files for tests of transfers, and a disk that fails.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  type Disk,
  type DiskFile,
  systemDisk,
} from "../../src/transfer/disk.ts";
import { RESERVED_NAME } from "../../src/proto/transfer/path.ts";
import { LEAF_BYTES } from "../../src/proto/transfer/tree.ts";
import { seededRandom } from "../../src/bytes/random.ts";

export { LEAF_BYTES };

/** A folder below /tmp that goes with the test. */
export class TestFolder implements Disposable {
  readonly path: string = Deno.makeTempDirSync({ dir: "/tmp" });

  /** Makes a folder in it. */
  make(name: string): string {
    const path = `${this.path}/${name}`;
    Deno.mkdirSync(path, { recursive: true });
    return path;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Bytes that chance chose. */
export function randomBytes(
  length: number,
  random: () => number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const words = new Uint32Array(bytes.buffer, 0, length >> 2);
  for (let i = 0; i < words.length; i++) words[i] = random() * 2 ** 32;
  for (let i = words.length * 4; i < length; i++) bytes[i] = random() * 256;
  return bytes;
}

/** Makes a tree with what trees have: empty files, files of a leaf and of several, holes, directories, odd names. */
export function makeTree(root: string, seed: number): void {
  const random = seededRandom(seed);
  const sizes = [
    0,
    1,
    4096,
    LEAF_BYTES - 1,
    LEAF_BYTES,
    LEAF_BYTES + 1,
    3 * LEAF_BYTES + 77,
  ];
  const directories = ["", "a/", "a/b/", "a/empty/", "ü ñ 🎈/"];
  for (const directory of directories) {
    Deno.mkdirSync(`${root}/${directory}`, { recursive: true });
    if (directory === "a/empty/") continue;
    for (const size of sizes) {
      if (random() < 0.4) continue;
      const path = `${root}/${directory}file ${size}`;
      Deno.writeFileSync(path, randomBytes(size, random));
      if (random() < 0.3) Deno.chmodSync(path, 0o640);
    }
  }
  const sparse = new Uint8Array(4 * LEAF_BYTES + 5);
  sparse.set(randomBytes(100, random), 2 * LEAF_BYTES + 9);
  Deno.writeFileSync(`${root}/a/sparse`, sparse);
  setTimes(root, random);
}

function setTimes(root: string, random: () => number): void {
  for (const { name, isDirectory } of Deno.readDirSync(root)) {
    const path = `${root}/${name}`;
    if (isDirectory) setTimes(path, random);
    const time = new Date(Math.floor(random() * 2e12));
    Deno.utimeSync(path, time, time);
  }
}

/** What a tree holds, for comparison: kind, mode, time and content of each path. */
export function describeTree(root: string, prefix = ""): string[] {
  const lines: string[] = [];
  const names = Array.from(Deno.readDirSync(root), ({ name }) => name).sort();
  for (const name of names) {
    if (name === RESERVED_NAME) continue;
    const path = `${root}/${name}`;
    const info = Deno.lstatSync(path);
    const mode = ((info.mode ?? 0) & 0o777).toString(8);
    const time = info.mtime?.getTime();
    const shown = `${prefix}${name}`;
    if (info.isDirectory) {
      lines.push(`${shown}/ ${mode} ${time}`);
      lines.push(...describeTree(path, `${shown}/`));
    } else if (info.isSymlink) {
      lines.push(`${shown} -> ${Deno.readLinkSync(path)}`);
    } else {
      lines.push(`${shown} ${mode} ${time} ${digest(path)}`);
    }
  }
  return lines;
}

function digest(path: string): string {
  const bytes = Deno.readFileSync(path);
  let hash = 0xcbf29ce484222325n;
  const words = new BigUint64Array(bytes.buffer, 0, bytes.length >> 3);
  for (const word of words) {
    hash = BigInt.asUintN(64, (hash ^ word) * 0x100000001b3n);
  }
  for (const byte of bytes.subarray(words.length * 8)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return `${bytes.length} ${hash.toString(16)}`;
}

/** Asserts that two trees hold the same. */
export function assertSameTree(actual: string, expected: string): void {
  assertEquals(describeTree(actual), describeTree(expected));
}

/** Bytes of all files of a tree. */
export function treeBytes(root: string): number {
  let bytes = 0;
  for (const { name, isDirectory } of Deno.readDirSync(root)) {
    if (name === RESERVED_NAME) continue;
    const path = `${root}/${name}`;
    bytes += isDirectory ? treeBytes(path) : Deno.lstatSync(path).size;
  }
  return bytes;
}

/** How a {@linkcode FailingDisk} fails. */
export interface Fault {
  /** How many changes succeed before it. */
  readonly after: number;
  /** Whether the change that fails is half done, where there is half a change. */
  readonly torn?: boolean;
}

/** A disk that stops at a moment, as if the process had been killed there: nothing changes after that. */
export class FailingDisk implements Disk {
  /** How many changes were made. */
  changes = 0;
  readonly #fault: Fault;

  constructor(fault: Fault) {
    this.#fault = fault;
  }

  get dead(): boolean {
    return this.changes > this.#fault.after;
  }

  #change(half?: () => void): void {
    if (this.dead) throw new Error("the disk is dead");
    if (++this.changes <= this.#fault.after) return;
    if (this.#fault.torn) half?.();
    throw new Error("the disk dies");
  }

  open(path: string, options: Deno.OpenOptions): DiskFile {
    if (options.createNew || options.truncate) this.#change();
    else if (this.dead) throw new Error("the disk is dead");
    const file = systemDisk.open(path, options);
    return {
      readSync: (into) => file.readSync(into),
      writeSync: (bytes) => {
        this.#change(() =>
          file.writeSync(bytes.subarray(0, bytes.length >> 1))
        );
        return file.writeSync(bytes);
      },
      seekSync: (...to) => file.seekSync(...to),
      truncateSync: (length) => {
        this.#change();
        file.truncateSync(length);
      },
      statSync: () => file.statSync(),
      utimeSync: (...times) => {
        this.#change();
        file.utimeSync(...times);
      },
      syncDataSync: () => {
        this.#change();
      },
      syncData: () => {
        this.#change();
        return Promise.resolve();
      },
      tryLockSync: (exclusive) => file.tryLockSync(exclusive),
      close: () => file.close(),
    };
  }

  rename(from: string, to: string): void {
    this.#change();
    systemDisk.rename(from, to);
  }

  makeDirectory(path: string, mode: number): void {
    this.#change();
    systemDisk.makeDirectory(path, mode);
  }

  remove(path: string): void {
    this.#change();
    systemDisk.remove(path);
  }

  link(target: string, path: string): void {
    this.#change();
    systemDisk.link(target, path);
  }

  setMode(path: string, mode: number): void {
    this.#change();
    systemDisk.setMode(path, mode);
  }

  setTime(path: string, mtimeMs: number): void {
    this.#change();
    systemDisk.setTime(path, mtimeMs);
  }

  syncDirectory(_path: string): void {
    this.#change();
  }

  freeBytes(): undefined {}
}
