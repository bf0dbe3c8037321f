import { assertEquals } from "@std/assert";
import {
  drawBar,
  drawBars,
  drawHistogram,
  drawPercentiles,
  drawSparkline,
  drawTable,
} from "../../../src/cli/chart.ts";
import { summarize } from "../../../src/cli/statistics.ts";
import { createStyle } from "../../../src/cli/style.ts";
import { displayWidth, stripStyle } from "../../../src/cli/text.ts";

const lines = (...texts: string[]): string => texts.join("\n");

Deno.test("drawBar() shows something for the least value", () => {
  assertEquals(drawBar(0), "");
  assertEquals(drawBar(0.01), "▏");
  assertEquals(drawBar(1.999), "██");
  assertEquals(drawBar(2, false), "##");
});

Deno.test("drawBars() aligns labels and notes", () => {
  const bars = [
    { label: "港", value: 4, note: "4" },
    { label: "other", value: 1, note: "1" },
    { label: "none", value: 0, note: "0" },
  ];
  assertEquals(
    drawBars(bars, { columns: 16 }),
    lines("港    ████████ 4", "other ██       1", "none           0"),
  );
  assertEquals(
    drawBars(bars, { columns: 16, unicode: false }),
    lines("港    ######## 4", "other ##       1", "none           0"),
  );
  assertEquals(drawBars([]), "");
});

Deno.test("drawHistogram() marks where the percentiles are", () => {
  const samples = [...Array(60).fill(0.12), ...Array(39).fill(0.15), 0.19];
  assertEquals(
    drawHistogram(samples, { columns: 44 }),
    lines(
      "≥ 112 µs  █████████████████  60.0% ◀ p50",
      "≥ 125 µs                      0.0%",
      "≥ 140 µs  ███████████        39.0% ◀ p90 p99",
      "≥ 160 µs                      0.0%",
      "≥ 180 µs  ▎                   1.0% ◀ max",
    ),
  );
});

Deno.test("drawHistogram() without Unicode is ASCII alone", () => {
  const drawn = drawHistogram([0.1, 0.2, 50], { unicode: false });
  assertEquals(/^[\n -~]+$/.test(drawn), true, drawn);
});

Deno.test("drawHistogram() stays within the columns", () => {
  for (const columns of [40, 60, 80, 132]) {
    const drawn = drawHistogram([0.1, 0.2, 0.4, 3, 90], {
      columns,
      style: createStyle(true),
    });
    for (const line of drawn.split("\n")) {
      assertEquals(displayWidth(line) <= columns, true, line);
    }
  }
});

Deno.test("drawSparkline() takes the greatest of what shares a column", () => {
  assertEquals(drawSparkline([1, 8, 2, 4], { columns: 2 }), "█▄");
  assertEquals(drawSparkline([]), "");
  assertEquals(drawSparkline([0, 0]), "▁▁");
  assertEquals(drawSparkline([0, 4, 8], { unicode: false }), "_=#");
});

Deno.test("drawTable() aligns columns of wide and coloured cells", () => {
  const { red } = createStyle(true);
  const table = drawTable([["港口", red("1")], ["a", "22"]], {
    header: ["name", "count"],
    align: ["left", "right"],
  });
  assertEquals(
    stripStyle(table),
    lines("name  count", "港口      1", "a        22"),
  );
});

Deno.test("drawTable() cuts what is wider than the screen", () => {
  const table = drawTable([["a", "a long text"]], { columns: 8 });
  assertEquals(table, "a  a lo…");
});

Deno.test("drawPercentiles() says all in one line", () => {
  assertEquals(
    drawPercentiles(summarize([0.5]), { unicode: false }),
    "min 500 us  p50 500 us  p90 500 us  p99 500 us  p99.9 500 us  max 500 us",
  );
});
