import type { Impairments } from "./impairments.ts";

/** What one line of a trace lets pass: mahimahi's MTU. */
export const TRACE_BYTES = 1500;

/**
 * The narrow place of a link: tells when what waits in front of it gets through. A token bucket, or the delivery
 * opportunities of a trace, each of which is wasted if nothing waits.
 */
export class Bottleneck {
  #impairments: Required<Impairments>;
  /** Tokens at `#atMs`; what did not fit the bucket is owed. */
  #tokens: number;
  #atMs: number;
  /** Where the trace began, the next opportunity in it, and what is left of the one before. */
  readonly #startMs: number;
  #next = 0;
  #leftBytes = 0;
  #leftAtMs = -Infinity;

  /** Starts idle at `nowMs`. */
  constructor(impairments: Required<Impairments>, nowMs: number) {
    this.#impairments = impairments;
    this.#tokens = impairments.burstBytes;
    this.#atMs = this.#startMs = nowMs;
  }

  /** Behaves by `impairments` from `nowMs` on. */
  change(impairments: Required<Impairments>, nowMs: number): void {
    this.#earn(nowMs);
    // What was promised to the head of the queue is off: it is passed again.
    if (this.#atMs > nowMs) this.#atMs = nowMs;
    const hasNewTrace = impairments.trace !== this.#impairments.trace;
    this.#impairments = impairments;
    this.#tokens = Math.min(this.#tokens, impairments.burstBytes);
    if (hasNewTrace) {
      this.#next = 0;
      this.#leftBytes = 0;
    }
  }

  /** Takes a packet that came to the head at `fromMs`, and returns when it is through. */
  pass(bytes: number, fromMs: number): number {
    return this.#impairments.trace.length > 0
      ? this.#passTrace(bytes, fromMs)
      : this.#passBucket(bytes, fromMs);
  }

  #earn(nowMs: number): void {
    const { bytesPerSecond, burstBytes } = this.#impairments;
    if (nowMs <= this.#atMs) return;
    const earned = bytesPerSecond === Infinity
      ? burstBytes
      : (nowMs - this.#atMs) / 1000 * bytesPerSecond;
    this.#tokens = Math.min(this.#tokens + earned, burstBytes);
    this.#atMs = nowMs;
  }

  #passBucket(bytes: number, fromMs: number): number {
    const { bytesPerSecond } = this.#impairments;
    if (bytesPerSecond === Infinity) return fromMs;
    const startMs = Math.max(fromMs, this.#atMs);
    this.#earn(startMs);
    const missing = bytes - this.#tokens;
    if (missing <= 0) {
      this.#tokens -= bytes;
      return startMs;
    }
    this.#tokens = 0;
    return this.#atMs = startMs + missing / bytesPerSecond * 1000;
  }

  #passTrace(bytes: number, fromMs: number): number {
    const { trace } = this.#impairments;
    const periodMs = trace.at(-1)!;
    const opportunityMs = () =>
      this.#startMs + trace[this.#next % trace.length]! +
      Math.floor(this.#next / trace.length) * periodMs;
    if (fromMs > this.#leftAtMs) this.#leftBytes = 0;
    // A long pause is skipped by whole turns of the trace.
    const turns = Math.floor((fromMs - opportunityMs()) / periodMs) - 1;
    if (turns > 0) this.#next += turns * trace.length;
    while (opportunityMs() < fromMs) this.#next++;
    let missing = bytes - this.#leftBytes;
    this.#leftBytes = Math.max(0, -missing);
    let throughMs = Math.max(fromMs, this.#leftAtMs);
    while (missing > 0) {
      throughMs = this.#leftAtMs = opportunityMs();
      this.#next++;
      this.#leftBytes = Math.max(0, TRACE_BYTES - missing);
      missing -= TRACE_BYTES;
    }
    return throughMs;
  }
}
