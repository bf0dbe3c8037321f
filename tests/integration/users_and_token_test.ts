import { assert, assertEquals, assertMatch } from "@std/assert";
import { run, task } from "../support/program.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { hasTmux, Tmux } from "../support/tmux.ts";

const tmux = await hasTmux();
if (!tmux) console.log("users_and_token_test.ts: skipped: tmux is absent");

Deno.test("users adds, lists, changes, checks and removes accounts", async () => {
  await using folder = await temporaryFolder();
  const file = `--file=${folder.path}/users.json`;
  const users = async (args: string[], input = "") => {
    const result = await run(task("users", ...args, file), { input });
    assert(!(result.stdout + result.stderr).includes("hunter2"));
    return [result.code, result.stdout, result.stderr];
  };
  assertEquals(
    await users(["add", "ada", "--role=admin", "--role=user"], "hunter2\n"),
    [0, "added ada\n", ""],
  );
  assertEquals(await users(["list"]), [0, "ada admin user\n", ""]);
  assertEquals(await users(["roles", "ada", "--role=user"]), [
    0,
    "changed ada\n",
    "",
  ]);
  assertEquals(await users(["list", "--json"]), [
    0,
    '{"type":"user","name":"ada","roles":["user"]}\n',
    "",
  ]);
  assertEquals(await users(["add", "ada"], "hunter22\n"), [
    0,
    "replaced ada\n",
    "",
  ]);
  assertEquals(await users(["list"]), [0, "ada user\n", ""]);
  assertEquals(await users(["add", "ada"], "hunter2\n"), [
    0,
    "replaced ada\n",
    "",
  ]);
  assertEquals(await users(["roles", "eve", "--role=user"]), [
    1,
    "",
    'users: Cannot change roles: there is no user "eve"\n',
  ]);
  assertEquals(await users(["check", "ada"], "hunter2"), [0, "right\n", ""]);
  assertEquals(await users(["check", "ada"], "hunter3"), [1, "wrong\n", ""]);
  assertEquals(await users(["check", "eve"], "hunter2"), [1, "wrong\n", ""]);
  assertEquals(await users(["remove", "ada"]), [0, "removed ada\n", ""]);
  assertEquals(await users(["remove", "ada"]), [
    1,
    "",
    'users: Cannot remove: there is no user "ada"\n',
  ]);
  const { mode } = await Deno.stat(`${folder.path}/users.json`);
  assertEquals(mode! & 0o777, 0o600);
  for (const args of [["frob"], ["add"], []]) {
    const [code, stdout, stderr] = await users(args);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(`${stderr}`, /^users: Cannot .+\n$/);
  }
});

Deno.test({
  name:
    "users asks for a password twice at a terminal, and shows nothing of it",
  ignore: !tmux,
  async fn() {
    await using folder = await temporaryFolder();
    const path = `${folder.path}/users.json`;
    const command = task("users", "add", "ada", `--file=${path}`)
      .map((word) => `'${word}'`).join(" ");
    await using terminal = await Tmux.run(`${command}; echo "exit $?"; cat`);
    const asked = (prompt: string) => (rows: string[]) =>
      rows.at(-1)?.trim() === prompt;
    await terminal.until("the question", asked("Password of ada:"));
    await terminal.type("correct horse");
    await terminal.press("Enter");
    await terminal.until("the question", asked("The same again:"));
    await terminal.type("correct horse");
    await terminal.press("Enter");
    await terminal.until("the end", asked("exit 0"));
    await terminal.until("the screen", (rows) => {
      assert(!rows.join("\n").includes("horse"), rows.join("\n"));
      return rows.some((row) => row === "added ada");
    });
  },
});

Deno.test("token makes keys, issues, verifies, inspects and revokes", async () => {
  await using folder = await temporaryFolder();
  const keys = `--keys=${folder.path}/keys.json`;
  const revoked = `--revoked=${folder.path}/revoked.json`;
  const token = async (args: string[], input = "") => {
    const { code, stdout, stderr } = await run(task("token", ...args), {
      input,
    });
    return [code, stdout, stderr] as const;
  };
  const [code, made] = await token(["key", keys]);
  assertEquals(code, 0);
  assertMatch(made, /^key [\w-]{43} in /);
  const [, jwt] = await token(["issue", "ada", "--role=admin", keys]);
  assertMatch(jwt, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const [, verified] = await token(["verify", keys], jwt);
  assertMatch(verified, /^good until \S+Z: ada admin\n$/);
  const [, inspected] = await token(["inspect", "--json"], jwt);
  assertEquals(JSON.parse(inspected).payload.sub, "ada");
  const [, publicKeys] = await token(["public", keys]);
  assertEquals(JSON.parse(publicKeys).keys.length, 1);
  assert(!publicKeys.includes('"d"'));
  // After a rotation the old token is good, until it is revoked.
  await token(["key", "--algorithm=ES256", keys]);
  assertEquals((await token(["verify", keys, revoked], jwt))[0], 0);
  assertEquals(await token(["revoke", keys, revoked], jwt), [
    0,
    "revoked\n",
    "",
  ]);
  assertEquals(await token(["verify", keys, revoked], jwt), [
    1,
    "",
    "token: Cannot verify the token: the token was revoked\n",
  ]);
  assertEquals(await token(["verify", "--audience=other", keys], jwt), [
    1,
    "",
    "token: Cannot verify the token: the claim aud is wrong: check_failed\n",
  ]);
  for (const args of [["frob"], ["issue", keys], ["revoke", keys], []]) {
    const [code, stdout, stderr] = await token(args, jwt);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, /^token: Cannot .+\n$/);
  }
});
