/**
 * Charts made of characters.
 *
 * @module
 */

import { formatDuration } from "./format.ts";
import { logBuckets, summarize, type Summary } from "./statistics.ts";
import { createStyle, type Style } from "./style.ts";
import { displayWidth, pad, stripStyle, truncate } from "./text.ts";

/** What all charts take; {@linkcode Output} has these properties. */
export interface ChartOptions {
  /**
   * Columns there are.
   *
   * @default {80}
   */
  columns?: number;
  /**
   * Whether more than ASCII can be shown.
   *
   * @default {true}
   */
  unicode?: boolean;
  /** Colours; none when left out. */
  style?: Style;
}

/** A row of {@linkcode drawBars}. */
export interface Bar {
  /** What is measured, on the left. */
  label: string;
  /** How long the bar is. */
  value: number;
  /** What stands on the right of the bar. */
  note?: string;
}

/** Options of {@linkcode drawTable}. */
export interface TableOptions extends ChartOptions {
  /** Titles of the columns. */
  header?: readonly string[];
  /** Alignment of each column; numbers want `"right"`. */
  align?: readonly ("left" | "right")[];
}

const NO_STYLE = createStyle(false);
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const LEVELS = "▁▂▃▄▅▆▇█";
const ASCII_LEVELS = "_.-=+*%#";

/**
 * Draws a horizontal bar for each row, the longest over all the room there is.
 *
 * @example
 * ```ts
 * import { drawBars } from "./chart.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const bars = [{ label: "ours", value: 4 }, { label: "theirs", value: 1 }];
 * assertEquals(drawBars(bars, { columns: 16 }), "ours   █████████\ntheirs ██▎");
 * ```
 */
export function drawBars(
  bars: readonly Bar[],
  options: ChartOptions = {},
): string {
  const { columns = 80, unicode = true, style = NO_STYLE } = options;
  const labelWidth = widest(bars.map(({ label }) => label));
  const noteWidth = widest(bars.map(({ note }) => note ?? ""));
  const noteRoom = noteWidth === 0 ? 0 : noteWidth + 1;
  const room = Math.max(1, columns - labelWidth - 1 - noteRoom);
  const most = Math.max(...bars.map(({ value }) => value), 0);
  return bars.map(({ label, value, note = "" }) => {
    const bar = drawBar(most === 0 ? 0 : value / most * room, unicode);
    const drawn = note === "" ? bar : pad(bar, room);
    const row = `${pad(label, labelWidth)} ${style.cyan(drawn)} ${note}`;
    return row.trimEnd();
  }).join("\n");
}

/**
 * Draws the distribution of latencies in milliseconds: buckets that grow by a
 * factor, with their share, and where the median and the slowest are.
 *
 * @example
 * ```ts
 * import { drawHistogram } from "./chart.ts";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const drawn = drawHistogram([0.11, 0.12, 0.13, 0.14, 2.5], { columns: 60 });
 * assertStringIncludes(drawn, "p50");
 * ```
 */
export function drawHistogram(
  latenciesMs: Iterable<number>,
  options: ChartOptions = {},
): string {
  const samples = [...latenciesMs];
  const summary = summarize(samples);
  const marks = [
    ["p50", summary.p50],
    ["p90", summary.p90],
    ["p99", summary.p99],
    ["max", summary.max],
  ] as const;
  const arrow = options.unicode ?? true ? "◀" : "<";
  const bars = logBuckets(samples).map(({ from, to, count }): Bar => {
    const here = marks.filter(([, value]) => value >= from && value < to)
      .map(([name]) => name);
    const share = `${(count / samples.length * 100).toFixed(1)}%`;
    const mark = here.length === 0 ? "" : ` ${arrow} ${here.join(" ")}`;
    const sign = options.unicode ?? true ? "≥" : ">=";
    return {
      label: pad(`${sign} ${asciiUnits(formatDuration(from), options)}`, 9),
      value: count,
      note: pad(share, 6, "right") + mark,
    };
  });
  return drawBars(bars, options);
}

/**
 * Draws values as one row of little bars, resampled to the room there is.
 *
 * @example
 * ```ts
 * import { drawSparkline } from "./chart.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(drawSparkline([0, 1, 2, 4, 8]), "▁▁▂▄█");
 * ```
 */
export function drawSparkline(
  values: readonly number[],
  options: ChartOptions = {},
): string {
  const { columns = 80, unicode = true, style = NO_STYLE } = options;
  const levels = unicode ? LEVELS : ASCII_LEVELS;
  const shown = resample(values, columns);
  const most = Math.max(...shown, 0);
  const drawn = shown.map((value) => {
    const level = most === 0 ? 0 : Math.round(value / most * levels.length) - 1;
    return levels[Math.max(0, level)];
  });
  return style.cyan(drawn.join(""));
}

/**
 * Draws rows in aligned columns. Cells may have colours; the last column is cut
 * where the screen ends.
 *
 * @example
 * ```ts
 * import { drawTable } from "./chart.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const rows = [["ann", "12"], ["港", "7"]];
 * assertEquals(
 *   drawTable(rows, { header: ["who", "sent"], align: ["left", "right"] }),
 *   "who  sent\nann    12\n港      7",
 * );
 * ```
 */
export function drawTable(
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string {
  const { columns = 80, style = NO_STYLE, header, align = [] } = options;
  const head = header?.map((title) => style.bold(title));
  const all = head ? [head, ...rows] : rows;
  const count = Math.max(0, ...all.map((row) => row.length));
  const widths = Array.from(
    { length: count },
    (_, index) => widest(all.map((row) => row[index] ?? "")),
  );
  return all.map((row) => {
    const cells = row.map((cell, index) =>
      pad(cell, widths[index]!, align[index])
    );
    const line = cells.join("  ").trimEnd();
    const fits = displayWidth(line) <= columns;
    return fits ? line : truncate(stripStyle(line), columns, ending(options));
  }).join("\n");
}

/**
 * Writes percentiles of latencies in milliseconds in one line.
 *
 * @example
 * ```ts
 * import { drawPercentiles } from "./chart.ts";
 * import { summarize } from "./statistics.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   drawPercentiles(summarize([1, 2])),
 *   "min 1.00 ms  p50 1.00 ms  p90 2.00 ms  p99 2.00 ms  p99.9 2.00 ms  max 2.00 ms",
 * );
 * ```
 */
export function drawPercentiles(
  summary: Summary,
  options: ChartOptions = {},
): string {
  const { style = NO_STYLE } = options;
  const parts: [string, number][] = [
    ["min", summary.min],
    ["p50", summary.p50],
    ["p90", summary.p90],
    ["p99", summary.p99],
    ["p99.9", summary.p999],
    ["max", summary.max],
  ];
  return parts.map(([name, value]) =>
    `${style.dim(name)} ${asciiUnits(formatDuration(value), options)}`
  ).join("  ");
}

/**
 * Draws one bar, `length` columns long, to an eighth of a column.
 *
 * @example
 * ```ts
 * import { drawBar } from "./chart.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(drawBar(2.5), "██▌");
 * assertEquals(drawBar(2.5, false), "###");
 * ```
 */
export function drawBar(length: number, unicode = true): string {
  if (!unicode) return "#".repeat(Math.round(length));
  const eighths = Math.round(length * 8);
  // Something is never drawn as nothing.
  const shown = length > 0 ? Math.max(1, eighths) : 0;
  return "█".repeat(Math.floor(shown / 8)) + EIGHTHS[shown % 8];
}

/** The greatest value of each of at most `columns` equal parts. */
function resample(values: readonly number[], columns: number): number[] {
  if (values.length <= columns) return [...values];
  return Array.from({ length: columns }, (_, index) => {
    const from = Math.floor(index * values.length / columns);
    const to = Math.floor((index + 1) * values.length / columns);
    return Math.max(...values.slice(from, to));
  });
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map(displayWidth));
}

function ending({ unicode = true }: ChartOptions): string {
  return unicode ? "…" : "...";
}

function asciiUnits(text: string, { unicode = true }: ChartOptions): string {
  return unicode ? text : text.replace("µ", "u");
}
