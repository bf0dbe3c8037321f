import {
  type CheckWireOptions,
  WireCheck,
  type WireReport,
} from "./codec_kit/wire_check.ts";
import type { Wire } from "./framing/framing.ts";

export type { CheckWireOptions, WireReport };

/**
 * Tries a wire, above all one with a codec or framing of your own, in the ways in which such code goes wrong: each
 * sample comes back as it went; so do all of them in one stream, cut at every place, and byte by byte; what follows a
 * frame is left alone; a frame that is cut off is `truncated` and never a value; a frame over `maxFrameBytes` is refused
 * before it is complete; and of mutated bytes nothing comes but values and `RemoteProtocolError`s.
 *
 * Not for `raw()`, which keeps no boundaries.
 *
 * @param wire What to try.
 * @param samples Messages to send; take the edges of what the codec can say, and an empty one.
 * @param options Seed and effort.
 * @returns What was done.
 * @throws {Error} That names the check, the sample or cut, and the seed; its `cause` is the error underneath.
 *
 * @example Usage
 * ```ts
 * import { checkWire } from "./codec_kit.ts";
 * import { varintPrefixed } from "./framing/varint_prefixed.ts";
 * import { json } from "./codec/json.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const report = checkWire(varintPrefixed(json()), [null, "é", { x: [1, 2] }]);
 * assertEquals(report.samples, 3);
 * ```
 */
export function checkWire<In, Out = In>(
  wire: Wire<In, Out>,
  samples: readonly Out[],
  options: CheckWireOptions<In, Out> = {},
): WireReport {
  if (samples.length === 0) {
    throw new RangeError("Cannot check wire: there are no samples");
  }
  const check = new WireCheck(wire, samples, options);
  check.roundTrips();
  check.surroundings();
  check.maximum();
  return {
    samples: samples.length,
    streamBytes: check.stream.length,
    splits: check.splits(),
    truncations: check.truncations(),
    ...check.mutations(),
  };
}
