/**
 * From samples to medians, ratios and verdicts, as data and as text.
 *
 * @module
 */

import {
  type Bar,
  type Load,
  MAX_DISTURBED,
  type Sample,
  type Suite,
} from "./suite.ts";

/** What one server did under one load. */
export interface Result {
  readonly server: string;
  readonly title: string;
  readonly ours: boolean;
  /** Medians of every value that was measured. */
  readonly medians: Readonly<Record<string, number>>;
  /** Our median divided by this server's. */
  readonly ratio?: number;
}

/** A bar and whether it was reached. */
export interface Verdict extends Bar {
  readonly metric: string;
  /** The ratio, or the value itself; NaN if it was not measured. */
  readonly value: number;
  readonly verdict: "pass" | "miss" | "not measured";
}

/** A load and all that was measured under it. */
export interface LoadReport extends Load {
  readonly results: readonly Result[];
  readonly verdicts: readonly Verdict[];
}

/** A suite, measured. */
export interface SuiteReport {
  readonly name: string;
  readonly title: string;
  readonly loads: readonly LoadReport[];
  readonly samples: readonly Sample[];
  /** Servers that were left out, and why. */
  readonly absent: Readonly<Record<string, string>>;
}

/** The middle of `values`; NaN if there are none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
}

function isCalm({ values }: Sample): boolean {
  return (values.disturbed ?? 0) <= MAX_DISTURBED;
}

/** The median of a server's values; of those that nothing disturbed, if any. */
function medianOf(
  samples: readonly Sample[],
  server: string,
  metric: string,
): number {
  const own = samples.filter((sample) => sample.server === server);
  const calm = own.filter(isCalm);
  return median(
    (calm.length > 0 ? calm : own).map(({ values }) => values[metric] ?? NaN),
  );
}

function judge(bar: Bar, load: Load, samples: readonly Sample[]): Verdict {
  const { server, peer, atLeast = -Infinity, atMost = Infinity } = bar;
  const metric = bar.metric ?? load.metric;
  const own = medianOf(samples, server, metric);
  const value = peer === undefined
    ? own
    : own / medianOf(samples, peer, metric);
  const verdict = Number.isNaN(value)
    ? "not measured"
    : value >= atLeast && value <= atMost
    ? "pass"
    : "miss";
  return { ...bar, metric, value, verdict };
}

function resultsOf(
  suite: Suite,
  load: Load,
  samples: readonly Sample[],
): Result[] {
  const ours = suite.servers.find((server) => server.ours)?.name;
  return suite.servers.flatMap((server) => {
    const { name, title } = server;
    const first = samples.find((sample) => sample.server === name);
    if (first === undefined) return [];
    const medians = Object.fromEntries(
      Object.keys(first.values).map((key) => [
        key,
        medianOf(samples, name, key),
      ]),
    );
    const result = { server: name, title, ours: name === ours, medians };
    if (ours === undefined || ours === name) return [result];
    const { metric } = load;
    const ratio = medianOf(samples, ours, metric) / (medians[metric] ?? NaN);
    return Number.isNaN(ratio) ? [result] : [{ ...result, ratio }];
  });
}

/** Sums up what was measured in a suite. */
export function report(
  suite: Suite,
  samples: readonly Sample[],
  absent: ReadonlyMap<string, string>,
): SuiteReport {
  const loads = suite.loads.map((load) => {
    const own = samples.filter((sample) => sample.load === load.name);
    const verdicts = suite.bars.filter((bar) => bar.load === load.name)
      .map((bar) => judge(bar, load, own));
    return { ...load, results: resultsOf(suite, load, own), verdicts };
  });
  return {
    name: suite.name,
    title: suite.title,
    loads,
    samples,
    absent: Object.fromEntries(absent),
  };
}

/** A number with thousands apart, and with decimals only if it is small. */
export function format(value: number): string {
  const digits = Math.abs(value) < 100 && !Number.isInteger(value) ? 2 : 0;
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** What a bar asks for and got, in words. */
export function verdictText(bar: Verdict): string {
  const { peer, value, atLeast, atMost, metric, verdict } = bar;
  const [word, limit] = atLeast === undefined
    ? ["at most", atMost]
    : ["at least", atLeast];
  const got = verdict === "not measured"
    ? ""
    : peer === undefined
    ? `${metric} ${format(value)}, `
    : `${format(value)} x ${peer}, `;
  return `${verdict}: ${got}${word} ${format(limit ?? NaN)}`;
}

/** Processor time for each message, where it was measured. */
export function cpuText(medians: Result["medians"]): string {
  const { cpuNs = NaN } = medians;
  return Number.isNaN(cpuNs) ? "" : `${format(Math.round(cpuNs))} ns`;
}

/** The report as lines for a terminal. */
export function text(suite: SuiteReport): string {
  const lines = [suite.title];
  for (const load of suite.loads) {
    const timed = load.results.some(({ medians }) => cpuText(medians) !== "");
    const columns = load.unit + (timed ? ", processor time each" : "");
    lines.push(`  ${load.title} (${columns})`);
    for (const { server, title, medians, ratio } of load.results) {
      const value = format(medians[load.metric] ?? NaN);
      const remarks = load.verdicts
        .filter((bar) => (bar.peer ?? bar.server) === server).map(verdictText);
      if (remarks.length === 0 && ratio !== undefined) {
        remarks.push(`ours / this = ${format(ratio)}`);
      }
      const start = `    ${title.padEnd(28)}${value.padStart(14)}` +
        `${cpuText(medians).padStart(12)}   `;
      const indent = "\n" + " ".repeat(start.length);
      lines.push((start + remarks.join(indent)).trimEnd());
    }
  }
  const disturbed = suite.samples.filter((one) => !isCalm(one)).length;
  if (disturbed > 0) {
    const all = suite.samples.length;
    lines.push(
      `  disturbed by other programs: ${disturbed} of ${all} measurements`,
    );
  }
  for (const [server, reason] of Object.entries(suite.absent)) {
    lines.push(`  left out: ${server}: ${reason}`);
  }
  return lines.join("\n");
}
