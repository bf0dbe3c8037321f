import { assertEquals } from "@std/assert";
import plugin from "../../../tools/lint.ts";

const ROOT = `${import.meta.dirname}/../../..`;

/** Names of the rules that a file breaks. */
function broken(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, `${ROOT}/${path}`, source)
    .map(({ id }) => id.replace("portolan/", ""));
}

const IMPURE = [
  "Date.now()",
  "Math.random()",
  "performance.now()",
  "new Date()",
  "Date()",
  "setTimeout(f, 1)",
  "setInterval(f, 1)",
  "queueMicrotask(f)",
  "crypto.randomUUID()",
  "Deno.pid",
  "fetch(url)",
];

Deno.test("pure finds IO, clocks, timers and chance in a core", () => {
  for (const expression of IMPURE) {
    const source = `export const x = ${expression};`;
    for (
      const path of [
        "src/proto/a.ts",
        "src/bytes/a.ts",
        "scenarios/hub/engine.ts",
        "scenarios/hub/engine/rooms.ts",
      ]
    ) {
      assertEquals(broken(path, source), ["pure"], `${path}: ${source}`);
    }
    assertEquals(broken("src/io/a.ts", source), []);
    assertEquals(broken("scenarios/hub/main.ts", source), []);
  }
});

Deno.test("pure accepts time as a parameter", () => {
  const source = "export const iso = (now: number) => new Date(now);";
  assertEquals(broken("src/proto/a.ts", source), []);
});

function importing(path: string, specifier: string): string[] {
  return broken(path, `import x from "${specifier}"; x;`);
}

Deno.test("imports finds an import that points up", () => {
  for (
    const [path, specifier] of [
      ["src/bytes/a.ts", "../proto/a.ts"],
      ["src/proto/framing/a.ts", "../../io/a.ts"],
      ["src/io/a.ts", "../server/a.ts"],
      ["src/server/a.ts", "../cli/a.ts"],
      ["src/client/a.ts", "../../scenarios/hub/main.ts"],
      ["src/client/a.ts", "../../mod.ts"],
      ["src/client/a.ts", "../../tests/support/a.ts"],
      ["src/unheard_of/a.ts", "../bytes/a.ts"],
    ] as const
  ) {
    assertEquals(importing(path, specifier), ["imports"], specifier);
  }
});

Deno.test("imports accepts an import that points down or sideways", () => {
  for (
    const [path, specifier] of [
      ["src/proto/framing/a.ts", "../../bytes/a.ts"],
      ["src/proto/framing/a.ts", "./b.ts"],
      ["src/observe/a.ts", "../io/a.ts"],
      ["src/proxy/a.ts", "../server/a.ts"],
      ["src/cli/a.ts", "../std/cli.ts"],
      ["mod.ts", "./src/client/a.ts"],
    ] as const
  ) {
    assertEquals(importing(path, specifier), [], specifier);
  }
});

Deno.test("imports finds what a remote importer cannot resolve", () => {
  for (
    const specifier of [
      "@std/assert",
      "npm:fast-check",
      "npm:fast-check@4",
      "npm:@logtape/file@^2.3.10",
      "jsr:@std/assert@1.0.0",
      "https://example.com/mod.ts",
    ]
  ) {
    assertEquals(importing("src/io/a.ts", specifier), ["imports"], specifier);
  }
  for (
    const specifier of [
      "npm:fast-check@4.10.2",
      "npm:@logtape/file@2.3.10",
      "npm:deno-std@1.4.0/assert/assert.js",
      "node:net",
    ]
  ) {
    assertEquals(importing("src/io/a.ts", specifier), [], specifier);
  }
  assertEquals(importing("src/proto/a.ts", "node:net"), ["imports"]);
  assertEquals(importing("tests/unit/a_test.ts", "@std/assert"), []);
});

Deno.test("imports finds a scenario that reaches past mod.ts", () => {
  const path = "scenarios/hub/main.ts";
  for (
    const specifier of [
      "../../src/server/a.ts",
      "../echo/main.ts",
      "npm:fast-check@4",
      "node:net",
    ]
  ) {
    assertEquals(importing(path, specifier), ["imports"], specifier);
  }
  for (
    const specifier of [
      "../../mod.ts",
      "@std/cli",
      "npm:@nats-io/transport-node@3.4.0",
      "./a.ts",
      "./web/a.html",
    ]
  ) {
    assertEquals(importing(path, specifier), [], specifier);
  }
});

Deno.test("imports looks at what is shipped alone", () => {
  for (const path of ["tests/src/a.ts", "benches/mod.ts", "tools/a.ts"]) {
    assertEquals(importing(path, "@std/assert"), [], path);
  }
});

Deno.test("imports looks at exports and dynamic imports too", () => {
  for (
    const source of [
      'export * from "../server/a.ts";',
      'export { x } from "../server/a.ts";',
      'await import("../server/a.ts");',
      'import type { X } from "../server/a.ts"; export type Y = X;',
    ]
  ) {
    assertEquals(broken("src/io/a.ts", source), ["imports"], source);
  }
});

Deno.test("no-console finds a library that prints", () => {
  const source = 'console.log("x");';
  assertEquals(broken("src/server/a.ts", source), ["no-console"]);
  assertEquals(broken("src/cli/a.ts", source), []);
  assertEquals(broken("scenarios/hub/main.ts", source), []);
  assertEquals(broken("benches/main.ts", source), []);
});

Deno.test("error-message finds messages out of the grammar", () => {
  const path = "src/server/a.ts";
  for (
    const source of [
      'throw new Error("cannot listen");',
      'throw new TypeError("Cannot listen.");',
      "throw new RangeError(`Cannot listen on ${port}.`);",
      "throw new RangeError(`port ${port} is taken`);",
      'throw new Error("Can\'t listen");',
      'throw new RemoteProtocolError("malformed", "bad JSON");',
      'class AError extends Error { constructor() { super("bad"); } }',
    ]
  ) {
    assertEquals(broken(path, source), ["error-message"], source);
  }
  for (
    const source of [
      'throw new Error("Cannot listen: port is taken");',
      "throw new RangeError(`Cannot listen on ${port}`);",
      "throw new RangeError(`${name} is taken`);",
      "throw new Error(text);",
      'throw new RemoteProtocolError("malformed", "Cannot decode JSON");',
      'class AError extends Error { constructor() { super("Cannot x"); } }',
    ]
  ) {
    assertEquals(broken(path, source), [], source);
  }
});

Deno.test("max-arguments finds a function with more than three", () => {
  const path = "src/server/a.ts";
  const four = "export function f(a: X, b: X, c: X, d: X): void {}";
  assertEquals(broken(path, four), ["max-arguments"]);
  assertEquals(broken(path, four.replace("export ", "")), []);
  assertEquals(broken("src/proto/a.ts", four), []);
  assertEquals(broken(path, four.replace(", d: X", "")), []);
});
