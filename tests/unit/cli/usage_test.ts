import { assertEquals } from "@std/assert";
import { createStyle } from "../../../src/cli/style.ts";
import { formatUsage } from "../../../src/cli/usage.ts";

Deno.test("formatUsage() shows arguments, options, defaults and examples", () => {
  const text = formatUsage({
    name: "send",
    summary: "Send files.",
    options: {
      window: { type: "integer", default: 16, help: "Frames in flight" },
      key: { type: "string", placeholder: "FILE", help: "Private key" },
      mode: { type: "string", choices: ["a", "b"], help: "How" },
    },
    positionals: [
      { name: "to", help: "Where to", required: true },
      { name: "files", help: "What to send", rest: true },
    ],
    examples: [["deno task send tcp://[::1]:7000 a.txt", "Send a file"]],
  }, createStyle(false));
  assertEquals(text.split("\n"), [
    "Send files.",
    "",
    "Usage: deno task send TO [FILES...] [OPTIONS]",
    "",
    "  TO           Where to",
    "  [FILES...]   What to send",
    "",
    "Options:",
    "  --window N   Frames in flight (default 16)",
    "  --key FILE   Private key",
    "  --mode TEXT  How (a, b)",
    "  --json       Print lines of JSON, for programs",
    "  --debug      Show stack traces of failures",
    "  -h, --help   Show this help",
    "",
    "Examples:",
    "  deno task send tcp://[::1]:7000 a.txt",
    "      Send a file",
    "",
    "A variable sets an option too: PORTOLAN_WINDOW for --window. " +
    "Flags beat variables.",
  ]);
});
