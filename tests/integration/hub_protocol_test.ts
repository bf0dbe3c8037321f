import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { openLogin } from "../../scenarios/hub/login.ts";
import { type HubGuard, startHub } from "../../scenarios/hub/server.ts";
import { PasswordHasher } from "../../src/security/password_hash.ts";
import { HubClient } from "../support/hub_client.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const PAGE = await Deno.readTextFile("docs/hub-protocol.md");

const TIME_REGEXP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const ADDRESS_REGEXP = /^127\.0\.0\.1:\d+$/;

/** The examples: lines of who, `>` or `<`, and a payload; with the heading that each stands under. */
const examples = Array.from(
  PAGE.matchAll(/^## ?(.*)\n|^```text\n([^]*?)^```$/gm),
  ([, heading, block]) => ({ heading, block }),
);

/** Compares what was received with the page; times, addresses and figures differ from run to run. */
class Comparison {
  readonly #addresses = new Map<string, string>();

  sameMessage(actual: Record<string, unknown>, shown: string): void {
    const expected: Record<string, unknown> = JSON.parse(shown);
    const keys = Object.keys(expected).sort();
    assertEquals(Object.keys(actual).sort(), keys, shown);
    for (const key of keys) {
      if (key === "message" && actual["type"] === "error") {
        assertGreater(String(actual[key]).length, 0, shown);
      } else if (actual["type"] === "server_stats") {
        assertEquals(typeof actual[key], typeof expected[key], shown);
      } else {
        this.#sameValue(actual[key], expected[key], shown);
      }
    }
  }

  #sameValue(actual: unknown, expected: unknown, shown: string): void {
    if (typeof expected === "string" && TIME_REGEXP.test(expected)) {
      assertMatch(String(actual), TIME_REGEXP, shown);
    } else if (typeof expected === "string" && ADDRESS_REGEXP.test(expected)) {
      assertMatch(String(actual), ADDRESS_REGEXP, shown);
      const known = this.#addresses.get(expected) ?? actual;
      assertEquals(actual, known, `one address is two: ${shown}`);
      this.#addresses.set(expected, String(actual));
    } else if (typeof expected === "string" && expected.endsWith("…")) {
      // A secret; what comes before the dots is its beginning if that is always the same.
      assert(typeof actual === "string" && actual.length > 40, shown);
      if (expected.includes("_")) {
        assert(actual.startsWith(expected.slice(0, -1)), shown);
      }
    } else if (Array.isArray(expected)) {
      assert(Array.isArray(actual) && actual.length === expected.length, shown);
      expected.forEach((item, i) => this.#sameValue(actual[i], item, shown));
    } else if (expected !== null && typeof expected === "object") {
      assertEquals(
        Object.keys(actual as object).sort(),
        Object.keys(expected).sort(),
        shown,
      );
      for (const [key, value] of Object.entries(expected)) {
        this.#sameValue((actual as Record<string, unknown>)[key], value, shown);
      }
    } else {
      assertEquals(actual, expected, shown);
    }
  }
}

/** The login that the page is about. */
async function loginOfExamples(folder: string): Promise<HubGuard> {
  const write = async (name: string, value: unknown) => {
    const path = `${folder}/${name}`;
    await Deno.writeTextFile(path, JSON.stringify(value), { mode: 0o600 });
    return path;
  };
  const password = await new PasswordHasher().hash("correct horse");
  const login = await openLogin({
    users: await write("users", { ann: { password, roles: ["user"] } }),
    devices: await write("devices", {
      buoy: { secret: new Uint8Array(32).toBase64() },
    }),
    rules: await write("rules", [
      { deny: ["user"], groups: ["bridge"] },
      { allow: ["*"] },
    ]),
  });
  return login!.guard;
}

/** Runs an example against a hub of its own; the clients in it connect in the order of their names. */
async function rehearse(block: string): Promise<void> {
  const isLogin = block.includes('"type":"login"');
  await using folder = await temporaryFolder();
  await using hub = await startHub({
    listen: "tcp://127.0.0.1:0",
    ...(isLogin ? { guard: await loginOfExamples(folder.path) } : {}),
  });
  using stack = new DisposableStack();
  const lines = block.trimEnd().split("\n").map((line) => {
    const [, who, way, payload] = /^(\w+) ([<>]) (.+)$/.exec(line) ?? [];
    assert(who !== undefined, `no line of an example: ${line}`);
    return { who, way, payload: payload! };
  });
  const clients = new Map<string, HubClient>();
  for (const name of new Set(lines.map(({ who }) => who).sort())) {
    const client = stack.use(await HubClient.connect(hub.endpoint));
    // The first of them is taken in before the second connects.
    if (lines.some(({ who }) => who !== name)) await client.ask("{}");
    clients.set(name, client);
  }
  const comparison = new Comparison();
  for (const { who, way, payload } of lines) {
    const client = clients.get(who)!;
    if (way === ">") await client.say(payload);
    else comparison.sameMessage(await client.hear(), payload);
  }
}

let heading = "";
let count = 0;
for (const example of examples) {
  if (example.block === undefined) {
    [heading, count] = [example.heading!.replace("# ", ""), 0];
    continue;
  }
  const { block } = example;
  Deno.test(`hub-protocol.md tells the truth in example ${++count} of "${heading}"`, () =>
    rehearse(block));
}

Deno.test("hub-protocol.md shows every message that it describes", () => {
  const shown = examples.map(({ block }) => block ?? "").join("");
  for (const [, names] of PAGE.matchAll(/^### ([a-z_, ]+)$/gm)) {
    for (const name of names!.split(", ")) {
      assert(shown.includes(`> {"type":"${name}"`), `${name} is not shown`);
    }
  }
});

Deno.test("hub-protocol.md has every message and error code of messages.ts", async () => {
  const source = await Deno.readTextFile("scenarios/hub/messages.ts");
  for (const [, type] of source.matchAll(/type: "(\w+)"/g)) {
    assert(PAGE.includes(`"type":"${type}"`), `${type} is not on the page`);
  }
  const union = /type ErrorCode =([^;]*);/.exec(source)?.[1] ?? "";
  const codes = Array.from(union.matchAll(/"(\w+)"/g), ([, code]) => code);
  const table = PAGE.slice(PAGE.indexOf("| code "));
  const rows = Array.from(table.matchAll(/^\| `(\w+)`/gm), ([, code]) => code);
  assertGreater(codes.length, 0);
  assertEquals(rows.sort(), codes.sort());
});

Deno.test("hub-protocol.md has frames that a hub answers", async () => {
  await using hub = await startHub({ listen: "tcp://127.0.0.1:0" });
  using client = await HubClient.connect(hub.endpoint);
  const rows = Array.from(
    PAGE.matchAll(/^\| `([0-9a-f ]+)` +\| `(.+)` +\|$/gm),
  );
  assertEquals(rows.length, 3);
  for (const [, hex, payload] of rows) {
    const bytes = Uint8Array.fromHex(hex!.replaceAll(" ", ""));
    assertEquals(new TextDecoder().decode(bytes.subarray(4)), payload);
    await client.raw.send(bytes);
    const { type } = await client.hear();
    assertMatch(type, /^(pong|server_stats|echo_response)$/);
  }
});
