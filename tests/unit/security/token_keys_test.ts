import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  createTokenKey,
  publicTokenKey,
  rotateTokenKey,
  tokenKeys,
  tokenKeysFile,
} from "../../../src/security/token_keys.ts";
import { jwtTokens } from "../../../src/security/tokens.ts";
import { loginContext, refusal } from "../../support/login_context.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

Deno.test("tokenKeys() refuses keys that are not for EdDSA or ES256", async () => {
  const ed = await createTokenKey("EdDSA");
  const { kid: _kid, ...nameless } = ed;
  for (
    const keys of [
      [],
      [nameless],
      [ed, ed],
      [{ kid: "a", kty: "oct", k: "c2VjcmV0IHNlY3JldA" }],
      [{ kid: "a", kty: "RSA", n: "AQAB", e: "AQAB" }],
      [{ ...ed, alg: "HS256" }],
      [{ ...ed, alg: "ES256" }],
      [{ ...ed, alg: "none" }],
      [{ ...ed, use: "enc" }],
      [{ ...ed, crv: "X25519" }],
      [{ ...ed, x: "short" }],
      [null],
      Array(101).fill(ed).map((key, n) => ({ ...key, kid: `${n}` })),
    ]
  ) {
    const error = await assertRejects(() => tokenKeys({ keys }), TypeError);
    assert(!error.message.includes(`${ed["d"]}`), error.message);
    assertEquals(error.cause, undefined);
  }
  await assertRejects(() => tokenKeys([]), TypeError);
  await assertRejects(() => tokenKeys({}), TypeError);
});

Deno.test("tokenKeysFile() reads keys again that have been rotated, and old tokens stay good", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/keys.json`;
  await rotateTokenKey(path, "EdDSA");
  const tokens = jwtTokens({
    keys: await tokenKeysFile(path),
    issuer: "issuer",
    audience: "hub",
  });
  const nowMs = Date.now();
  const issue = () =>
    tokens.issue({ id: "ada", roles: [] }, { lifetimeMs: 60_000 });
  const login = (token: string) =>
    tokens.authenticate({ type: "token", token }, loginContext({ nowMs }));
  const older = await issue();
  await rotateTokenKey(path, "ES256");
  const newer = await issue();
  assert(newer.split(".")[0] !== older.split(".")[0]);
  await login(older);
  await login(newer);
  // The old key leaves.
  const { keys } = JSON.parse(await Deno.readTextFile(path));
  await Deno.writeTextFile(path, JSON.stringify({ keys: keys.slice(0, 1) }));
  assertEquals((await refusal(login(older))).code, "denied");
  await login(newer);
});

Deno.test("tokenKeysFile() keeps the last good keys when the file is at fault, and says so once", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/keys.json`;
  const kid = await rotateTokenKey(path, "EdDSA");
  const faults: string[] = [];
  const keys = await tokenKeysFile(path, {
    onFault: ({ message, cause }) => faults.push(`${message}: ${cause}`),
  });
  const good = JSON.parse(await Deno.readTextFile(path));
  for (
    const bad of [
      "{",
      '{"keys":[]}',
      JSON.stringify({ keys: [{ ...good.keys[0], x: "AAAA" }] }),
    ]
  ) {
    await Deno.writeTextFile(path, bad);
    for (let n = 0; n < 3; n++) {
      assertEquals((await keys.read()).map((key) => key.kid), [kid]);
    }
  }
  assertEquals(faults.length, 3, faults.join("\n"));
  assert(!faults.join().includes(good.keys[0].d));
});

Deno.test("tokenKeysFile() refuses private keys that everybody may read, and takes public ones", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/keys.json`;
  await rotateTokenKey(path, "EdDSA");
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  await Deno.chmod(path, 0o644);
  const error = await assertRejects(() => tokenKeysFile(path), Error);
  assertStringIncludes(`${error.cause}`, "chmod 600");
  const { keys } = JSON.parse(await Deno.readTextFile(path));
  await Deno.writeTextFile(
    path,
    JSON.stringify({ keys: keys.map(publicTokenKey) }),
  );
  assertEquals((await (await tokenKeysFile(path)).read()).length, 1);
});
