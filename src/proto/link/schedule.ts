import { type Impairments, type LinkDirection, MAX_MS } from "./impairments.ts";

/** What changes at a time. */
export interface ScheduledChange {
  /** Milliseconds from the beginning. */
  atMs: number;
  /** Again after so many milliseconds, for ever. @default {Infinity} */
  everyMs?: number;
  /** The one direction that changes; both if it is left out. */
  direction?: LinkDirection;
  /** What it changes to. */
  set: Impairments;
}

/** How many changes a schedule may have. */
export const MAX_CHANGES = 10_000;

/**
 * Outages of `forMs`, one at the end of every `everyMs`.
 *
 * @throws {RangeError} If an outage would never end.
 *
 * @example Usage
 * ```ts
 * import { outages } from "./schedule.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(outages(10_000, 60_000), [
 *   { atMs: 50_000, everyMs: 60_000, set: { offline: true } },
 *   { atMs: 60_000, everyMs: 60_000, set: { offline: false } },
 * ]);
 * ```
 */
export function outages(forMs: number, everyMs: number): ScheduledChange[] {
  if (!(forMs > 0 && forMs < everyMs)) {
    throw new RangeError(
      `Cannot schedule outages: each must be above 0 and shorter than ${everyMs} ms: current value is ${forMs}`,
    );
  }
  return [
    { atMs: everyMs - forMs, everyMs, set: { offline: true } },
    { atMs: everyMs, everyMs, set: { offline: false } },
  ];
}

/** Tells which changes are due. Pure: call `advance` at `dueMs`. */
export class Schedule {
  readonly #startMs: number;
  readonly #apply: (change: ScheduledChange) => void;
  readonly #changes: { change: ScheduledChange; dueMs: number }[];

  /**
   * Begins at `startMs`; `apply` is called with each change, in order of time.
   *
   * @throws {RangeError} If a time makes no sense, or there are too many changes.
   */
  constructor(
    changes: readonly ScheduledChange[],
    startMs: number,
    apply: (change: ScheduledChange) => void,
  ) {
    if (changes.length > MAX_CHANGES) {
      throw new RangeError(
        `Cannot use a schedule: it has more than ${MAX_CHANGES} changes: current value is ${changes.length}`,
      );
    }
    for (const { atMs, everyMs = Infinity } of changes) {
      if (!(atMs >= 0 && atMs <= MAX_MS)) refuse("atMs", "0 or more", atMs);
      // A change every millisecond is the finest that timers can follow.
      if (!(everyMs >= 1)) refuse("everyMs", "1 or more", everyMs);
    }
    this.#startMs = startMs;
    this.#apply = apply;
    this.#changes = changes.map((change) => ({
      change,
      dueMs: startMs + change.atMs,
    }));
  }

  /** When the next change is due. */
  get dueMs(): number {
    return this.#next()?.dueMs ?? Infinity;
  }

  /** When it began. */
  get startMs(): number {
    return this.#startMs;
  }

  /** Applies what is due. */
  advance(nowMs: number): void {
    for (let next = this.#next(); next && next.dueMs <= nowMs;) {
      const { change } = next;
      next.dueMs += change.everyMs ?? Infinity;
      this.#apply(change);
      next = this.#next();
    }
  }

  #next(): { change: ScheduledChange; dueMs: number } | undefined {
    let first = this.#changes[0];
    for (const entry of this.#changes) {
      if (entry.dueMs < first!.dueMs) first = entry;
    }
    return first;
  }
}

function refuse(name: string, expected: string, value: number): never {
  throw new RangeError(
    `Cannot use a schedule: '${name}' must be ${expected}: current value is ${value}`,
  );
}
