/**
 * Numbers as people read them.
 *
 * @module
 */

/**
 * Writes milliseconds with three digits and the unit that suits them.
 *
 * @example
 * ```ts
 * import { formatDuration } from "./format.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatDuration(0.0841), "84.1 µs");
 * assertEquals(formatDuration(1234), "1.23 s");
 * assertEquals(formatDuration(3_723_000), "1 h 2 min");
 * ```
 */
export function formatDuration(ms: number): string {
  const size = Math.abs(ms);
  if (size >= 59_950) return formatMinutes(Math.round(ms / 1000));
  if (size >= 999.5) return `${threeDigits(ms / 1000)} s`;
  if (size >= 0.9995 || ms === 0) return `${threeDigits(ms)} ms`;
  if (size >= 0.000_999_5) return `${threeDigits(ms * 1e3)} µs`;
  return `${threeDigits(ms * 1e6)} ns`;
}

/**
 * Writes a count with separators, or from a million on with three digits.
 *
 * @example
 * ```ts
 * import { formatCount } from "./format.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatCount(84210.7), "84,211");
 * assertEquals(formatCount(12_345_678), "12.3 M");
 * ```
 */
export function formatCount(count: number): string {
  const size = Math.abs(count);
  if (size >= 999_500_000) return `${threeDigits(count / 1e9)} G`;
  if (size >= 999_500) return `${threeDigits(count / 1e6)} M`;
  return Math.round(count).toLocaleString("en-US");
}

/**
 * Writes bytes in binary units.
 *
 * @example
 * ```ts
 * import { formatBytes } from "./format.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatBytes(512), "512 B");
 * assertEquals(formatBytes(1_572_864), "1.50 MiB");
 * ```
 */
export function formatBytes(bytes: number): string {
  const units = ["KiB", "MiB", "GiB", "TiB"];
  if (Math.abs(bytes) < 1024) return `${Math.round(bytes)} B`;
  let value = bytes;
  let unit = "B";
  while (Math.abs(value) >= 999.5 && units.length > 0) {
    value /= 1024;
    unit = units.shift()!;
  }
  return `${threeDigits(value)} ${unit}`;
}

function formatMinutes(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function threeDigits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}
