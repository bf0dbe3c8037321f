/**
 * How far long work is.
 *
 * @module
 */

import { type ChartOptions, drawBar } from "./chart.ts";
import { formatCount, formatDuration } from "./format.ts";
import type { Output } from "./output.ts";
import { createStyle } from "./style.ts";
import { pad, truncate } from "./text.ts";

/** Where long work stands. */
export interface ProgressState {
  /** What is being done. */
  label: string;
  /** How much is done, in any unit. */
  done: number;
  /** How much there is; left out where nobody knows. */
  total?: number;
  /** Milliseconds since the start. */
  elapsedMs: number;
}

/** Options of {@linkcode Progress}. */
export interface ProgressOptions {
  /** What is being done. */
  label: string;
  /** How much there is to do; left out where nobody knows. */
  total?: number;
  /** Writes an amount; {@linkcode formatCount} when left out. */
  format?: (amount: number) => string;
  /** Monotonic time in milliseconds; the process's when left out. */
  now?: () => number;
}

/** A bar is drawn again at most every tenth of a second. */
const DRAW_INTERVAL_MS = 100;
/** Without a terminal a line is printed at most every five seconds. */
const LINE_INTERVAL_MS = 5000;
const BAR_COLUMNS = 24;

/**
 * Writes the state of long work in one line: label, bar, share, amount, speed,
 * and the time that is left.
 *
 * @example
 * ```ts
 * import { formatProgress } from "./progress.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const state = { label: "sending", done: 25, total: 100, elapsedMs: 1000 };
 * assertEquals(
 *   formatProgress(state, { unicode: false }),
 *   "sending [######                  ]  25%  25 of 100  25/s  3.00 s left",
 * );
 * ```
 */
export function formatProgress(
  state: ProgressState,
  options: ChartOptions & { format?: (amount: number) => string } = {},
): string {
  const { columns = 80, unicode = true, style = createStyle(false) } = options;
  const { format = formatCount } = options;
  const { label, done, total, elapsedMs } = state;
  const rate = elapsedMs > 0 ? done / elapsedMs * 1000 : 0;
  const parts = [
    total === undefined ? format(done) : `${format(done)} of ${format(total)}`,
    `${format(rate)}/s`,
  ];
  if (total !== undefined && rate > 0 && done < total) {
    parts.push(`${formatDuration((total - done) / rate * 1000)} left`);
  }
  const amounts = parts.join("  ");
  if (total === undefined) return truncate(`${label}  ${amounts}`, columns);
  const share = total > 0 ? Math.min(1, done / total) : 1;
  const percent = pad(`${Math.floor(share * 100)}%`, 4, "right");
  const bar = pad(drawBar(share * BAR_COLUMNS, unicode), BAR_COLUMNS);
  const [left, right] = unicode ? ["▕", "▏"] : ["[", "]"];
  const plain = `${label} ${left}${bar}${right} ${percent}  ${amounts}`;
  if (plain.length > columns) {
    return truncate(`${label} ${percent}  ${amounts}`, columns);
  }
  return plain.replace(bar, () => style.cyan(bar));
}

/**
 * Shows the progress of long work: a bar on a terminal, a line now and then
 * elsewhere, records with `--json`.
 *
 * @example
 * ```ts
 * import { Output } from "./output.ts";
 * import { Progress } from "./progress.ts";
 * import { assertEquals } from "@std/assert";
 *
 * let printed = "";
 * const output = new Output({ write: (text) => printed += text });
 * let now = 0;
 * const options = { label: "hashing", total: 4, now: () => now };
 * const progress = new Progress(output, options);
 * now = 2000;
 * progress.update(4);
 * progress.finish();
 * assertEquals(printed, "hashing: 4 in 2.00 s, 2/s\n");
 * ```
 */
export class Progress implements Disposable {
  readonly #output: Output;
  readonly #options: ProgressOptions;
  readonly #now: () => number;
  readonly #startedMs: number;
  #shownMs: number;
  #done = 0;
  #finished = false;

  /** Starts now; nothing is shown before the first update. */
  constructor(output: Output, options: ProgressOptions) {
    this.#output = output;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#startedMs = this.#now();
    this.#shownMs = output.drawable ? -Infinity : this.#startedMs;
  }

  /** Tells how much is done altogether; shown as often as is useful. */
  update(done: number): void {
    this.#done = done;
    const now = this.#now();
    const interval = this.#output.drawable
      ? DRAW_INTERVAL_MS
      : LINE_INTERVAL_MS;
    if (this.#finished || now - this.#shownMs < interval) return;
    this.#shownMs = now;
    const output = this.#output;
    const state = this.#state(now);
    const { format = formatCount } = this.#options;
    if (output.drawable) {
      const columns = output.columns - 1;
      const { unicode, style } = output;
      const line = formatProgress(state, { columns, unicode, style, format });
      output.write(`\r${line}\x1b[K`);
    } else {
      const line = formatProgress(state, { unicode: false, format });
      output.print(line, { type: "progress", ...state });
    }
  }

  /** Replaces the bar by a line that sums up. */
  finish(): void {
    if (this.#finished) return;
    this.#clear();
    const state = this.#state(this.#now());
    const { format = formatCount } = this.#options;
    const rate = state.elapsedMs > 0 ? state.done / state.elapsedMs * 1000 : 0;
    const time = formatDuration(state.elapsedMs);
    this.#output.print(
      `${state.label}: ${format(state.done)} in ${time}, ${format(rate)}/s`,
      { type: "finished", ...state },
    );
  }

  /** Takes the bar away, as when the work failed. */
  [Symbol.dispose](): void {
    this.#clear();
  }

  #clear(): void {
    if (!this.#finished && this.#output.drawable) {
      this.#output.write("\r\x1b[K");
    }
    this.#finished = true;
  }

  #state(now: number): ProgressState {
    const { label, total } = this.#options;
    return {
      label,
      done: this.#done,
      ...(total === undefined ? {} : { total }),
      elapsedMs: now - this.#startedMs,
    };
  }
}
