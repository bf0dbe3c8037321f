import type { Compression } from "../codec/compression.ts";
import type { Wire } from "../framing/framing.ts";
import { HelloError } from "./error.ts";
import { type Choice, MIN_FRAME_BYTES, type Offer } from "./messages.ts";

/** What two sides have agreed on. */
export interface Agreement {
  /** Version of the application's protocol. */
  readonly version: number;
  /** Name of the codec. */
  readonly codec: string;
  /** How frames are compressed. */
  readonly compression: Compression | "none";
  /** What checksum is in each frame. */
  readonly checksum: "crc32c" | "none";
  /** The largest payload of a frame in bytes, in both directions. */
  readonly maxFrameBytes: number;
}

/** What came of a hello. */
export interface Agreed<In, Out = In> {
  /** What was agreed on; undefined if the client sent no hello and the server takes those too. */
  readonly agreement: Agreement | undefined;
  /** What to talk by from now on. One object for all equal agreements of a server. */
  readonly wire: Wire<In, Out>;
}

/** What one side can do; names in the order of its preference, versions from the highest. */
export interface Terms {
  /** Versions of the application's protocol. */
  readonly versions: readonly number[];
  /** Names of codecs. */
  readonly codecs: readonly string[];
  /** Ways to compress frames. */
  readonly compressions: readonly (Compression | "none")[];
  /** Checksums in frames. */
  readonly checksums: readonly ("crc32c" | "none")[];
  /** The largest payload of a frame in bytes. */
  readonly maxFrameBytes: number;
}

/**
 * What a server with these terms makes of an offer: the highest version, and of the rest what the server prefers.
 *
 * @throws {HelloError} If they have something not in common.
 */
export function choose(terms: Terms, offer: Offer): Agreement {
  return {
    version: common("version", terms.versions, offer.versions),
    codec: common("codec", terms.codecs, offer.codecs),
    compression: common("compression", terms.compressions, offer.compressions),
    checksum: common("checksum", terms.checksums, offer.checksums),
    maxFrameBytes: frameLimit(terms.maxFrameBytes, offer.maxFrameBytes),
  };
}

function common<T extends string | number>(
  what: "version" | "codec" | "compression" | "checksum",
  ours: readonly T[],
  theirs: readonly unknown[],
): T {
  const found = ours.find((item) => theirs.includes(item));
  if (found === undefined) {
    throw new HelloError(
      `no_common_${what}`,
      `no common ${what}: ours are ${JSON.stringify(ours)}, theirs are ${
        JSON.stringify(theirs)
      }`,
    );
  }
  return found;
}

/**
 * The server's own limit, or the largest step below the client's: 1, 4, 16 KiB and so on. With few limits there are few
 * wires, so clients cannot make a server encode a broadcast once for each of them.
 */
function frameLimit(ours: number, theirs: number): number {
  if (theirs >= ours) return ours;
  let step = MIN_FRAME_BYTES;
  while (step * 4 <= theirs) step *= 4;
  return step;
}

/**
 * What a client with these terms makes of the server's choice.
 *
 * @throws {HelloError} (`not_offered`) If the choice is not among them.
 */
export function checkChoice(terms: Terms, choice: Choice): Agreement {
  if (choice.maxFrameBytes > terms.maxFrameBytes) {
    throw notOffered("maxFrameBytes", choice.maxFrameBytes);
  }
  return {
    version: offered("version", terms.versions, choice.version),
    codec: offered("codec", terms.codecs, choice.codec),
    compression: offered(
      "compression",
      terms.compressions,
      choice.compression,
    ),
    checksum: offered("checksum", terms.checksums, choice.checksum),
    maxFrameBytes: choice.maxFrameBytes,
  };
}

function offered<T extends string | number>(
  what: string,
  ours: readonly T[],
  chosen: string | number,
): T {
  const found = ours.find((item) => item === chosen);
  if (found === undefined) throw notOffered(what, chosen);
  return found;
}

function notOffered(what: string, value: string | number): HelloError {
  return new HelloError(
    "not_offered",
    `the server chose a ${what} that was not offered: current value is ${
      JSON.stringify(value)
    }`,
  );
}
