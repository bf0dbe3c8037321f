/**
 * What a link does to what passes it, in one direction. Everything is off by default: such a link only passes on.
 */
export interface Impairments {
  /** Milliseconds that everything is under way. @default {0} */
  latencyMs?: number;
  /** Up to this many milliseconds more, at random. @default {0} */
  jitterMs?: number;
  /** Whether jitter lets packets overtake each other; a stream keeps its order in any case. @default {false} */
  jitterReorders?: boolean;
  /** What the link carries, in bytes per second. @default {Infinity} */
  bytesPerSecond?: number;
  /** Bytes that a link that was idle passes on at once: the depth of its token bucket. @default {1500} */
  burstBytes?: number;
  /** Bytes that wait for the link: packets beyond are lost, and streams are not read. @default {150000} */
  queueBytes?: number;
  /**
   * When the link can carry 1,500 bytes, in milliseconds, over and over, as in a file of mahimahi; it takes the place of
   * `bytesPerSecond`. @default {[]}
   */
  trace?: readonly number[];
  /** Share of the packets that are lost, outside bursts. @default {0} */
  lossRate?: number;
  /** How likely a burst of losses begins with a packet: Gilbert and Elliott's good state is left. @default {0} */
  burstEnterRate?: number;
  /** How likely a burst ends with a packet. @default {1} */
  burstLeaveRate?: number;
  /** Share of the packets that are lost in a burst. @default {1} */
  burstLossRate?: number;
  /** Share of the packets that arrive twice. @default {0} */
  duplicateRate?: number;
  /** Share of the packets that are held back, so that others overtake them. @default {0} */
  reorderRate?: number;
  /** Milliseconds that those are held back. @default {10} */
  reorderMs?: number;
  /** Share of the packets in which one bit is flipped. @default {0} */
  corruptRate?: number;
  /** Bytes of the pieces that a stream arrives in, on average; 0 leaves it whole. @default {0} */
  sliceBytes?: number;
  /** By how many bytes the pieces differ, to both sides. @default {0} */
  sliceVariationBytes?: number;
  /** Milliseconds between two pieces. @default {0} */
  sliceDelayMs?: number;
  /** Connections are reset after so many milliseconds. @default {Infinity} */
  resetAfterMs?: number;
  /** Connections are reset after a random time, in milliseconds on average. @default {Infinity} */
  meanLifetimeMs?: number;
  /** Connections are closed after so many milliseconds. @default {Infinity} */
  closeAfterMs?: number;
  /** Connections are closed once they have carried so many bytes. @default {Infinity} */
  limitBytes?: number;
  /** Milliseconds by which the end of a stream comes late. @default {0} */
  slowCloseMs?: number;
  /** Takes everything and passes on nothing, neither bytes nor ends. @default {false} */
  blackHole?: boolean;
  /** Never tells the one side that the other has gone. @default {false} */
  halfOpen?: boolean;
  /** An outage: packets are lost, and streams stand still until it is over. @default {false} */
  offline?: boolean;
}

/** Which way: `up` is from the side that connects to the side that is connected to. */
export type LinkDirection = "up" | "down";

/** Impairments of both directions. */
export type ByDirection<T> = Record<LinkDirection, T>;

/** The defaults of {@linkcode Impairments}. */
export const DEFAULT_IMPAIRMENTS: Required<Impairments> = {
  latencyMs: 0,
  jitterMs: 0,
  jitterReorders: false,
  bytesPerSecond: Infinity,
  burstBytes: 1500,
  queueBytes: 150_000,
  trace: [],
  lossRate: 0,
  burstEnterRate: 0,
  burstLeaveRate: 1,
  burstLossRate: 1,
  duplicateRate: 0,
  reorderRate: 0,
  reorderMs: 10,
  corruptRate: 0,
  sliceBytes: 0,
  sliceVariationBytes: 0,
  sliceDelayMs: 0,
  resetAfterMs: Infinity,
  meanLifetimeMs: Infinity,
  closeAfterMs: Infinity,
  limitBytes: Infinity,
  slowCloseMs: 0,
  blackHole: false,
  halfOpen: false,
  offline: false,
};

/** What must be more than 0: the link would stand still for ever, which is what `offline` is for. */
const POSITIVE: readonly string[] = [
  "bytesPerSecond",
  "burstBytes",
  "queueBytes",
];

/** The longest duration, a year: what is beyond is a mistake, and timers are short of it. */
export const MAX_MS = 365 * 24 * 3600 * 1000;

/**
 * Puts `given` over `base`.
 *
 * @throws {TypeError} If there is no such impairment, or its value has the wrong type.
 * @throws {RangeError} If a value makes no sense.
 *
 * @example Usage
 * ```ts
 * import { completeImpairments, DEFAULT_IMPAIRMENTS } from "./impairments.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(completeImpairments({ latencyMs: 50 }), {
 *   ...DEFAULT_IMPAIRMENTS,
 *   latencyMs: 50,
 * });
 * assertThrows(() => completeImpairments({ lossRate: 2 }), RangeError, "lossRate");
 * ```
 */
export function completeImpairments(
  given: Impairments,
  base: Required<Impairments> = DEFAULT_IMPAIRMENTS,
): Required<Impairments> {
  for (const [name, value] of Object.entries(given)) check(name, value);
  const complete = { ...base, ...given };
  if (complete.sliceVariationBytes > complete.sliceBytes) {
    refuse(
      "sliceVariationBytes",
      `at most 'sliceBytes', ${complete.sliceBytes}`,
      complete.sliceVariationBytes,
    );
  }
  return complete;
}

function check(name: string, value: unknown): void {
  if (!Object.hasOwn(DEFAULT_IMPAIRMENTS, name)) {
    throw new TypeError(
      `Cannot use a link: there is no such impairment: current value is "${name}"`,
    );
  }
  if (name === "trace") return checkTrace(value);
  const usual = DEFAULT_IMPAIRMENTS[name as keyof Impairments];
  if (typeof value !== typeof usual) {
    throw new TypeError(
      `Cannot use a link: '${name}' must be a ${typeof usual}: current value is ${
        JSON.stringify(value)
      }`,
    );
  }
  if (typeof value !== "number") return;
  if (!(value >= 0)) refuse(name, "0 or more", value);
  if (value === 0 && POSITIVE.includes(name)) refuse(name, "above 0", value);
  if (name.endsWith("Rate") && value > 1) refuse(name, "0 to 1", value);
  if (name.endsWith("Ms") && value > MAX_MS && value !== Infinity) {
    refuse(name, `at most ${MAX_MS}`, value);
  }
  if (value === Infinity && usual !== Infinity && name !== "queueBytes") {
    refuse(name, "a finite number", value);
  }
}

function checkTrace(value: unknown): void {
  const isSound = Array.isArray(value) &&
    value.every((ms, at) =>
      Number.isSafeInteger(ms) && ms >= (at === 0 ? 0 : value[at - 1])
    ) && (value.length === 0 || value.at(-1) > 0);
  if (!isSound) {
    throw new TypeError(
      "Cannot use a link: 'trace' must be whole milliseconds that never " +
        "decrease and end above 0",
    );
  }
}

function refuse(name: string, expected: string, value: unknown): never {
  throw new RangeError(
    `Cannot use a link: '${name}' must be ${expected}: current value is ${value}`,
  );
}
