import { assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import {
  DEFAULT_SERVER_LIMITS,
  lines,
  prometheusText,
  serve,
  text,
} from "../../mod.ts";
import { run, task } from "../support/program.ts";
import { parsePrometheus } from "../support/prometheus.ts";

/** The cells of the rows of a page's tables. */
async function rows(page: string): Promise<string[][]> {
  const text = await Deno.readTextFile(page);
  return Array.from(
    text.matchAll(/^\| (.*) \|$/gm),
    ([, row]) => row!.split(" | ").map((cell) => cell.trim()),
  );
}

/** The rows whose first cell is a code, by that code. */
async function table(page: string): Promise<Map<string, string[]>> {
  return new Map(
    (await rows(page)).flatMap(([first, ...others]) => {
      const code = /^`([^`]+)`$/.exec(first!)?.[1];
      return code === undefined ? [] : [[code, others]];
    }),
  );
}

function figure(cell: string): number {
  return cell === "`Infinity`" ? Infinity : Number(cell.replaceAll(",", ""));
}

Deno.test("server.md has every limit with its default", async () => {
  const shown = await table("docs/server.md");
  for (const [limit, value] of Object.entries(DEFAULT_SERVER_LIMITS)) {
    assertEquals(figure(shown.get(limit)?.[0] ?? ""), value, limit);
  }
});

Deno.test("hub.md has the defaults of the options that it shows", async () => {
  const { stdout } = await run(task("hub", "--help"));
  const options = Array.from(await table("docs/hub.md"))
    .filter(([name, rest]) => name.startsWith("--") && rest.length > 1);
  assertGreater(options.length, 0);
  for (const [name, [value]] of options) {
    const line = stdout.split("\n").find((line) => line.includes(`${name} `));
    assertStringIncludes(`${line}`, `default ${figure(value!)}`);
  }
});

Deno.test("connect.md has every command of connect", async () => {
  const page = await Deno.readTextFile("docs/connect.md");
  const source = await Deno.readTextFile("scenarios/hub/connect/commands.ts");
  const commands = Array.from(
    source.matchAll(/^ {2}(\w+): \{\n {4}usage:/gm),
    ([, name]) => name!,
  );
  assertGreater(commands.length, 10);
  for (const name of commands) assertStringIncludes(page, `/${name}`);
});

Deno.test("observability.md has every event of a server", async () => {
  const shown = await table("docs/observability.md");
  const source = await Deno.readTextFile("src/observe/events.ts");
  const events = Array.from(
    source.matchAll(/^ {2,4}(?:\| \{ )?type: "([a-z ]+)"/gm),
    ([, type]) => type!,
  );
  assertEquals(events.length, 19);
  assertEquals(events.filter((type) => !shown.has(type)), []);
});

Deno.test("observability.md has every metric with its type", async () => {
  await using server = await serve({
    listen: "memory:metrics in docs",
    wire: lines(text()),
    handler: { message() {} },
  });
  const shown = await table("docs/observability.md");
  for (const [name, { type }] of parsePrometheus(prometheusText(server))) {
    assertEquals(shown.get(name.replace("portolan_", ""))?.[0], type, name);
  }
});
