import type { LogLine } from "./log_line.ts";

/** How many subjects of one kind are worth a line each before the rest are counted. */
const MAX_SUBJECTS = 5;

/** A kind that was told a short while ago. */
interface Told {
  line: LogLine;
  subjects: Set<string>;
  /** Events since the last line. */
  count: number;
  sinceMs: number;
}

/** Events that were not told one by one. */
export interface Repeated {
  /** The last of them. */
  line: LogLine;
  /** How many. */
  count: number;
  /** Since when, in milliseconds of the caller's clock. */
  sinceMs: number;
}

/**
 * Decides which events are told and which are counted: of each kind, one event of each of the first few subjects is
 * told, and what follows is counted until the kind has been quiet for a whole period. What it remembers is bounded by
 * the number of kinds.
 */
export class Repetition {
  readonly #told = new Map<string, Told>();

  /** Whether anything is remembered, so that `period` must be called. */
  get active(): boolean {
    return this.#told.size > 0;
  }

  /** Whether `line` is to be told; otherwise it is counted. */
  tell(line: LogLine, nowMs: number): boolean {
    if (line.kind === "") return true;
    let told = this.#told.get(line.kind);
    if (told === undefined) {
      told = { line, subjects: new Set(), count: 0, sinceMs: nowMs };
      this.#told.set(line.kind, told);
    }
    const { subjects } = told;
    if (subjects.size < MAX_SUBJECTS && !subjects.has(line.subject)) {
      subjects.add(line.subject);
      return true;
    }
    told.line = line;
    told.count++;
    return false;
  }

  /** Ends a period: what was counted in it. Kinds that were quiet are forgotten. */
  period(nowMs: number): Repeated[] {
    const repeated: Repeated[] = [];
    for (const [kind, told] of this.#told) {
      const { line, count, sinceMs } = told;
      if (count === 0) {
        this.#told.delete(kind);
        continue;
      }
      repeated.push({ line, count, sinceMs });
      told.count = 0;
      told.sinceMs = nowMs;
    }
    return repeated;
  }
}
