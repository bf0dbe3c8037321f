/** Bytes of a leaf; the last one of a file may be shorter. */
export const LEAF_BYTES: number = 256 * 1024;

/** Bytes of a hash. */
export const HASH_BYTES: number = 32;

/** SHA-256 of the parts, one after the other: 32 bytes that the caller may keep. */
export type Sha256 = (...parts: Uint8Array[]) => Uint8Array;

const LEAF_PREFIX = Uint8Array.of(0);
const NODE_PREFIX = Uint8Array.of(1);

/**
 * The hash of a leaf: SHA-256 of a zero byte and the data, as in RFC 9162, 2.1.1, so that no leaf is taken for a node.
 *
 * @example Usage
 * ```ts
 * import { leafHash } from "./tree.ts";
 * import { sha256 } from "../../transfer/sha256.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   leafHash(sha256, new Uint8Array(0)).toHex(),
 *   "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
 * );
 * ```
 */
export function leafHash(sha256: Sha256, data: Uint8Array): Uint8Array {
  return sha256(LEAF_PREFIX, data);
}

/**
 * How many leaves a file of `size` bytes has: none if it is empty.
 *
 * @example Usage
 * ```ts
 * import { leafCount } from "./tree.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(leafCount(256 * 1024 + 1), 2);
 * ```
 */
export function leafCount(size: number): number {
  return Math.ceil(size / LEAF_BYTES);
}

/**
 * How long leaf number `leaf` of a file of `size` bytes is.
 *
 * @example Usage
 * ```ts
 * import { leafLength } from "./tree.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(leafLength(256 * 1024 + 1, 1), 1);
 * ```
 */
export function leafLength(size: number, leaf: number): number {
  return Math.min(LEAF_BYTES, size - leaf * LEAF_BYTES);
}

/**
 * The hash of a whole file, from the hashes of its leaves in order: the root of the Merkle tree of RFC 9162, 2.1.1. It
 * holds no more than one hash for each level of the tree.
 *
 * @example Usage
 * ```ts
 * import { leafHash, TreeHash } from "./tree.ts";
 * import { sha256 } from "../../transfer/sha256.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const tree = new TreeHash(sha256);
 * tree.push(leafHash(sha256, new Uint8Array(0)));
 * tree.push(leafHash(sha256, Uint8Array.of(0)));
 * assertEquals(
 *   tree.root().toHex(),
 *   "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
 * );
 * ```
 */
export class TreeHash {
  /** How many leaves there are. */
  count = 0;
  readonly #sha256: Sha256;
  /** Roots of whole subtrees, the largest first; their sizes are the bits of `count`. */
  readonly #roots: Uint8Array[] = [];

  /** Starts without leaves. */
  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
  }

  /** Appends the hash of the next leaf, which must not change any more. */
  push(leaf: Uint8Array): void {
    let node = leaf;
    // Each set bit below the first zero is a whole subtree of the same size, to be joined with.
    for (let rest = this.count; rest % 2 === 1; rest = (rest - 1) / 2) {
      node = this.#sha256(NODE_PREFIX, this.#roots.pop()!, node);
    }
    this.#roots.push(node);
    this.count++;
  }

  /** The root of the leaves so far; without leaves the SHA-256 of nothing. */
  root(): Uint8Array {
    let root = this.#roots.at(-1);
    if (root === undefined) return this.#sha256();
    for (let i = this.#roots.length - 2; i >= 0; i--) {
      root = this.#sha256(NODE_PREFIX, this.#roots[i]!, root);
    }
    return root;
  }
}

/** Whether two hashes are the same. They are no secrets: the time this takes may tell them. */
export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < HASH_BYTES; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}
