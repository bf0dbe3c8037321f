/**
 * Whether two decoded values say the same: deep, with `NaN` equal to itself, dates and bytes compared by content, and a
 * property that is `undefined` like one that is absent.
 *
 * @example Usage
 * ```ts
 * import { sameValue } from "./same_value.ts";
 * import { assert } from "@std/assert";
 *
 * assert(sameValue({ a: [NaN, new Uint8Array([1])] }, { a: [NaN, new Uint8Array([1])] }));
 * assert(!sameValue([1], [1, 2]));
 * ```
 */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b) || a === b) return true;
  if (!isObject(a) || !isObject(b)) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Date && b instanceof Date) return Object.is(+a, +b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    return sameItems(a, b);
  }
  if (Array.isArray(a) && Array.isArray(b)) return sameItems(a, b);
  return sameProperties(a, b);
}

function sameItems(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (!sameValue(a[i], b[i])) return false;
  }
  return true;
}

function sameProperties(
  a: Record<string, unknown>,
  b: Record<string, unknown>,
): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => sameValue(a[name], b[name]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
