import { readVarint, varintBytes, writeVarint } from "../../bytes/varint.ts";
import { RemoteProtocolError } from "../errors.ts";
import type { Codec } from "./codec.ts";
import { ALGORITHMS, type Compression } from "./compression.ts";
import {
  checkWork,
  resolveWorkLimits,
  type WorkLimits,
} from "./work_limits.ts";

/** What a frame that is not compressed starts with. */
const PLAIN = 0;

/** Options of {@linkcode compressed}. */
export interface CompressedOptions {
  /** How to compress. */
  algorithm: Compression;
  /** Payloads shorter than this many bytes are sent as they are. @default {512} */
  thresholdBytes?: number;
  /** How hard to try: 1 to 9 for gzip and deflate (6), 0 to 11 for brotli (4), 1 to 19 for zstd (3). @default {6} */
  level?: number;
  /** The most that a frame may inflate to, in bytes for each byte received. @default {100} */
  maxRatio?: number;
  /** The limits of the codec. Inflating and decoding a frame spend one budget, `maxDecodedBytes`. @default {DEFAULT_WORK_LIMITS} */
  limits?: WorkLimits;
}

/**
 * Compresses the payloads for which that pays, frame by frame: those from `thresholdBytes` on that get smaller. A first
 * byte tells what is what: 0 and the payload as it is, or the number of the algorithm (1 gzip, 2 deflate, 3 brotli,
 * 4 zstd), the payload's length as a varint, and the compressed payload.
 *
 * A bomb is refused unopened (`too_complex`) when the length that it states is beyond `maxRatio` or `maxDecodedBytes`;
 * no more than the length stated is ever inflated, and a length that turns out wrong is `malformed`. What is compressed
 * further than `maxRatio` is sent plain, so that a peer with the same ratio takes it.
 *
 * A frame that does not inflate is not recoverable: its sender is broken or hostile, and each failure costs
 * the runtime some 25 KB until it has time to clean up.
 *
 * @param codec What the payload is.
 * @param options Algorithm, threshold and limits.
 * @throws {RangeError} If an option is out of range.
 *
 * @example Usage
 * ```ts
 * import { compressed } from "./compressed.ts";
 * import { json } from "./json.ts";
 * import { ByteWriter } from "../../bytes/writer.ts";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const codec = compressed(json<string[]>(), { algorithm: "zstd" });
 * const writer = new ByteWriter();
 * const lines = Array.from({ length: 100 }, (_, i) => `all is well, watch ${i}`);
 * codec.encode(lines, writer);
 * assert(writer.length < 600);
 * assertEquals(codec.decode(writer.view()), lines);
 * ```
 */
export function compressed<In, Out>(
  codec: Codec<In, Out>,
  options: CompressedOptions,
): Codec<In, Out> {
  const algorithm = ALGORITHMS[options.algorithm];
  const limits = resolveWorkLimits(options.limits);
  const {
    thresholdBytes = 512,
    level = algorithm.defaultLevel,
    maxRatio = 100,
  } = options;
  inRange("thresholdBytes", thresholdBytes, 1, 0xffffffff);
  inRange("level", level, algorithm.minLevel, algorithm.maxLevel);
  inRange("maxRatio", maxRatio, 1, 0xffffffff);

  function decode(frame: Uint8Array, spentBytes = 0): In {
    const marker = frame[0];
    if (marker === PLAIN) return codec.decode(frame.subarray(1), spentBytes);
    if (marker !== algorithm.marker) {
      throw malformed(
        `its first byte must be ${PLAIN} or ${algorithm.marker}: current value is ${marker}`,
        true,
      );
    }
    const length = readVarint(frame, 1, frame.length);
    if (length <= 0) {
      throw malformed("its length is not a varint above 0", true);
    }
    if (length > frame.length * maxRatio) {
      throw new RemoteProtocolError(
        "too_complex",
        `Cannot inflate message: ${frame.length} bytes stand for ${length}, the limit is ${maxRatio} times as many`,
        { recoverable: true },
      );
    }
    checkWork(limits, 0, 0, spentBytes + length);
    const body = frame.subarray(1 + varintBytes(length));
    return codec.decode(inflate(body, length), spentBytes + length);
  }

  function inflate(body: Uint8Array, length: number): Uint8Array {
    let payload: Uint8Array;
    try {
      payload = algorithm.inflate(body, length);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw malformed(reason, false, cause);
    }
    if (payload.length !== length) {
      throw malformed(
        `${length} bytes were stated: current value is ${payload.length}`,
        false,
      );
    }
    // A Buffer is a Uint8Array whose slice() is a view, and codecs keep slices.
    return new Uint8Array(payload.buffer, payload.byteOffset, length);
  }

  return {
    name: `${codec.name}+${options.algorithm}`,
    text: false,
    decode,
    encode(value, writer) {
      const mark = writer.length;
      writer.u8(PLAIN);
      codec.encode(value, writer);
      const payload = writer.bytes.subarray(mark + 1, writer.length);
      if (payload.length < thresholdBytes) return;
      const body = algorithm.compress(payload, level);
      const frameBytes = 1 + varintBytes(payload.length) + body.length;
      if (frameBytes > payload.length) return;
      if (payload.length > frameBytes * maxRatio) return;
      writer.truncate(mark);
      writer.u8(algorithm.marker);
      writeVarint(payload.length, writer);
      writer.set(body);
    },
  };
}

function inRange(
  name: string,
  value: number,
  least: number,
  most: number,
): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(
      `Cannot compress as '${name}' must be an integer from ${least} to ${most}: current value is ${value}`,
    );
  }
}

function malformed(
  reason: string,
  recoverable: boolean,
  cause?: unknown,
): RemoteProtocolError {
  return new RemoteProtocolError(
    "malformed",
    `Cannot inflate message: ${reason}`,
    { recoverable, cause },
  );
}
