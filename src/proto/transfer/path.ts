/** The folder that a receiver keeps for itself. */
export const RESERVED_NAME = ".portolan";

/** Bytes of a path below the receiver's folder. */
export const MAX_PATH_BYTES = 4000;

/** Bytes of one name, which Linux's file systems allow. */
const MAX_NAME_BYTES = 255;

const CONTROL = /\p{Control}/u;
const LONE_SURROGATE = /\p{Surrogate}/u;

const encoder = new TextEncoder();

/**
 * Why a path of a peer is not taken, or undefined if it is: it must be relative, its names separated by single slashes,
 * and lead nowhere but down. Names may be of any Unicode, without controls and backslashes.
 *
 * @example Usage
 * ```ts
 * import { pathFault } from "./path.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(pathFault("photos/2024/ä.jpg"), undefined);
 * assertEquals(pathFault("../secrets"), 'it has a name ".."');
 * ```
 */
export function pathFault(path: string): string | undefined {
  if (path === "") return "it is empty";
  if (path.startsWith("/")) return "it is absolute";
  if (CONTROL.test(path)) return "it has a control character";
  if (path.includes("\\")) return "it has a backslash";
  if (LONE_SURROGATE.test(path)) return "it is no whole Unicode";
  // No name of so few units is too long in bytes, and most are not longer.
  const long = path.length * 3 > MAX_NAME_BYTES;
  if (long && encoder.encode(path).length > MAX_PATH_BYTES) {
    return `it is longer than ${MAX_PATH_BYTES} bytes`;
  }
  for (const name of path.split("/")) {
    if (name === "") return "it has an empty name";
    if (name === "." || name === "..") return `it has a name "${name}"`;
    if (isReserved(name)) return `it has the reserved name "${RESERVED_NAME}"`;
    if (long && encoder.encode(name).length > MAX_NAME_BYTES) {
      return `it has a name longer than ${MAX_NAME_BYTES} bytes`;
    }
  }
  return undefined;
}

/** Whether a file system that folds names could take this one for the receiver's own folder. */
function isReserved(name: string): boolean {
  if (name.length < RESERVED_NAME.length) return false;
  return name === RESERVED_NAME ||
    collisionKey(name).replaceAll(/\p{Default_Ignorable_Code_Point}/gu, "") ===
      RESERVED_NAME;
}

/**
 * Equal for paths that a file system which folds case or normalises Unicode takes for one.
 *
 * @example Usage
 * ```ts
 * import { collisionKey } from "./path.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(collisionKey("A\u0308.txt"), collisionKey("ä.TXT"));
 * ```
 */
export function collisionKey(path: string): string {
  return path.normalize("NFKC").toUpperCase().toLowerCase().normalize("NFKC");
}
