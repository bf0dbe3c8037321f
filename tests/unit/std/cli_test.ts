import { assertEquals, assertStrictEquals } from "@std/assert";
import { parseArgs, promptSecret, unicodeWidth } from "@std/cli";

Deno.test("parseArgs() has types that follow from what is declared", () => {
  const flags = parseArgs(
    [
      "--listen",
      "tcp://a:1",
      "--listen=b",
      "-v",
      "x",
      "--port",
      "9",
      "--",
      "y",
    ],
    {
      string: ["_", "listen", "name", "port"],
      boolean: ["verbose"],
      collect: ["listen"],
      alias: { v: "verbose" },
      default: { host: "h" },
      "--": true,
    },
  );
  const listen: string[] = flags.listen;
  const verbose: boolean = flags.verbose;
  const port: string | undefined = flags.port;
  const positional: string[] = flags._;
  const rest: string[] = flags["--"];
  assertEquals(listen, ["tcp://a:1", "b"]);
  assertEquals([verbose, port, flags.name, flags.host], [
    true,
    "9",
    undefined,
    "h",
  ]);
  assertEquals([positional, rest], [["x"], ["y"]]);
  // @ts-expect-error: a flag that is not declared is not in the type
  assertEquals(flags.nowhere, undefined);
});

Deno.test("parseArgs() hands what is not declared to unknown()", () => {
  const unknown: string[] = [];
  const flags = parseArgs(["--color", "--no-color", "--colour", "x"], {
    boolean: ["color"],
    negatable: ["color"],
    unknown: (arg) => {
      unknown.push(arg);
      return false;
    },
  });
  assertStrictEquals(flags.color, false);
  assertEquals(unknown, ["--colour"]);
});

Deno.test("unicodeWidth() counts columns, not characters", () => {
  assertEquals(unicodeWidth("abc"), 3);
  assertEquals(unicodeWidth("日本"), 4);
  assertEquals(unicodeWidth("👩‍👩‍👧"), 2);
  assertEquals(unicodeWidth("e\u0301"), 1);
  assertEquals(unicodeWidth("\x1b[31mred\x1b[0m"), 3);
});

Deno.test({
  name: "promptSecret() returns null when there is no terminal",
  fn: () => assertEquals(Deno.stdin.isTerminal() ? null : promptSecret(), null),
});
