/** Reads in a second of a slow reader: it takes its bytes in as many parts. */
const READS_PER_SECOND = 20;

/** Holds a reader to a rate. Pure: the caller brings the time. */
export class ReadPace {
  #againMs = 0;

  /** How many of `wanted` bytes may be read now. */
  allowance(wanted: number, bytesPerSecond: number, nowMs: number): number {
    if (bytesPerSecond === Infinity) return wanted;
    if (bytesPerSecond === 0 || nowMs < this.#againMs) return 0;
    const part = Math.max(Math.floor(bytesPerSecond / READS_PER_SECOND), 1);
    return Math.min(part, wanted);
  }

  /** Counts bytes that were read; returns how long to wait before the next ones. */
  read(count: number, bytesPerSecond: number, nowMs: number): number {
    const pauseMs = count / bytesPerSecond * 1000;
    this.#againMs = nowMs + pauseMs;
    return pauseMs;
  }

  /** Lets the next read come at once. */
  reset(): void {
    this.#againMs = 0;
  }
}
