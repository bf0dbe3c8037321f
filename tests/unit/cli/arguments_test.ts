import { assertEquals, assertThrows } from "@std/assert";
import { parseCommand, UsageError } from "../../../src/cli/arguments.ts";
import type { CommandSpec } from "../../../src/cli/command_spec.ts";

const HUB = {
  name: "hub",
  summary: "A hub.",
  listen: ["tcp://127.0.0.1:9999"],
  options: {
    maxConnections: { type: "integer", min: 1, default: 100, help: "Most" },
    rate: { type: "number", help: "Messages per second" },
    clientCa: { type: "string", placeholder: "FILE", help: "Authority" },
    policy: { type: "string", choices: ["wait", "drop"], help: "Policy" },
    room: { type: "list", short: "r", help: "Rooms that exist" },
    quiet: { type: "boolean", help: "Say less" },
    color: { type: "boolean", default: true, help: "Use colours" },
    once: { type: "boolean", variable: false, help: "End after one" },
  },
} as const satisfies CommandSpec;

const DEFAULTS = {
  listen: ["tcp://127.0.0.1:9999"],
  maxConnections: 100,
  rate: undefined,
  clientCa: undefined,
  policy: undefined,
  room: [],
  quiet: false,
  color: true,
  once: false,
  json: false,
  debug: false,
};

function values(
  args: string[],
  variables: Record<string, string> = {},
): Record<string, unknown> {
  const parsed = parseCommand(HUB, args, (name) => variables[name]);
  if (parsed.help) throw new Error("Cannot read values: help was asked for");
  return { ...parsed.values };
}

function usageError(
  args: string[],
  variables: Record<string, string> = {},
): string {
  return assertThrows(() => values(args, variables), UsageError).message;
}

Deno.test("parseCommand() gives every option its default", () => {
  assertEquals(values([]), DEFAULTS);
});

Deno.test("parseCommand() reads options of every type", () => {
  const args = "--max-connections 7 --rate=0.5 --client-ca ca.pem --policy " +
    "drop -r a --room b --quiet --no-color --json --debug";
  assertEquals(values(args.split(" ")), {
    ...DEFAULTS,
    maxConnections: 7,
    rate: 0.5,
    clientCa: "ca.pem",
    policy: "drop",
    room: ["a", "b"],
    quiet: true,
    color: false,
    json: true,
    debug: true,
  });
});

Deno.test("parseCommand() gives values the types of their options", () => {
  const parsed = parseCommand(HUB, ["--policy", "wait"]);
  if (parsed.help) throw new Error("Cannot read values: help was asked for");
  const { maxConnections, rate, policy, room, quiet, listen } = parsed.values;
  const typed: [
    number,
    number | undefined,
    "wait" | "drop" | undefined,
    string[],
    boolean,
    string[],
  ] = [maxConnections, rate, policy, room, quiet, listen];
  assertEquals(typed[2], "wait");
});

Deno.test("parseCommand() lets flags beat variables and variables beat defaults", () => {
  const variables = {
    PORTOLAN_MAX_CONNECTIONS: "5",
    PORTOLAN_RATE: "2",
    PORTOLAN_ROOM: "x, y",
    PORTOLAN_QUIET: "1",
    PORTOLAN_COLOR: "false",
    PORTOLAN_POLICY: "",
  };
  assertEquals(values(["--rate", "3", "--color"], variables), {
    ...DEFAULTS,
    maxConnections: 5,
    rate: 3,
    room: ["x", "y"],
    quiet: true,
    color: true,
  });
  assertEquals(values(["--no-quiet"], variables)["quiet"], false);
});

Deno.test("parseCommand() passes over the variable of an option without one", () => {
  const variables = { PORTOLAN_ONCE: "1", PORTOLAN_JSON: "1" };
  assertEquals(values([], variables), DEFAULTS);
});

Deno.test("parseCommand() joins --port and --listen, and lets flags beat variables", () => {
  const variables = { PORTOLAN_LISTEN: "unix:/tmp/a.sock" };
  const listen = (args: string[], set = {}) => values(args, set)["listen"];
  assertEquals(listen(["--port", "0"]), ["tcp://127.0.0.1:0"]);
  assertEquals(listen(["-p", "80", "--listen", "tcp://[::]:81"]), [
    "tcp://127.0.0.1:80",
    "tcp://[::]:81",
  ]);
  assertEquals(listen([], variables), ["unix:/tmp/a.sock"]);
  assertEquals(listen(["--port", "7"], variables), ["tcp://127.0.0.1:7"]);
  assertEquals(listen([], { PORTOLAN_PORT: "7" }), ["tcp://127.0.0.1:7"]);
  assertEquals(listen(["--listen", "tcp://127.0.0.1:9999", "--port", "1"]), [
    "tcp://127.0.0.1:1",
    "tcp://127.0.0.1:9999",
  ]);
});

Deno.test("parseCommand() refuses what is not an endpoint", () => {
  assertEquals(
    usageError(["--listen", "localhost"]),
    "Cannot use --listen: Cannot parse endpoint: tcp://HOST:PORT, " +
      "tls://HOST:PORT, quic://HOST:PORT, ws://HOST:PORT/PATH, " +
      "wss://HOST:PORT/PATH, unix:/PATH or memory:NAME is expected: " +
      'current value is "localhost"',
  );
});

Deno.test("parseCommand() refuses unknown options and says what is near", () => {
  const allowed =
    "allowed are --listen, --port, --max-connections, --rate, --client-ca, " +
    "--policy, --room, --quiet, --color, --once, --json, --debug, --help";
  assertEquals(
    usageError(["--prot", "1"]),
    `Cannot use --prot: no such option (did you mean --port?): ${allowed}`,
  );
  assertEquals(
    usageError(["--zzzzzzz=1"]),
    `Cannot use --zzzzzzz: no such option: ${allowed}`,
  );
  assertEquals(
    usageError(["-x"]),
    `Cannot use -x: no such option: ${allowed}`,
  );
  assertEquals(
    usageError(["--no-port"]),
    `Cannot use --no-port: no such option (did you mean --port?): ${allowed}`,
  );
  assertEquals(
    usageError(["--__proto__", "1"]).includes("no such option"),
    true,
  );
});

Deno.test("parseCommand() refuses values of the wrong kind", () => {
  const cases: [string[], string][] = [
    [["--port"], "Cannot use --port: no value"],
    [["--port", "--json"], "Cannot use --port: no value"],
    [["--port="], "Cannot use --port: no value"],
    [
      ["--port", "70000"],
      "Cannot use --port: it must be a whole number from 0 to 65535: " +
      'current value is "70000"',
    ],
    [
      ["--max-connections", "1.5"],
      "Cannot use --max-connections: it must be a whole number, at least 1: " +
      'current value is "1.5"',
    ],
    [
      ["--rate", "fast"],
      'Cannot use --rate: it must be a number: current value is "fast"',
    ],
    [
      ["--policy", "close"],
      "Cannot use --policy: it must be one of wait, drop: " +
      'current value is "close"',
    ],
  ];
  for (const [args, message] of cases) assertEquals(usageError(args), message);
});

Deno.test("parseCommand() names the variable that is at fault", () => {
  assertEquals(
    usageError([], { PORTOLAN_RATE: "x" }),
    'Cannot use PORTOLAN_RATE: it must be a number: current value is "x"',
  );
  assertEquals(
    usageError([], { PORTOLAN_QUIET: "maybe" }),
    "Cannot use PORTOLAN_QUIET: it must be 1, 0, true or false: " +
      'current value is "maybe"',
  );
});

Deno.test("parseCommand() reads arguments by their places", () => {
  const spec = {
    name: "send",
    summary: "Send files.",
    positionals: [
      { name: "to", help: "Where to", required: true },
      { name: "files", help: "What", rest: true },
    ],
  } as const satisfies CommandSpec;
  const common = { json: false, debug: false };
  assertEquals(parseCommand(spec, ["a", "b", "--", "--c", "5"]), {
    help: false,
    values: { to: "a", files: ["b", "--c", "5"], ...common },
  });
  assertEquals(parseCommand(spec, ["007"]), {
    help: false,
    values: { to: "007", files: [], ...common },
  });
  assertThrows(
    () => parseCommand(spec, []),
    UsageError,
    "Cannot run without TO: Where to",
  );
});

Deno.test("parseCommand() refuses arguments too many", () => {
  assertEquals(
    usageError(["x"]),
    'Cannot use "x": no arguments are allowed',
  );
  const spec = {
    name: "connect",
    summary: "Connect.",
    positionals: [{ name: "endpoint", help: "Where", default: "a" }],
  } as const satisfies CommandSpec;
  assertThrows(
    () => parseCommand(spec, ["a", "b"]),
    UsageError,
    'Cannot use "b": allowed: ENDPOINT',
  );
});

Deno.test("parseCommand() looks at nothing else when help is asked for", () => {
  assertEquals(parseCommand(HUB, ["--port", "x", "--help"]), { help: true });
  assertEquals(parseCommand(HUB, ["-h"]), { help: true });
});
