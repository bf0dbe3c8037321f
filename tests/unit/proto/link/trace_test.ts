import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import {
  formatTrace,
  generateTrace,
  parseTrace,
} from "../../../../src/proto/link/trace.ts";

Deno.test("parseTrace() reads mahimahi's format, comments and Windows line ends", () => {
  assertEquals(parseTrace("# 12 Mbit/s\r\n1\r\n2\r\n\r\n2\r\n"), [1, 2, 2]);
});

Deno.test("parseTrace() names the line that is at fault", () => {
  for (
    const [text, message] of [
      ["1\nx\n", "line 2"],
      ["1\n-2\n", "line 2"],
      ["5\n4\n", "line 2: it is before 5"],
      ["1.5\n", "line 1"],
      ["1e3\n", "line 1"],
      ["", "an empty trace"],
      ["0\n", "above 0"],
    ] as const
  ) {
    assertThrows(() => parseTrace(text), SyntaxError, message);
  }
});

Deno.test("generateTrace() keeps its mean over a long time, has outages, and depends on its seed", () => {
  const options = { durationMs: 600_000, meanBytesPerSecond: 750_000 };
  const trace = generateTrace({ ...options, seed: 1 });
  assertEquals(parseTrace(formatTrace(trace)), trace);
  assertAlmostEquals(trace.length / 600 * 1500 / 750_000, 1, 0.35);
  const longestMs = trace.reduce(
    (longest, ms, at) => Math.max(longest, ms - (trace[at - 1] ?? 0)),
    0,
  );
  assert(longestMs > 200, `the longest pause is ${longestMs} ms`);
  assert(trace.length !== generateTrace({ ...options, seed: 2 }).length);
});

Deno.test("generateTrace() refuses options that make no sense", () => {
  const options = { durationMs: 1000, meanBytesPerSecond: 1e6, seed: 1 };
  for (
    const wrong of [
      { durationMs: 0 },
      { meanBytesPerSecond: NaN },
      { meanBytesPerSecond: 1e12 },
      { outageEndsPerSecond: 0 },
    ]
  ) {
    assertThrows(() => generateTrace({ ...options, ...wrong }), RangeError);
  }
});
