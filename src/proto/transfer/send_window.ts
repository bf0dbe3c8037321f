import { RemoteProtocolError } from "../errors.ts";
import { LEAF_BYTES } from "./tree.ts";

/** A window no smaller than this keeps both sides busy, and no more than this is sent twice after a crash. */
const MIN_WINDOW_BYTES = 2 * LEAF_BYTES;
/** A window no larger than this fills a line of 1 Gbit/s and 130 ms, and still fits into memory. */
const MAX_WINDOW_BYTES = 16 * 1024 * 1024;
/** Below this round trip time the smallest window is enough for any line. */
const SHORT_ROUND_TRIP_MS = 4;

/** The round trips to measure before the window may grow: the first ones tell of a program that is starting. */
const MEASURED_FIRST = 8;
/** Even an empty leaf takes this much of the window. */
const MIN_COST_BYTES = 1024;

/** A leaf on its way. */
export interface InFlight {
  /** Number of its file's entry. */
  readonly index: number;
  /** How long it is. */
  readonly bytes: number;
  /** What it takes of the window. */
  readonly cost: number;
  /** When it was sent. */
  readonly sentMs: number;
  /** Bytes settled when it was sent, to measure the rate by. */
  readonly settledBytes: number;
}

/**
 * How much may be on its way and not settled by the receiver: two leaves on a short line, and twice the product of
 * bandwidth and delay, as measured, on a long one. What is on its way is what a crash may cost.
 */
export class SendWindow {
  /** Bytes that may be on their way. */
  bytes: number = MIN_WINDOW_BYTES;
  readonly #inFlight: InFlight[] = [];
  #inFlightBytes = 0;
  #settledLeaves = 0;
  #settledBytes = 0;
  #shortestMs = Infinity;
  #measured = 0;

  /** Counts a leaf of `bytes` of the file `index` as sent if there is room for it. */
  admit(index: number, bytes: number, nowMs: number): boolean {
    const cost = Math.max(bytes, MIN_COST_BYTES);
    const isFull = this.#inFlightBytes + cost > this.bytes;
    if (isFull) return false;
    this.#inFlightBytes += cost;
    const settledBytes = this.#settledBytes;
    this.#inFlight.push({ index, bytes, cost, sentMs: nowMs, settledBytes });
    return true;
  }

  /**
   * Counts leaves as settled, `leaves` altogether, and returns those that are new.
   *
   * @throws {RemoteProtocolError} If that many were not sent.
   */
  settle(leaves: number, nowMs: number): readonly InFlight[] {
    const count = leaves - this.#settledLeaves;
    if (count < 0 || count > this.#inFlight.length) {
      throw new RemoteProtocolError(
        "invalid_message",
        `Cannot go on sending: ${leaves} leaves are settled: ${
          this.#settledLeaves + this.#inFlight.length
        } were sent`,
      );
    }
    this.#settledLeaves = leaves;
    const settled = this.#inFlight.splice(0, count);
    for (const { bytes, cost } of settled) {
      this.#settledBytes += bytes;
      this.#inFlightBytes -= cost;
    }
    const last = settled.at(-1);
    if (last !== undefined) this.#measure(last, nowMs);
    return settled;
  }

  #measure({ sentMs, settledBytes }: InFlight, nowMs: number): void {
    const roundTripMs = Math.max(nowMs - sentMs, 0.01);
    this.#shortestMs = Math.min(this.#shortestMs, roundTripMs);
    if (++this.#measured <= MEASURED_FIRST) return;
    if (this.#shortestMs < SHORT_ROUND_TRIP_MS) {
      this.bytes = MIN_WINDOW_BYTES;
      return;
    }
    const bytesPerMs = (this.#settledBytes - settledBytes) / roundTripMs;
    const wanted = 2 * bytesPerMs * this.#shortestMs;
    this.bytes = Math.max(
      this.bytes,
      Math.min(wanted, MAX_WINDOW_BYTES),
    );
  }
}
