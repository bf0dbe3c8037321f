import { seededRandom } from "../../bytes/random.ts";
import { TRACE_BYTES } from "./bottleneck.ts";

/** Lines that a trace may have: a quarter of an hour at 110 Mbit/s. */
export const MAX_TRACE_LINES = 10_000_000;

/**
 * Reads a trace in mahimahi's format: on each line a whole number of milliseconds, at which 1,500 bytes can pass. Lines
 * that begin with # are passed over.
 *
 * @throws {SyntaxError} If a line is no such number, if they decrease, or if there is none above 0; names the line.
 *
 * @example Usage
 * ```ts
 * import { parseTrace } from "./trace.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseTrace("0\n5\n5\n12\n"), [0, 5, 5, 12]);
 * ```
 */
export function parseTrace(text: string): number[] {
  const trace: number[] = [];
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const ms = Number(trimmed);
    if (!/^\d{1,15}$/.test(trimmed)) {
      refuse(index, "whole milliseconds are expected", trimmed);
    }
    if (ms < (trace.at(-1) ?? 0)) {
      refuse(index, `it is before ${trace.at(-1)}, the line above`, trimmed);
    }
    if (trace.push(ms) > MAX_TRACE_LINES) {
      refuse(index, `there are more than ${MAX_TRACE_LINES} lines`, trimmed);
    }
  }
  if (!(trace.at(-1)! > 0)) {
    throw new SyntaxError(
      "Cannot read trace: its last line must be above 0: current value is " +
        (trace.at(-1) ?? "an empty trace"),
    );
  }
  return trace;
}

function refuse(index: number, reason: string, value: string): never {
  throw new SyntaxError(
    `Cannot read trace: line ${index + 1}: ${reason}: current value is "${
      value.slice(0, 40)
    }"`,
  );
}

/**
 * Writes a trace in mahimahi's format.
 *
 * @example Usage
 * ```ts
 * import { formatTrace, parseTrace } from "./trace.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseTrace(formatTrace([1, 1, 3])), [1, 1, 3]);
 * ```
 */
export function formatTrace(trace: readonly number[]): string {
  return trace.map((ms) => `${ms}\n`).join("");
}

/** Options of {@linkcode generateTrace}. */
export interface TraceOptions {
  /** How long it lasts. */
  durationMs: number;
  /** Bytes per second that it begins with, and returns to. */
  meanBytesPerSecond: number;
  /** What chance is drawn from. */
  seed: number;
  /** Packets per second by which the rate wanders in a second: the standard deviation. @default {200} */
  wanderPackets?: number;
  /** Outages that end per second: 1 makes them last a second on average. @default {1} */
  outageEndsPerSecond?: number;
}

/** The steps in which the rate wanders, as in Sprout. */
const STEP_MS = 20;

/** How fast the rate comes back to its mean. */
const RETURN_MS = 10_000;

/**
 * Makes up a trace of a cellular link, by the model of Sprout (Winstein, Sivaraman, Balakrishnan, NSDI 2013): packets
 * come through at random, at a rate that itself wanders at random, and stays at 0 for a while whenever it gets there. A
 * pull back to the mean is added, so that a long trace keeps its rate.
 *
 * @throws {RangeError} If an option makes no sense.
 *
 * @example Usage
 * ```ts
 * import { generateTrace } from "./trace.ts";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const options = { durationMs: 60_000, meanBytesPerSecond: 1e6, seed: 7 };
 * const trace = generateTrace(options);
 * assertEquals(trace, generateTrace(options));
 * assertEquals(trace.at(-1), 60_000);
 * assert(trace.length > 20_000 && trace.length < 60_000);
 * ```
 */
export function generateTrace(options: TraceOptions): number[] {
  const {
    durationMs,
    meanBytesPerSecond,
    seed,
    wanderPackets = 200,
    outageEndsPerSecond = 1,
  } = options;
  const mean = meanBytesPerSecond / TRACE_BYTES;
  for (
    const [name, value] of Object.entries({
      durationMs,
      meanBytesPerSecond,
      outageEndsPerSecond,
    })
  ) {
    if (!(value > 0 && value < Infinity)) {
      throw new RangeError(
        `Cannot make a trace: '${name}' must be above 0: current value is ${value}`,
      );
    }
  }
  if (mean * durationMs / 1000 > MAX_TRACE_LINES / 2) {
    throw new RangeError(
      `Cannot make a trace: it would have more than ${
        MAX_TRACE_LINES / 2
      } lines: current value is ${Math.round(mean * durationMs / 1000)}`,
    );
  }
  const random = seededRandom(seed);
  const step = STEP_MS / 1000;
  const trace: number[] = [];
  let rate = mean;
  let nextMs = 0;
  for (let atMs = 0; atMs < durationMs; atMs += STEP_MS) {
    if (rate > 0 || random() < outageEndsPerSecond * step) {
      const pull = (mean - rate) * STEP_MS / RETURN_MS;
      rate = Math.max(
        0,
        rate + pull + normal(random) * wanderPackets * Math.sqrt(step),
      );
    }
    const endMs = Math.min(atMs + STEP_MS, durationMs);
    // Without memory: an interval that was cut off by the end of a step may begin anew.
    nextMs = atMs;
    while (rate > 0) {
      nextMs += -Math.log(1 - random()) / rate * 1000;
      if (nextMs >= endMs) break;
      trace.push(Math.floor(nextMs));
    }
  }
  // The last line is where the trace begins anew.
  trace.push(Math.ceil(durationMs));
  return trace;
}

/** A number of the normal distribution, by Box and Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) *
    Math.cos(2 * Math.PI * random());
}
