import { assertEquals } from "@std/assert";
import type { LogLine } from "../../../src/observe/log_line.ts";
import { Repetition } from "../../../src/observe/repetition.ts";

function line(kind: string, subject = "1"): LogLine {
  return { level: "warn", kind, subject, text: kind, plural: kind };
}

Deno.test("Repetition tells the first event and counts the others of its subject", () => {
  const repetition = new Repetition();
  const told = [1, 2, 3].map((n) => repetition.tell(line("gap"), n));
  assertEquals(told, [true, false, false]);
  const [repeated, ...others] = repetition.period(1000);
  assertEquals(repeated, { line: line("gap"), count: 2, sinceMs: 1 });
  assertEquals(others, []);
});

Deno.test("Repetition tells the first five subjects of a kind", () => {
  const repetition = new Repetition();
  const told = [1, 2, 3, 4, 5, 6, 7].map((n) =>
    repetition.tell(line("slow", `${n}`), 0)
  );
  assertEquals(told, [true, true, true, true, true, false, false]);
});

Deno.test("Repetition keeps kinds apart", () => {
  const repetition = new Repetition();
  assertEquals(repetition.tell(line("slow"), 0), true);
  assertEquals(repetition.tell(line("gap"), 0), true);
});

Deno.test("Repetition tells again after a quiet period, and not before", () => {
  const repetition = new Repetition();
  repetition.tell(line("gap"), 0);
  repetition.tell(line("gap"), 1);
  assertEquals(repetition.period(1000).length, 1);
  assertEquals(repetition.tell(line("gap"), 1001), false);
  assertEquals(
    repetition.period(2000).map(({ count, sinceMs }) => [count, sinceMs]),
    [[1, 1000]],
  );
  assertEquals(repetition.active, true);
  assertEquals(repetition.period(3000), []);
  assertEquals(repetition.active, false);
  assertEquals(repetition.tell(line("gap"), 3001), true);
});

Deno.test("Repetition tells every event that has no kind", () => {
  const repetition = new Repetition();
  assertEquals(repetition.tell(line(""), 0), true);
  assertEquals(repetition.tell(line(""), 0), true);
  assertEquals(repetition.active, false);
});

Deno.test("Repetition remembers no more than the kinds and a few subjects", () => {
  const repetition = new Repetition();
  for (let n = 0; n < 100_000; n++) repetition.tell(line("limit", `${n}`), n);
  const [repeated] = repetition.period(100_000);
  assertEquals(repeated?.count, 99_995);
  assertEquals(repeated?.line.subject, "99999");
});
