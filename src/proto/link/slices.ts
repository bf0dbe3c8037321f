import { SEGMENT_BYTES } from "../sim/pipe.ts";
import type { Impairments } from "./impairments.ts";

/** How much of a stream may travel together: a segment where each has a fate of its own, else what takes a millisecond. */
function longestPiece(impairments: Required<Impairments>): number {
  const { bytesPerSecond, trace, lossRate, burstEnterRate, corruptRate } =
    impairments;
  const hasFates = trace.length > 0 || lossRate > 0 || burstEnterRate > 0 ||
    corruptRate > 0;
  return hasFates
    ? SEGMENT_BYTES
    : Math.max(SEGMENT_BYTES, bytesPerSecond / 1000);
}

/**
 * Cuts what was read of a stream into the pieces that it travels in: slices if there shall be some, else segments where
 * the link treats each on its own.
 *
 * @example Usage
 * ```ts
 * import { completeImpairments } from "./impairments.ts";
 * import { slices } from "./slices.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const impairments = completeImpairments({ sliceBytes: 4 });
 * const pieces = slices(new Uint8Array(10), impairments, () => 0.5);
 * assertEquals(Array.from(pieces, ({ length }) => length), [4, 4, 2]);
 * ```
 */
export function* slices<B extends Uint8Array>(
  bytes: B,
  impairments: Required<Impairments>,
  random: () => number,
): Generator<Uint8Array> {
  const { sliceBytes, sliceVariationBytes } = impairments;
  const longest = Math.floor(
    Math.min(longestPiece(impairments), bytes.length),
  );
  for (let at = 0; at < bytes.length;) {
    const size = sliceBytes === 0
      ? longest
      : sliceBytes + Math.round((2 * random() - 1) * sliceVariationBytes);
    const end = Math.min(
      at + Math.max(1, Math.min(size, longest)),
      bytes.length,
    );
    yield bytes.subarray(at, end);
    at = end;
  }
}

/** After how many milliseconds a connection is reset: at a fixed time, or after a random one, as failures without memory are. */
export function lifetimeMs(
  { resetAfterMs, meanLifetimeMs }: Required<Impairments>,
  random: () => number,
): number {
  const drawn = -Math.log(1 - random());
  return Math.min(
    resetAfterMs,
    meanLifetimeMs === Infinity ? Infinity : drawn * meanLifetimeMs,
  );
}
