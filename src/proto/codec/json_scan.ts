import { checkWork, NODE_BYTES, type WorkLimits } from "./work_limits.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
/** Square brackets; curly ones differ from them in the bit that `BRACKET_MASK` takes out. */
const OPENING = 0x5b;
const CLOSING = 0x5d;
const BRACKET_MASK = 0xdf;

/**
 * How many bytes of JSON cannot exceed the limits of nodes and size, whatever they say: a node takes two bytes (itself
 * and a separator), and every byte may be part of a string.
 */
export function harmlessJsonBytes(limits: Required<WorkLimits>): number {
  const perByte = NODE_BYTES / 2 + 1;
  return Math.min(
    2 * limits.maxNodes,
    Math.floor(limits.maxDecodedBytes / perByte),
  ) - 1;
}

/**
 * Whether JSON of `byteLength` bytes might nest deeper than `maxDepth`, judged by its opening brackets alone. An array
 * takes at least two bytes and a level of object five, such as `{"":}`; so a text that is short, or has few brackets,
 * cannot.
 */
export function mayNestDeeper(
  text: string,
  byteLength: number,
  maxDepth: number,
): boolean {
  if (byteLength <= 2 * maxDepth) return false;
  const arrays = countUpTo(text, "[", maxDepth);
  if (arrays > maxDepth) return true;
  const objectsThatFit = (byteLength - 2 * arrays) / 5;
  return arrays + objectsThatFit > maxDepth &&
    arrays + countUpTo(text, "{", maxDepth) > maxDepth;
}

/** Occurrences of `char` in `text`, counted no further than `most` + 1. */
function countUpTo(text: string, char: string, most: number): number {
  let count = 0;
  let at = text.indexOf(char);
  while (at >= 0 && count <= most) {
    count++;
    at = text.indexOf(char, at + 1);
  }
  return count;
}

/**
 * Measures depth, nodes and string bytes of JSON in one pass, without building anything. Faults of syntax are left to
 * the parser.
 *
 * @param bytes The frame.
 * @param limits The most work that it may describe.
 * @param spentBytes What of `maxDecodedBytes` is spent already.
 * @throws {RemoteProtocolError} (`too_complex`, recoverable) If a limit is exceeded.
 */
export function scanJson(
  bytes: Uint8Array,
  limits: Required<WorkLimits>,
  spentBytes: number,
): void {
  let depth = 0;
  let deepest = 0;
  let nodes = 1;
  let stringBytes = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === QUOTE) {
      const start = i + 1;
      i = endOfString(bytes, start);
      stringBytes += i - start;
    } else if (byte === COMMA || byte === COLON) {
      nodes++;
    } else if ((byte & BRACKET_MASK) === OPENING) {
      nodes++;
      if (++depth > deepest) deepest = depth;
    } else if ((byte & BRACKET_MASK) === CLOSING) {
      depth--;
      // An empty array or object has no first child.
      if ((bytes[i - 1]! & BRACKET_MASK) === OPENING) nodes--;
    }
  }
  checkWork(limits, deepest, nodes, spentBytes + stringBytes);
}

/** Offset of the quote that ends the string whose content starts at `from`. */
function endOfString(bytes: Uint8Array, from: number): number {
  let i = from;
  while (i < bytes.length && bytes[i] !== QUOTE) {
    i += bytes[i] === BACKSLASH ? 2 : 1;
  }
  return i;
}
