import { assertEquals } from "@std/assert";
import { Output } from "../../../src/cli/output.ts";

function capture(options: { json?: boolean; color?: boolean } = {}): {
  output: Output;
  out: string[];
  err: string[];
} {
  const out: string[] = [];
  const err: string[] = [];
  const output = new Output({
    ...options,
    terminal: true,
    write: (text) => out.push(text),
    writeError: (text) => err.push(text),
  });
  return { output, out, err };
}

Deno.test("Output.print() prints text for people and records for programs", () => {
  const person = capture();
  person.output.print("pong", { type: "pong" });
  person.output.print("help");
  assertEquals(person.out, ["pong\n", "help\n"]);
  const program = capture({ json: true });
  program.output.print("pong", { type: "pong", text: "a\nb" });
  program.output.print("help");
  assertEquals(program.out, ['{"type":"pong","text":"a\\nb"}\n']);
});

Deno.test("Output.error() keeps to the standard error", () => {
  const { output, out, err } = capture();
  output.error("no");
  assertEquals([out, err], [[], ["no\n"]]);
});

Deno.test("Output.redirect() hands lines to somebody else for a while", () => {
  const { output, out, err } = capture();
  const elsewhere: string[] = [];
  output.redirect((text) => elsewhere.push(text));
  output.print("a");
  output.error("b");
  assertEquals(output.drawable, false);
  output.redirect(undefined);
  output.print("c");
  assertEquals([out, err, elsewhere], [["c\n"], [], ["a", "b"]]);
  assertEquals(output.drawable, true);
});

Deno.test("Output has no colours in JSON", () => {
  assertEquals(
    capture({ color: true }).output.style.red("x"),
    "\x1b[31mx\x1b[39m",
  );
  assertEquals(capture({ color: true, json: true }).output.style.red("x"), "x");
  assertEquals(capture({ json: true }).output.drawable, false);
});
