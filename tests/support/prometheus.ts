/** One line of figures. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** What belongs to one name. */
export interface Family {
  type: string;
  samples: Sample[];
}

const SAMPLE_REGEXP =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]Inf|[+-]?\d[\d.]*(?:e[+-]?\d+)?)$/;
const LABEL_REGEXP =
  /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y;

/**
 * Reads a page in Prometheus's text format 0.0.4 as strictly as `promtool check metrics` and the format's description.
 *
 * @throws {SyntaxError} If it breaks the format.
 */
export function parsePrometheus(page: string): Map<string, Family> {
  if (!page.endsWith("\n")) throw new SyntaxError("The last line has no end");
  const families = new Map<string, Family>();
  const helped = new Set<string>();
  let current: string | undefined;
  for (const line of page.slice(0, -1).split("\n")) {
    const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind === "HELP") {
      if (helped.has(name!)) throw new SyntaxError(`Second help: ${line}`);
      helped.add(name!);
    } else if (kind === "TYPE") {
      if (!/^(counter|gauge|histogram|summary|untyped)$/.test(rest!)) {
        throw new SyntaxError(`No such type: ${line}`);
      }
      if (families.has(name!)) throw new SyntaxError(`Second type: ${line}`);
      families.set(name!, { type: rest!, samples: [] });
      current = name!;
    } else {
      const sample = parseSample(line);
      const family = families.get(current ?? "");
      if (family === undefined || !belongs(sample, current!, family.type)) {
        throw new SyntaxError(`Not in its group: ${line}`);
      }
      family.samples.push(sample);
    }
  }
  for (const [name, family] of families) {
    if (family.samples.length === 0) throw new SyntaxError(`Empty: ${name}`);
    if (family.type === "histogram") checkHistogram(name, family);
  }
  return families;
}

function parseSample(line: string): Sample {
  const [, name, labels = "", value] = SAMPLE_REGEXP.exec(line) ?? [];
  if (name === undefined) throw new SyntaxError(`No sample: ${line}`);
  const parsed: Record<string, string> = {};
  LABEL_REGEXP.lastIndex = 0;
  for (let at = 0; at < labels.length; at = LABEL_REGEXP.lastIndex) {
    const [, label, text] = LABEL_REGEXP.exec(labels) ?? [];
    if (label === undefined) throw new SyntaxError(`No labels: ${line}`);
    parsed[label] = text!;
  }
  return { name, labels: parsed, value: number(value!) };
}

function number(text: string): number {
  if (/Inf$/.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  const value = Number(text);
  if (Number.isNaN(value) && text !== "NaN") {
    throw new SyntaxError(`No number: ${text}`);
  }
  return value;
}

function belongs(sample: Sample, name: string, type: string): boolean {
  if (type !== "histogram") return sample.name === name;
  return sample.name === `${name}_sum` || sample.name === `${name}_count` ||
    sample.name === `${name}_bucket` && "le" in sample.labels;
}

function checkHistogram(name: string, { samples }: Family): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  let bound = -Infinity;
  let count = 0;
  for (const { labels, value } of buckets) {
    const le = number(labels["le"]!);
    if (le <= bound || value < count) {
      throw new SyntaxError(`Buckets of ${name} do not rise`);
    }
    [bound, count] = [le, value];
  }
  const total = samples.find((sample) => sample.name === `${name}_count`);
  const sum = samples.find((sample) => sample.name === `${name}_sum`);
  if (bound !== Infinity || total?.value !== count || sum === undefined) {
    throw new SyntaxError(`Buckets of ${name} do not add up`);
  }
}
