/**
 * Draws reports as one SVG: a panel a suite, a group of bars a load.
 *
 * @module
 */

import {
  cpuText,
  format,
  type LoadReport,
  type Result,
  type SuiteReport,
  verdictText,
} from "./report.ts";

const WIDTH = 1000;
const LABEL_WIDTH = 200;
const BAR_WIDTH = 380;
const REMARK_X = LABEL_WIDTH + BAR_WIDTH + 165;
const ROW = 24;
const LINE = 17;
const BAR_HEIGHT = 16;
const LEGEND =
  "Medians of the calm rounds, or of all if none was calm; in brackets " +
  "the server's processor time for each message";
const COLORS = {
  ours: "#0b6e99",
  peer: "#b4bcc4",
  text: "#1f2428",
  quiet: "#5c6670",
  pass: "#1a7f37",
  miss: "#cf222e",
  "not measured": "#5c6670",
};

function escape(text: string): string {
  return text.replace(
    /[&<>"]/g,
    (character) => `&#${character.charCodeAt(0)};`,
  );
}

function label(
  x: number,
  y: number,
  content: string,
  style: string = "",
): string {
  return `<text x="${x}" y="${y}" ${style}>${escape(content)}</text>`;
}

function fill(color: string, more = ""): string {
  return `fill="${color}" ${more}`;
}

/** What stands to the right of a server's bar: its verdicts, or its ratio. */
function remarks(load: LoadReport, result: Result): [string, string][] {
  const verdicts = load.verdicts.filter((bar) =>
    (bar.peer ?? bar.server) === result.server
  );
  if (verdicts.length > 0) {
    return verdicts.map((bar) => [verdictText(bar), COLORS[bar.verdict]]);
  }
  const { ratio } = result;
  return ratio === undefined
    ? []
    : [[`ours / this = ${format(ratio)}`, COLORS.quiet]];
}

/** One server's name, bar, value and remarks; and where the next one starts. */
function row(
  y: number,
  load: LoadReport,
  result: Result,
  most: number,
): { marks: string[]; next: number } {
  const value = result.medians[load.metric] ?? 0;
  const length = most > 0 ? Math.max(1, value / most * BAR_WIDTH) : 1;
  const color = result.ours ? COLORS.ours : COLORS.peer;
  const weight = result.ours ? ' font-weight="600"' : "";
  const name = fill(COLORS.text, `text-anchor="end"${weight}`);
  const baseline = y + BAR_HEIGHT - 3;
  const noted = remarks(load, result);
  const cpu = cpuText(result.medians);
  const figure = format(value) + (cpu === "" ? "" : ` (${cpu})`);
  const marks = [
    label(LABEL_WIDTH - 10, baseline, result.title, name),
    `<rect x="${LABEL_WIDTH}" y="${y}" width="${length.toFixed(1)}" ` +
    `height="${BAR_HEIGHT}" rx="2" ${fill(color)}/>`,
    label(LABEL_WIDTH + length + 8, baseline, figure, fill(COLORS.text)),
    ...noted.map(([words, color], line) =>
      label(REMARK_X, baseline + line * LINE, words, fill(color))
    ),
  ];
  return { marks, next: y + ROW + Math.max(0, noted.length - 1) * LINE };
}

/** The plot of all suites, as the text of an SVG file. */
export function plot(suites: readonly SuiteReport[], caption: string): string {
  const marks: string[] = [];
  let y = 34;
  marks.push(label(16, y, "Portolan", fill(COLORS.text, 'font-size="18"')));
  marks.push(label(110, y, caption, fill(COLORS.quiet)));
  y += 20;
  marks.push(label(16, y, LEGEND, fill(COLORS.quiet)));
  for (const suite of suites) {
    y += 44;
    const heading = fill(COLORS.text, 'font-size="15" font-weight="600"');
    marks.push(label(16, y, suite.title, heading));
    for (const load of suite.loads) {
      if (load.results.length === 0) continue;
      y += 26;
      const less = load.better === "less" ? ", less is better" : "";
      marks.push(
        label(16, y, `${load.title} (${load.unit}${less})`, fill(COLORS.quiet)),
      );
      y += 8;
      const values = load.results.map(({ medians }) =>
        medians[load.metric] ?? 0
      );
      const most = Math.max(...values);
      for (const result of load.results) {
        const drawn = row(y, load, result, most);
        marks.push(...drawn.marks);
        y = drawn.next;
      }
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${
    y + 20
  }" viewBox="0 0 ${WIDTH} ${
    y + 20
  }" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${marks.join("\n")}
</svg>
`;
}
