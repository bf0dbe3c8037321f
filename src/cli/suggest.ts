/**
 * What somebody probably meant.
 *
 * @module
 */

/**
 * The candidate nearest to `text`, by the letters to insert, delete, replace
 * or swap; `undefined` where none is near.
 *
 * @example
 * ```ts
 * import { closestMatch } from "./suggest.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(closestMatch("--prot", ["--port", "--listen"]), "--port");
 * assertEquals(closestMatch("--window", ["--port", "--listen"]), undefined);
 * ```
 */
export function closestMatch(
  text: string,
  candidates: readonly string[],
): string | undefined {
  const letters = text.replace(/^\W+/, "").length;
  let nearest: string | undefined;
  let least = Math.min(3, Math.ceil(letters / 2)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(text, candidate);
    if (distance < least) [nearest, least] = [candidate, distance];
  }
  const begun = candidates.filter((candidate) => candidate.startsWith(text));
  return nearest ?? (begun.length === 1 ? begun[0] : undefined);
}

/** Optimal string alignment distance: Damerau-Levenshtein without overlap. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] &&
        a[i - 2] === b[j - 1];
      row[j] = Math.min(
        last[j]! + 1,
        row[j - 1]! + 1,
        last[j - 1]! + cost,
        swapped ? beforeLast[j - 2]! + 1 : Infinity,
      );
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length]!;
}
