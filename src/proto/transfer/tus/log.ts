import { pathFault } from "../path.ts";
import type { TusConcat } from "./headers.ts";

/** What was said when an upload was created. */
export interface TusBeginning {
  /** Bytes of the whole; absent if the client says it later. */
  readonly length?: number | undefined;
  /** `Upload-Metadata`, as the client sent it. */
  readonly metadata?: string | undefined;
  /** Where the file will be; absent for a part of another. */
  readonly path?: string | undefined;
  /** What it is to others. */
  readonly concat?: TusConcat | undefined;
  /** The network that it came from. */
  readonly source: string;
}

/** A line of the log of an upload. */
export type TusRecord =
  /** It was created. */
  | ({ readonly type: "begin" } & TusBeginning)
  /** How long it is became known. */
  | { readonly type: "length"; readonly length: number }
  /** Data from the end of the last block, or of what was synced, up to `end` was written. */
  | { readonly type: "block"; readonly end: number; readonly sha256: string }
  /** Data up to `end` outlives a loss of power. */
  | { readonly type: "synced"; readonly end: number }
  /** When it expires, in milliseconds since 1970. */
  | { readonly type: "expires"; readonly atMs: number }
  /** It is at its place. */
  | { readonly type: "stored" };

/** Data that a loss of power may have taken. */
export interface TusBlock {
  /** Where it begins. */
  readonly start: number;
  /** Where it ends. */
  readonly end: number;
  /** Its SHA-256 in hexadecimal digits. */
  readonly sha256: string;
}

/** What the log of an upload came to. */
export interface TusReplay {
  /** What was said when it was created. */
  readonly beginning: TusBeginning;
  /** Bytes of the whole, if they are known. */
  readonly length: number | undefined;
  /** Data up to here outlives a loss of power. */
  readonly syncedEnd: number;
  /** What was written after it. */
  readonly blocks: readonly TusBlock[];
  /** When it expires, in milliseconds since 1970. */
  readonly expiresMs: number;
  /** Whether it is at its place. */
  readonly isStored: boolean;
}

/** A record as a line. */
export function formatRecord(record: TusRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/**
 * Reads the log of an upload up to its end, or up to the first line that is torn or damaged; undefined if not even the
 * first one is sound. That blocks are what they should be is for the caller to see.
 *
 * @example Usage
 * ```ts
 * import { formatRecord, replayLog } from "./log.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const log = formatRecord({ type: "begin", length: 5, source: "127.0.0.1" }) +
 *   formatRecord({ type: "synced", end: 3 });
 * assertEquals(replayLog(log + '{"type":"blo')?.syncedEnd, 3);
 * assertEquals(replayLog("{"), undefined);
 * ```
 */
export function replayLog(text: string): TusReplay | undefined {
  let at = text.indexOf("\n") + 1;
  const beginning = parse(text.slice(0, at));
  if (beginning?.type !== "begin" || !isSound(beginning)) return undefined;
  let { length } = beginning;
  let syncedEnd = 0;
  let end = 0;
  let blocks: TusBlock[] = [];
  let expiresMs = 0;
  let isStored = false;
  for (let next; (next = text.indexOf("\n", at)) >= 0; at = next + 1) {
    const record = parse(text.slice(at, next));
    if (record === undefined) break;
    if (record.type === "length") {
      length = record.length;
    } else if (record.type === "block") {
      const { sha256 } = record;
      blocks.push({ start: end, end: record.end, sha256 });
      end = record.end;
    } else if (record.type === "synced") {
      syncedEnd = record.end;
      end = Math.max(end, syncedEnd);
      blocks = blocks.filter((block) => block.end > syncedEnd);
    } else if (record.type === "expires") {
      expiresMs = record.atMs;
    } else if (record.type === "stored") {
      isStored = true;
    }
  }
  return {
    beginning,
    length,
    syncedEnd,
    blocks,
    expiresMs,
    isStored,
  };
}

function parse(line: string): TusRecord | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** The log is our own; a path that somebody put into it must still not lead out. */
function isSound({ path }: TusBeginning): boolean {
  return path === undefined || pathFault(path) === undefined;
}
