import { assert, assertGreater } from "@std/assert";
import type {
  AuthenticationContext,
  Authenticator,
  Credentials,
} from "../../../src/security/authentication.ts";
import { deviceLogin, devicesFile } from "../../../src/security/devices.ts";
import { PasswordHasher } from "../../../src/security/password_hash.ts";
import { passwords } from "../../../src/security/passwords.ts";
import { sessionTokens } from "../../../src/security/session_tokens.ts";
import { Sessions } from "../../../src/security/sessions.ts";
import {
  createTokenKey,
  tokenKeys,
  tokenKeysFile,
} from "../../../src/security/token_keys.ts";
import { jwtTokens } from "../../../src/security/tokens.ts";
import { UsersFile } from "../../../src/security/users.ts";
import { loginContext } from "../../support/login_context.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

Deno.test("no error of an authenticator has a secret in it, nor have its causes", async () => {
  await using folder = await temporaryFolder();
  const secrets: string[] = ["hunter2 hunter2"];
  const shown: string[] = [];
  let refused = 0;
  const attempt = async (
    authenticator: Authenticator,
    credentials: Credentials,
    context: Partial<AuthenticationContext> = {},
  ): Promise<void> => {
    try {
      await authenticator.authenticate(credentials, loginContext(context));
    } catch (error) {
      refused++;
      shown.push(Deno.inspect(error, { depth: 20, showHidden: true }));
    }
  };

  const users = await UsersFile.open(`${folder.path}/users.json`, {
    create: true,
  });
  const hasher = new PasswordHasher({
    cost: { logN: 4, blockSize: 8, parallelism: 1 },
  });
  const password = await hasher.hash("the password of ada");
  secrets.push("the password of ada", password, password.split("$").at(-1)!);
  await users.add({ name: "ada", password, roles: [] });
  const byPassword = passwords({ users, hasher });
  for (const user of ["ada", "eve", "ada", "ada", "ada", "ada"]) {
    await attempt(byPassword, {
      type: "password",
      user,
      password: "hunter2 hunter2",
    });
  }
  await attempt(byPassword, {
    type: "password",
    user: "ada",
    password: "hunter2 hunter2\0",
  });

  const key = await createTokenKey("EdDSA");
  secrets.push(`${key["d"]}`);
  const tokens = jwtTokens({
    keys: await tokenKeys({ keys: [key] }),
    issuer: "issuer",
    audience: "hub",
  });
  const nowMs = Date.now();
  const issue = () =>
    tokens.issue({ id: "ada", roles: ["r0le"] }, { lifetimeMs: 1000 });
  const good = await issue();
  const [header, payload, signature] = good.split(".");
  secrets.push(good, payload!, signature!);
  const times: [string, number][] = [
    [good, 0],
    [good, nowMs + 1e9],
    [good.slice(0, -8), nowMs],
    [`${header}.${payload}x.${signature}`, nowMs],
    [`${header}x.${payload}.${signature}`, nowMs],
    ["hunter2 hunter2", nowMs],
  ];
  for (const [token, at] of times) {
    await attempt(tokens, { type: "token", token }, { nowMs: at });
  }
  await tokens.revoke(good);
  await attempt(tokens, { type: "token", token: good }, { nowMs });

  const sessions = new Sessions({ idleMs: 10 });
  const { token } = await sessions.start({ id: "ada", roles: [] }, 0);
  secrets.push(token, token.slice(4));
  for (const at of [11, 12]) {
    await attempt(sessionTokens(sessions), { type: "token", token }, {
      nowMs: at,
    });
  }

  const secret = new Uint8Array(32).fill(9);
  secrets.push(secret.toBase64(), secret.toHex());
  const door = deviceLogin({
    devices: { find: () => Promise.resolve({ secret, roles: [] }) },
    server: "hub",
  });
  const memory = new Map();
  await attempt(door, { type: "device", device: "d" }, { memory });
  const mac = new Uint8Array(32).fill(3).toBase64();
  secrets.push(mac);
  await attempt(door, { type: "device proof", device: "d", mac }, { memory });

  // Files at fault.
  const path = `${folder.path}/fault.json`;
  for (
    const text of [
      '{"d":{"secret":"hunter2 hunter2"}}',
      'hunter2 hunter2 {"d"',
      `{"d":{"secret":"${mac}","roles":"hunter2 hunter2"}}`,
      '{"keys":[{"kid":"1","kty":"oct","k":"hunter2 hunter2"}]}',
      '{"keys":[{"kid":"1","kty":"OKP","crv":"Ed25519","x":"hunter2 hunter2"}]}',
      '{"ada":{"password":"hunter2 hunter2"}}',
    ]
  ) {
    await Deno.writeTextFile(path, text, { mode: 0o600 });
    const opening = [
      devicesFile(path),
      UsersFile.open(path),
      tokenKeysFile(path),
    ];
    for (const result of await Promise.allSettled(opening)) {
      assert(result.status === "rejected", text);
      shown.push(Deno.inspect(result.reason, { depth: 20 }));
      refused++;
    }
  }

  assertGreater(refused, 30);
  for (const text of shown) {
    for (const secret of secrets) assert(!text.includes(secret), text);
  }
});
