import type { TransferEntry } from "../proto/transfer/entry.ts";
import { type Disk, lookAt } from "./disk.ts";

/** The directory of a path; empty for one at the top. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}

/** Why something cannot be put where a peer wants it. */
export class PlaceError extends Error {
  /** The name that stack traces show. */
  override readonly name = "PlaceError";
}

/**
 * The folder that a receiver fills. Whatever is done in it is done below directories that were looked at just before and
 * are no links; nothing is ever written through a name, as files come by rename.
 */
export class SafeTree {
  readonly #root: string;
  readonly #disk: Disk;
  /** Names in a directory, for the one asked about last. */
  #listed: { path: string; names: ReadonlySet<string> } | undefined;
  /** Directories that were made here, which nothing was in before. */
  readonly #fresh = new Set<string>();
  /** Directories that were looked at since {@linkcode SafeTree.forget}. */
  readonly #trusted = new Set<string>();

  readonly #foldsNames: boolean;

  /** Begins with a folder that exists. */
  constructor(root: string, disk: Disk, foldsNames: boolean) {
    this.#root = root;
    this.#disk = disk;
    this.#foldsNames = foldsNames;
  }

  /** The path of an entry on disk. */
  locate(path: string): string {
    return path === "" ? this.#root : `${this.#root}/${path}`;
  }

  /** Looks at directories again from now on. */
  forget(): void {
    this.#trusted.clear();
    this.#listed = undefined;
  }

  /**
   * Checks every directory that a path leads through.
   *
   * @throws {PlaceError} If one of them is none.
   */
  checkParents(path: string): void {
    const parent = parentOf(path);
    if (parent === "" || this.#trusted.has(parent)) return;
    // From the top: what lies behind a link must not come to be trusted.
    this.checkParents(parent);
    const info = lookAt(this.locate(parent));
    if (!info?.isDirectory) {
      const what = info === undefined
        ? "missing"
        : info.isSymlink
        ? "a symbolic link"
        : "no directory";
      throw new PlaceError(`Cannot write below "${parent}": it is ${what}`);
    }
    this.#trusted.add(parent);
  }

  /** What is at the place of an entry, links not followed. A name that is missing costs no call of its own. */
  existing(path: string): Deno.FileInfo | undefined {
    const parent = parentOf(path);
    if (this.#fresh.has(parent)) return undefined;
    this.checkParents(path);
    if (this.#listed?.path !== parent) {
      const names = new Set<string>();
      for (const { name } of Deno.readDirSync(this.locate(parent))) {
        names.add(name);
      }
      this.#listed = { path: parent, names };
    }
    const name = path.slice(path.lastIndexOf("/") + 1);
    return this.#foldsNames || this.#listed.names.has(name)
      ? lookAt(this.locate(path))
      : undefined;
  }

  /**
   * Makes a directory unless it is there, and tells whether it was made; its owner can write there until its mode is
   * set.
   *
   * @throws {PlaceError} If something else is in its place.
   */
  makeDirectory({ path, mode }: TransferEntry): boolean {
    this.checkParents(path);
    const info = lookAt(this.locate(path));
    if (info?.isDirectory) return false;
    if (info !== undefined) {
      throw new PlaceError(`Cannot make directory "${path}": a file is there`);
    }
    this.#disk.makeDirectory(this.locate(path), mode & 0o777 | 0o700);
    this.#fresh.add(path);
    return true;
  }

  /** What is in a directory; nothing if it was made here. */
  list(path: string): Iterable<Deno.DirEntry> {
    if (this.#fresh.has(path)) return [];
    this.checkParents(`${path}/`);
    return Deno.readDirSync(this.locate(path));
  }

  /** Puts a finished file to its place. */
  install(temporary: string, path: string): void {
    this.checkParents(path);
    this.#disk.rename(temporary, this.locate(path));
  }

  /** Makes a symbolic link, in the place of a file or link that is there. */
  link({ path, target = "" }: TransferEntry, temporary: string): void {
    this.#disk.link(target, temporary);
    this.install(temporary, path);
  }
}
