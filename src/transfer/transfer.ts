import { type Clock, sleep } from "../io/clock.ts";
import type { TransferEntry } from "../proto/transfer/entry.ts";
import { noCounts, type TransferCounts } from "../proto/transfer/counts.ts";
import type { Result, TransferOutcome } from "../proto/transfer/messages.ts";
import type { ScanProblem } from "./tree_scan.ts";

/** How far a transfer is. */
export interface TransferProgress extends Readonly<TransferCounts> {
  /** Milliseconds since the start. */
  readonly elapsedMs: number;
  /** Bytes settled in a second, on average. */
  readonly bytesPerSecond: number;
  /** Milliseconds until everything is settled, at that rate; undefined while there is none. */
  readonly leftMs: number | undefined;
}

/** Something that did not arrive. */
export interface TransferProblem {
  /** Its path in the tree, or on the sender's machine if it never got into the tree. */
  readonly path: string;
  /** What became of it. */
  readonly outcome: TransferOutcome;
  /** More, in words for a person; they may be the peer's. */
  readonly detail: string;
}

/** What a transfer came to. */
export interface TransferSummary extends TransferProgress {
  /** What did not arrive; empty if all of it is there and proven. */
  readonly problems: readonly TransferProblem[];
}

/** A loop over a transfer sees its progress this often. */
const PROGRESS_MS = 100;

/**
 * A transfer under way. A loop over it yields its progress, ten times a second, until it ends; `summary` tells what it
 * came to.
 */
export interface Transfer extends AsyncIterable<TransferProgress> {
  /** What it came to. Rejects if it broke off; started again, it then goes on where it was. */
  readonly summary: Promise<TransferSummary>;
  /** How far it is. */
  readonly progress: TransferProgress;
  /** What did not arrive, so far. */
  readonly problems: readonly TransferProblem[];
}

/** A transfer, as those see it who do its work. */
export class RunningTransfer implements Transfer {
  readonly summary: Promise<TransferSummary>;
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #problems: TransferProblem[] = [];
  readonly #done = new AbortController();
  /** Bytes that tries moved which broke off. */
  #movedBefore = 0;
  #counts: Readonly<TransferCounts> = noCounts();

  /** Does `work`, which resolves when everything is settled. */
  constructor(
    clock: Clock,
    work: (transfer: RunningTransfer) => Promise<void>,
  ) {
    this.#clock = clock;
    this.#startedMs = clock.now();
    this.summary = new Promise<void>((resolve) => resolve(work(this)))
      .then(() => ({ ...this.progress, problems: this.#problems }))
      .finally(() => this.#done.abort());
    // Who only looks at the progress is told by the loop's end.
    this.summary.catch(() => {});
  }

  get progress(): TransferProgress {
    const counts = this.#counts;
    const movedBytes = this.#movedBefore + counts.movedBytes;
    const elapsedMs = this.#clock.now() - this.#startedMs;
    const perMs = counts.settledBytes / Math.max(elapsedMs, 1);
    return {
      ...counts,
      movedBytes,
      elapsedMs,
      bytesPerSecond: perMs * 1000,
      leftMs: perMs > 0
        ? (counts.bytes - counts.settledBytes) / perMs
        : undefined,
    };
  }

  get problems(): readonly TransferProblem[] {
    return this.#problems;
  }

  /** Begins a try, and takes the progress from its machine. */
  count(counts: Readonly<TransferCounts>): void {
    this.#movedBefore += this.#counts.movedBytes;
    this.#counts = counts;
    this.#problems.length = 0;
  }

  /** Notes what became of an entry. */
  settled({ path }: TransferEntry, { outcome, detail }: Result): void {
    if (outcome === "stored" || outcome === "present") return;
    this.#problems.push({ path, outcome, detail });
  }

  /** Notes what cannot be sent. */
  unreadable({ local, reason }: ScanProblem): void {
    this.#problems.push({ path: local, outcome: "unreadable", detail: reason });
  }

  async *[Symbol.asyncIterator](): AsyncIterator<TransferProgress> {
    const { signal } = this.#done;
    while (!signal.aborted) {
      yield this.progress;
      await sleep(this.#clock, PROGRESS_MS, signal);
    }
    yield this.progress;
  }
}
