import { assertEquals } from "@std/assert";
import { Output } from "../../../src/cli/output.ts";
import { formatProgress, Progress } from "../../../src/cli/progress.ts";

function capture(options: { json?: boolean; terminal?: boolean }): {
  output: Output;
  out: string[];
} {
  const out: string[] = [];
  const write = (text: string): void => void out.push(text);
  return { output: new Output({ ...options, write }), out };
}

Deno.test("formatProgress() says share, amount, speed and time left", () => {
  const state = { label: "copy", done: 50, total: 200, elapsedMs: 10_000 };
  assertEquals(
    formatProgress(state),
    "copy ▕██████                  ▏  25%  50 of 200  5/s  30.0 s left",
  );
});

Deno.test("formatProgress() leaves the bar out of a narrow screen", () => {
  const state = { label: "copy", done: 50, total: 200, elapsedMs: 10_000 };
  assertEquals(
    formatProgress(state, { columns: 40 }),
    "copy  25%  50 of 200  5/s  30.0 s left",
  );
});

Deno.test("formatProgress() without a total says what is done", () => {
  assertEquals(
    formatProgress({ label: "read", done: 2048, elapsedMs: 1000 }),
    "read  2,048  2,048/s",
  );
});

Deno.test("formatProgress() bears nothing to do and no time", () => {
  const state = { label: "x", done: 0, total: 0, elapsedMs: 0 };
  assertEquals(
    formatProgress(state, { unicode: false }),
    "x [########################] 100%  0 of 0  0/s",
  );
});

Deno.test("Progress draws a bar over itself on a terminal, ten times a second", () => {
  const { output, out } = capture({ terminal: true });
  let now = 0;
  const progress = new Progress(output, {
    label: "x",
    total: 1000,
    now: () => now,
  });
  for (now = 1; now <= 1000; now++) progress.update(now);
  assertEquals(out.length, 10);
  assertEquals(out[0]?.startsWith("\rx ▕"), true);
  assertEquals(out[0]?.endsWith("\x1b[K"), true);
  now = 1000;
  progress.finish();
  progress.update(5);
  assertEquals(out.slice(10), ["\r\x1b[K", "x: 1,000 in 1.00 s, 1,000/s\n"]);
});

Deno.test("Progress prints a line now and then without a terminal", () => {
  const { output, out } = capture({});
  let now = 0;
  const progress = new Progress(output, { label: "x", now: () => now });
  for (now = 1; now <= 12_000; now++) progress.update(now);
  assertEquals(out, ["x  5,000  1,000/s\n", "x  10,000  1,000/s\n"]);
});

Deno.test("Progress prints records with --json", () => {
  const { output, out } = capture({ json: true });
  let now = 0;
  const progress = new Progress(output, {
    label: "x",
    total: 8,
    now: () => now,
  });
  now = 5000;
  progress.update(4);
  now = 6000;
  progress.finish();
  const common = { label: "x", done: 4, total: 8 };
  assertEquals(out.map((line) => JSON.parse(line)), [
    { type: "progress", ...common, elapsedMs: 5000 },
    { type: "finished", ...common, elapsedMs: 6000 },
  ]);
});

Deno.test("Progress[Symbol.dispose]() takes the bar away", () => {
  const { output, out } = capture({ terminal: true });
  {
    using progress = new Progress(output, { label: "x", now: () => 0 });
    progress.update(1);
  }
  assertEquals(out.at(-1), "\r\x1b[K");
});
