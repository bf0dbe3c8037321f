import { RemoteProtocolError } from "../errors.ts";
import type { TransferEntry } from "./entry.ts";
import { collisionKey, MAX_PATH_BYTES, pathFault } from "./path.ts";

/** Entries of a tree that a receiver takes unless told otherwise. */
export const DEFAULT_MAX_ENTRIES = 1_000_000;

/** Options of {@linkcode Manifest}. */
export interface ManifestOptions {
  /** Entries of a tree. @default {1_000_000} */
  readonly maxEntries?: number;
  /** Whether the file system takes names for one that differ in case or normalisation alone. @default {false} */
  readonly foldsNames?: boolean;
}

/** Checks the entries of a tree, one after the other, against what a tree can be. */
export class Manifest {
  readonly #maxEntries: number;
  readonly #foldsNames: boolean;
  /** All paths, or what they collide by; true for directories. */
  readonly #seen = new Map<string, boolean>();
  #count = 0;

  /** Starts with an empty tree. */
  constructor(options: ManifestOptions = {}) {
    this.#maxEntries = options.maxEntries ?? DEFAULT_MAX_ENTRIES;
    this.#foldsNames = options.foldsNames ?? false;
  }

  /**
   * Why the tree cannot have this entry as its next, or undefined if it can.
   *
   * @throws {RemoteProtocolError} If there are too many.
   */
  fault(entry: TransferEntry): string | undefined {
    if (++this.#count > this.#maxEntries) {
      throw new RemoteProtocolError(
        "too_complex",
        `Cannot take a tree of more than ${this.#maxEntries} entries`,
      );
    }
    const { path, kind, target } = entry;
    const fault = pathFault(path) ?? targetFault(target);
    if (fault !== undefined) return fault;
    const key = this.#key(path);
    if (this.#seen.has(key)) {
      return this.#foldsNames
        ? "its name is taken here, as case and normalisation make no difference"
        : "its name is taken";
    }
    const slash = path.lastIndexOf("/");
    if (
      slash >= 0 && this.#seen.get(this.#key(path.slice(0, slash))) !== true
    ) {
      return "the directory that it is in was not taken";
    }
    this.#seen.set(key, kind === "directory");
    return undefined;
  }

  #key(path: string): string {
    return this.#foldsNames ? collisionKey(path) : path;
  }
}

function targetFault(target: string | undefined): string | undefined {
  if (target === undefined) return undefined;
  if (target === "" || target.includes("\0")) return "its target is no path";
  return target.length > MAX_PATH_BYTES
    ? `its target is longer than ${MAX_PATH_BYTES} units`
    : undefined;
}
