import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { isInstalled } from "../support/installed.ts";
import { Program, run, task } from "../support/program.ts";

const noNc = !await isInstalled("nc", "-h");
const noSocat = !await isInstalled("socat", "-V");

const ECHO = task("echo", "--port=0");

/** Bytes of every value, and many more than a buffer holds. */
const BYTES = Uint8Array.from({ length: 1_000_000 }, (_, n) => n * n >> 3);

/** Runs one of the examples. */
function example(name: string, ...args: string[]): string[] {
  const path = `scenarios/examples/${name}.ts`;
  return [Deno.execPath(), "run", "--allow-net", path, "--port=0", ...args];
}

/** Opens an example's connection by hand, and waits for its greeting. */
async function call(port: number, greeting: string): Promise<Program> {
  const nc = Program.start(["nc", "-N", "127.0.0.1", `${port}`]);
  await nc.prints(greeting);
  return nc;
}

Deno.test({
  name: "echo gives nc its bytes back",
  ignore: noNc,
  async fn() {
    await using echo = await Program.serve(ECHO);
    const nc = new Deno.Command("nc", {
      args: ["-N", "127.0.0.1", `${echo.port}`],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const writer = nc.stdin.getWriter();
    const written = writer.write(BYTES).then(() => writer.close());
    const { stdout } = await nc.output();
    await written;
    assertEquals(stdout, BYTES);
  },
});

Deno.test({
  name: "echo gives nc bytes back before a line ends, and with --lines after",
  ignore: noNc,
  async fn() {
    await using bytes = await Program.serve(ECHO);
    await using nc = Program.start(["nc", "127.0.0.1", `${bytes.port}`]);
    await nc.type("no end");
    await nc.until("the bytes", () => nc.output === "no end");

    await using lines = await Program.serve([...ECHO, "--lines"]);
    const { stdout } = await run(
      ["nc", "-N", "127.0.0.1", `${lines.port}`],
      { input: "one\ntwo\r\nno end" },
    );
    assertEquals(stdout, "one\ntwo\nno end\n");
  },
});

Deno.test({
  name: "echo serves nc and its own client over a Unix socket",
  ignore: noNc,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "portolan-" });
    try {
      const path = `${folder}/echo.sock`;
      await using _ = await Program.serve(
        task("echo", `--listen=unix:${path}`),
      );
      const input = "ahoy\nthere\n";
      const nc = await run(["nc", "-N", "-U", path], { input });
      assertEquals(nc.stdout, input);
      const client = await run(task("echo", `--connect=unix:${path}`), {
        input,
      });
      assertEquals([client.code, client.stdout], [0, input], client.stderr);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "echo serves socat over TCP",
  ignore: noSocat,
  async fn() {
    await using echo = await Program.serve(ECHO);
    const { stdout } = await run(
      ["socat", "-", `TCP:127.0.0.1:${echo.port}`],
      { input: "ahoy\n" },
    );
    assertEquals(stdout, "ahoy\n");
  },
});

Deno.test("echo --connect ends with 1 and one line where nobody listens, or the server ends", async () => {
  const nobody = await run(task("echo", "--connect=tcp://127.0.0.1:1"));
  assertEquals(nobody.code, 1);
  assertMatch(
    nobody.stderr,
    /^echo: Cannot connect to .*: connection refused\n$/,
  );

  await using echo = await Program.serve(ECHO);
  await using client = Program.start(
    task("echo", `--connect=${echo.endpoints[0]}`),
  );
  await client.type("ahoy\n");
  await client.prints("ahoy");
  await echo.stop();
  await client.type("ahoy\n");
  assertEquals(await client.ended(), 1);
  assertMatch(client.errors, /^echo: Cannot .*\n$/);
});

Deno.test({
  name: "hub answers the ping of its documentation by nc",
  ignore: noNc,
  async fn() {
    await using hub = await Program.serve(task("hub", "--port=0"));
    const { stdout } = await run(
      ["nc", "-N", "127.0.0.1", `${hub.port}`],
      { input: '\0\0\0\x0f{"type":"ping"}' },
    );
    const { type, client_id } = JSON.parse(stdout.slice(4));
    assertEquals(type, "pong");
    assertMatch(client_id, /^127\.0\.0\.1:\d+$/);
  },
});

Deno.test({
  name: "chat_room lets those talk who have said their names",
  ignore: noNc,
  async fn() {
    await using room = await Program.serve(example("chat_room"));
    const { port } = room;
    await using ann = await call(port, "What is your name?");
    await ann.type("ann\n");
    await ann.prints("* Here already: 0");
    await using bob = await call(port, "What is your name?");
    await bob.type("bob\n");
    await bob.prints("* Here already: 1");
    await ann.prints("* bob has come");
    await ann.type("ahoy\n");
    await bob.prints("ann: ahoy");
    // One that leaves without a name was never here.
    const nobody = await run(["nc", "-N", "127.0.0.1", `${port}`]);
    assertEquals(nobody.stdout, "What is your name?\n");
    await bob.endInput();
    await bob.ended();
    await ann.prints("* bob has left");
    assertEquals(await room.stop(), 0);
    await ann.endInput();
    await ann.ended();
    assertEquals(ann.output.split("\n").slice(1), [
      "* Here already: 0",
      "* bob has come",
      "* bob has left",
      "* The room closes",
      "",
    ]);
  },
});

Deno.test({
  name: "command_server serves those who know the password",
  ignore: noNc,
  async fn() {
    await using server = await Program.serve(
      example("command_server", "heave"),
    );
    const { port } = server;
    const talk = async (input: string) => {
      const { stdout } = await run(["nc", "-N", "127.0.0.1", `${port}`], {
        input,
      });
      return stdout.split("\n").slice(1, -1);
    };
    for (const login of ["", "login ann", "login ann ho", "hello ann ho"]) {
      assertEquals(await talk(`${login}\nget a\n`), ["error: wrong login"]);
    }
    assertEquals(
      await talk("login ann heave\nset a ahoy there\nget a\nget b\nme\nx\n"),
      [
        "welcome ann",
        "ok",
        "ahoy there",
        "none",
        "ann 4",
        "set, get, me or quit?",
      ],
    );
    assertEquals(
      await talk("login bob heave\nget a\nquit\nget a\n"),
      ["welcome bob", "ahoy there"],
    );
  },
});

Deno.test("command_server refuses to run without a password", async () => {
  const { code, stderr } = await run(example("command_server"));
  assertEquals(code, 2);
  assertStringIncludes(stderr, "Cannot run without PASSWORD");
});
