import { assert, assertEquals, assertRejects } from "@std/assert";
import { PasswordHasher } from "../../../src/security/password_hash.ts";
import { type Account, UsersFile } from "../../../src/security/users.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const { decoy: HASH } = new PasswordHasher();
const { decoy: OTHER_HASH } = new PasswordHasher();
const account = (name: string, roles: string[] = []): Account => ({
  name,
  password: HASH,
  roles,
});

Deno.test("UsersFile writes a file of mode 600 that it reads again", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/users.json`;
  const users = await UsersFile.open(path, { create: true });
  await users.add(account("ada", ["admin", "user"]));
  await users.add(account("zoe\u0308"));
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  assertEquals(JSON.parse(await Deno.readTextFile(path)), {
    ada: { password: HASH, roles: ["admin", "user"] },
    "zo\u00eb": { password: HASH, roles: [] },
  });
  const again = await UsersFile.open(path);
  assertEquals(await again.find("zo\u00eb"), account("zo\u00eb"));
  assertEquals((await again.list()).length, 2);
  assertEquals(await again.setRoles("ada", []), true);
  assertEquals(await again.setRoles("eve", []), false);
  assertEquals(await again.remove("zo\u00eb"), true);
  assertEquals(await again.remove("zo\u00eb"), false);
  // No temporary file is left.
  const files = await Array.fromAsync(Deno.readDir(folder.path));
  assertEquals(files.map(({ name }) => name), ["users.json"]);
});

Deno.test("UsersFile remembers when a password was changed, not when its hash was made anew", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/users.json`;
  const users = await UsersFile.open(path, { create: true });
  const changed = async () =>
    (await (await UsersFile.open(path)).find("ada"))?.passwordChangedMs;
  await users.add(account("ada"));
  await users.replacePassword(account("ada"), OTHER_HASH);
  await users.setRoles("ada", ["user"]);
  assertEquals(await changed(), undefined);
  const before = Date.now();
  await users.add(account("ada"));
  const at = await changed();
  assert(at !== undefined && at >= before && at <= Date.now());
  await users.setRoles("ada", []);
  await users.replacePassword(account("ada"), OTHER_HASH);
  assertEquals(await changed(), at);
});

Deno.test("UsersFile sees a change at the next login", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/users.json`;
  const [a, b] = [
    await UsersFile.open(path, { create: true }),
    await UsersFile.open(path, { create: true }),
  ];
  await a.add(account("ada"));
  assertEquals((await b.find("ada"))?.name, "ada");
  await b.remove("ada");
  assertEquals(await a.find("ada"), undefined);
});

Deno.test("UsersFile keeps the last good accounts when the file is at fault, and says so once", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/users.json`;
  const faults: string[] = [];
  const users = await UsersFile.open(path, {
    create: true,
    onFault: ({ message, cause }) => faults.push(`${message}: ${cause}`),
  });
  await users.add(account("ada"));
  await Deno.writeTextFile(path, '{"ada": {"password": "secret"}}');
  for (let n = 0; n < 3; n++) assert(await users.find("ada"));
  assertEquals(faults.length, 1);
  assert(!faults[0]!.includes('"secret"'), faults[0]);
  await assertRejects(() => users.add(account("bob")), Error, path);
  await Deno.remove(path);
  for (let n = 0; n < 3; n++) assert(await users.find("ada"));
  assertEquals(faults.length, 2, faults.join("\n"));
  const mended = await UsersFile.open(path, { create: true });
  await mended.add(account("bob"));
  assertEquals(await users.find("ada"), undefined);
});

Deno.test("UsersFile loses no change that several make at the same time", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/users.json`;
  const open = () => UsersFile.open(path, { create: true });
  const files = [await open(), await open(), await open()];
  await Promise.all(
    Array.from(
      { length: 60 },
      (_, n) => files[n % 3]!.add(account(`user${n}`)),
    ),
  );
  assertEquals((await files[0]!.list()).length, 60);
});

Deno.test("UsersFile.replacePassword() does not undo a new password", async () => {
  await using folder = await temporaryFolder();
  const users = await UsersFile.open(`${folder.path}/users.json`, {
    create: true,
  });
  await users.add(account("ada", ["admin"]));
  const stale = (await users.find("ada"))!;
  await users.add({ ...stale, password: OTHER_HASH });
  await users.replacePassword(stale, HASH);
  assertEquals((await users.find("ada"))?.password, OTHER_HASH);
  await users.remove("ada");
  await users.replacePassword(stale, HASH);
  assertEquals(await users.find("ada"), undefined);
});

Deno.test("UsersFile refuses what makes no sense", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/users.json`;
  await assertRejects(() => UsersFile.open(path), Error, path);
  for (
    const bad of [
      "[]",
      "1",
      "{",
      '{"ada":1}',
      '{"ada":{}}',
      '{"ada":{"password":"secret"}}',
      JSON.stringify({ "a b": { password: HASH } }),
      JSON.stringify({ ["a".repeat(65)]: { password: HASH } }),
      JSON.stringify({ ada: { password: HASH, roles: "admin" } }),
      JSON.stringify({ ada: { password: HASH, roles: [1] } }),
    ]
  ) {
    await Deno.writeTextFile(path, bad);
    const error = await assertRejects(() => UsersFile.open(path), Error, path);
    assert(error.cause instanceof Error);
  }
});
