import { assertEquals } from "@std/assert";
import {
  formatBytes,
  formatCount,
  formatDuration,
} from "../../../src/cli/format.ts";

Deno.test("formatDuration() takes the unit that suits", () => {
  const cases: [number, string][] = [
    [0, "0.00 ms"],
    [0.000_012, "12.0 ns"],
    [0.0999, "99.9 µs"],
    [0.999, "999 µs"],
    [0.9996, "1.00 ms"],
    [12.34, "12.3 ms"],
    [999.4, "999 ms"],
    [999.6, "1.00 s"],
    [59_900, "59.9 s"],
    [60_000, "1 min 0 s"],
    [3_599_600, "1 h 0 min"],
    [200_000_000, "2 d 7 h"],
  ];
  for (const [ms, text] of cases) assertEquals(formatDuration(ms), text);
});

Deno.test("formatCount() has three digits from a million on", () => {
  const cases: [number, string][] = [
    [0, "0"],
    [999, "999"],
    [84_210, "84,210"],
    [999_499, "999,499"],
    [999_500, "1.00 M"],
    [12_345_678, "12.3 M"],
    [2_500_000_000, "2.50 G"],
  ];
  for (const [count, text] of cases) assertEquals(formatCount(count), text);
});

Deno.test("formatBytes() counts in powers of 1024", () => {
  assertEquals(formatBytes(1023), "1023 B");
  assertEquals(formatBytes(1024), "1.00 KiB");
  assertEquals(formatBytes(10 * 2 ** 20), "10.0 MiB");
  assertEquals(formatBytes(3 * 2 ** 50), "3072 TiB");
});
