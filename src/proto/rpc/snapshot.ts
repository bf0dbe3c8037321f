import { NODE_BYTES } from "../codec/work_limits.ts";

/** An answer nested deeper than this is not kept. */
const MAX_DEPTH = 64;

/** A value as it was at one moment, and what it costs to keep. */
export interface Snapshot {
  /** The value. */
  value: unknown;
  /** Estimated bytes. */
  bytes: number;
}

/**
 * Copies `value`, so that whoever made it may change it. Arrays, plain objects and byte arrays are copied; anything
 * else is taken to be immutable. Undefined if the copy would take more than `maxBytes`.
 */
export function snapshot(
  value: unknown,
  maxBytes: number,
): Snapshot | undefined {
  let bytes = 0;
  let fits = true;
  const copy = (item: unknown, depth: number): unknown => {
    bytes += NODE_BYTES;
    if (typeof item === "string") bytes += 2 * item.length;
    if (typeof item !== "object" || item === null) return item;
    if (ArrayBuffer.isView(item)) bytes += item.byteLength;
    fits &&= depth <= MAX_DEPTH && bytes <= maxBytes;
    if (!fits) return undefined;
    if (item instanceof Uint8Array) return item.slice();
    if (ArrayBuffer.isView(item)) return item;
    if (Array.isArray(item)) return item.map((it) => copy(it, depth + 1));
    const copied = Object.fromEntries(
      Object.entries(item).map(([key, it]) => {
        bytes += 2 * key.length;
        return [key, copy(it, depth + 1)];
      }),
    );
    return isPlain(item) ? copied : item;
  };
  const copied = copy(value, 1);
  return fits && bytes <= maxBytes ? { value: copied, bytes } : undefined;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
