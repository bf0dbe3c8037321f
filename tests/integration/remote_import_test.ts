import {
  assert,
  assertArrayIncludes,
  assertEquals,
  assertStringIncludes,
} from "@std/assert";

/** The checkout, as any web server would show it. */
async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  try {
    return new Response(await Deno.readTextFile(`.${pathname}`), {
      headers: { "content-type": "application/typescript" },
    });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return new Response(`No ${pathname} here`, { status: 404 });
  }
}

interface Ran {
  success: boolean;
  stdout: string;
  stderr: string;
}

async function deno(
  args: string[],
  options: Deno.CommandOptions = {},
): Promise<Ran> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    ...options,
    args,
    env: { NO_COLOR: "1", ...options.env },
  }).output();
  const decoder = new TextDecoder();
  return {
    success,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

/**
 * Runs a program in an empty folder, without configuration and with an empty
 * cache for all that is remote; `ORIGIN` in it is where the checkout is served.
 */
async function runRemotely(
  program: string,
  ...command: [name: string, ...flags: string[]]
): Promise<Ran & { requested: string[] }> {
  const requested: string[] = [];
  await using server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
  }, (request) => {
    requested.push(new URL(request.url).pathname);
    return answer(request);
  });
  const host = `127.0.0.1:${server.addr.port}`;
  const folder = await Deno.makeTempDir();
  try {
    // What comes from the npm registry is the same for all, and is shared.
    const { npmCache } = JSON.parse((await deno(["info", "--json"])).stdout);
    await Deno.mkdir(`${folder}/cache`);
    await deno([
      "eval",
      "Deno.symlinkSync(...Deno.args)",
      npmCache,
      `${folder}/cache/npm`,
    ]);
    await Deno.mkdir(`${folder}/program`);
    await Deno.writeTextFile(
      `${folder}/program/main.ts`,
      program.replaceAll("ORIGIN", `http://${host}`),
    );
    const ran = await deno(
      [...command, `--allow-import=${host}`, "main.ts"],
      { cwd: `${folder}/program`, env: { DENO_DIR: `${folder}/cache` } },
    );
    return { ...ran, requested };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const PROGRAM = `
import { connect, json, lengthPrefixed, serve } from "ORIGIN/mod.ts";

interface Message {
  text: string;
}

const wire = lengthPrefixed(json<Message>(), { maxFrameBytes: 1 << 20 });
await using server = await serve({
  listen: ["tcp://127.0.0.1:0"],
  wire,
  handler: {
    message(peer, message) {
      peer.send({ text: message.text.toUpperCase() });
    },
  },
});
const [endpoint] = server.endpoints;
if (endpoint === undefined) throw new Error("Cannot connect: no endpoint");
await using client = await connect({ to: endpoint, wire });
client.send({ text: "over http" });
const reply = await client.receive();
console.log(reply?.text);
`;

Deno.test("mod.ts serves and connects when a bare program imports it over HTTP", async () => {
  const ran = await runRemotely(
    PROGRAM,
    "run",
    "--no-prompt",
    "--check=all",
    "--allow-net=127.0.0.1",
  );
  assertEquals(ran.stdout, "OVER HTTP\n", ran.stderr);
  assert(ran.success, ran.stderr);
  assertArrayIncludes(ran.requested, ["/mod.ts"]);
  for (const path of ran.requested) {
    assert(/^\/(mod\.ts|src\/.+\.ts)$/.test(path), `${path} was asked for`);
  }
});

Deno.test("mod.ts has its full types when it is imported over HTTP", async () => {
  const wrong = [
    ["peer.send({ text: 1 });", "Type 'number' is not assignable"],
    ["peer.send({ texts: 'x' });", "'texts' does not exist in type 'Message'"],
    ["message.txt;", "Property 'txt' does not exist on type 'Message'"],
    ["peer.nothing();", "Property 'nothing' does not exist on type 'Peer"],
  ] as const;
  const planted = PROGRAM.replace(
    "peer.send(",
    `${wrong.map(([line]) => line).join("\n")}\n      peer.send(`,
  );
  const ran = await runRemotely(planted, "check");
  assertEquals(ran.success, false);
  for (const [line, message] of wrong) {
    assertStringIncludes(ran.stderr, message, `for ${line}\n${ran.stderr}`);
  }
  assertStringIncludes(ran.stderr, `Found ${wrong.length} errors`);
});

Deno.test("src/std has its full types when it is imported over HTTP", async () => {
  const ran = await runRemotely(
    `
import { assertThrows } from "ORIGIN/src/std/assert.ts";
import { deadline } from "ORIGIN/src/std/async.ts";
import { parseArgs } from "ORIGIN/src/std/cli.ts";
import { getLogger } from "ORIGIN/src/std/log.ts";
import { decode } from "ORIGIN/src/std/msgpack.ts";

const error: RangeError = assertThrows(() => {
  throw new RangeError("x");
}, RangeError);
const port: string | undefined = parseArgs([], { string: ["port"] }).port;
getLogger().info(error.message, { port });
await deadline(Promise.resolve(), 1000);
console.log(decode(new Uint8Array([1])));

const wrong: number = parseArgs([], { string: ["port"] }).port;
deadline(1, 1000);
getLogger().inform("x");
decode("x");
`,
    "check",
  );
  assertEquals(ran.success, false);
  assertStringIncludes(ran.stderr, "'string | undefined' is not assignable");
  assertStringIncludes(ran.stderr, "'number' is not assignable");
  assertStringIncludes(ran.stderr, "'inform' does not exist on type 'Logger'");
  assertStringIncludes(ran.stderr, "'string' is not assignable");
  assertStringIncludes(ran.stderr, "Found 4 errors");
});
