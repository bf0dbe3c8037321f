import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  deviceLogin,
  deviceProof,
  devicesFile,
} from "../../../src/security/devices.ts";
import type { AuthenticationContext } from "../../../src/security/authentication.ts";
import { loginContext, refusalOf } from "../../support/login_context.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const SECRET = new Uint8Array(32).fill(7);
const SERVER = "hub.example.org";
const DEVICE = "thermometer-7";

const door = deviceLogin({
  devices: {
    find: (name) =>
      Promise.resolve(
        name === DEVICE ? { secret: SECRET, roles: ["sensor"] } : undefined,
      ),
  },
  server: SERVER,
});

async function challengeOf(
  context: AuthenticationContext,
  device = DEVICE,
): Promise<string> {
  const answer = await door.authenticate({ type: "device", device }, context);
  assert("challenge" in answer);
  return answer.challenge;
}

function prove(context: AuthenticationContext, mac: string, device = DEVICE) {
  return door.authenticate({ type: "device proof", device, mac }, context);
}

const signed = (challenge: string) => ({
  secret: SECRET,
  device: DEVICE,
  server: SERVER,
  challenge,
});

Deno.test("deviceProof() signs four lines with HMAC-SHA256", async () => {
  const key = await crypto.subtle.importKey(
    "raw",
    SECRET,
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const text = "portolan device login 1\nhub.example.org\nthermometer-7\nAAAA";
  const mac = await crypto.subtle.sign(
    "HMAC",
    key,
    new TextEncoder().encode(text),
  );
  assertEquals(deviceProof(signed("AAAA")), new Uint8Array(mac).toBase64());
});

Deno.test("deviceLogin() takes an answer once", async () => {
  const context = loginContext();
  const challenge = await challengeOf(context);
  assertEquals(Uint8Array.fromBase64(challenge).length, 32);
  const mac = deviceProof(signed(challenge));
  assertEquals(await prove(context, mac), {
    id: DEVICE,
    roles: ["sensor"],
    method: "device",
  });
  assertEquals(await refusalOf(prove(context, mac)), [
    "denied",
    "the device has no challenge",
  ]);
});

Deno.test("deviceLogin() refuses a replay on another connection, and after another challenge", async () => {
  const context = loginContext();
  const mac = deviceProof(signed(await challengeOf(context)));
  const other = loginContext();
  assertEquals((await refusalOf(prove(other, mac)))[0], "denied");
  assertNotEquals(await challengeOf(other), await challengeOf(context));
  assertEquals((await refusalOf(prove(other, mac)))[1], "wrong answer");
  assertEquals((await refusalOf(prove(context, mac)))[1], "wrong answer");
});

Deno.test("deviceLogin() gives one try for each challenge", async () => {
  const context = loginContext();
  const mac = deviceProof(signed(await challengeOf(context)));
  await refusalOf(prove(context, "AAAA"));
  assertEquals((await refusalOf(prove(context, mac)))[0], "denied");
});

Deno.test("deviceLogin() binds the answer to the device, the server and the secret", async () => {
  const wrong = [
    { device: "thermometer-8" },
    { server: "other.example.org" },
    { secret: new Uint8Array(32) },
    { challenge: "AAAA" },
  ];
  for (const part of wrong) {
    const context = loginContext();
    const mac = deviceProof({
      ...signed(await challengeOf(context)),
      ...part,
    });
    assertEquals((await refusalOf(prove(context, mac)))[1], "wrong answer");
  }
  const context = loginContext();
  await challengeOf(context, "thermometer-8");
  const challenge = await challengeOf(context, "thermometer-8");
  const mac = deviceProof(signed(challenge));
  assertEquals((await refusalOf(prove(context, mac)))[0], "denied");
});

Deno.test("deviceLogin() challenges names that are not known, too", async () => {
  const context = loginContext();
  const challenge = await challengeOf(context, "nobody");
  assertEquals(Uint8Array.fromBase64(challenge).length, 32);
  const mac = deviceProof({ ...signed(challenge), device: "nobody" });
  assertEquals(await refusalOf(prove(context, mac, "nobody")), [
    "denied",
    "no device has this name",
  ]);
});

Deno.test("deviceLogin() refuses answers that are none", async () => {
  for (
    const mac of [
      "",
      "?",
      "AAAA",
      "A".repeat(1e6),
      new Uint8Array(33).toBase64(),
    ]
  ) {
    const context = loginContext();
    await challengeOf(context);
    assertEquals((await refusalOf(prove(context, mac)))[1], "wrong answer");
  }
});

Deno.test("devicesFile() refuses short secrets, and files that everybody may read", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/devices.json`;
  const write = (secret: unknown) =>
    Deno.writeTextFile(
      path,
      JSON.stringify({ [DEVICE]: { secret, roles: [] } }),
      { mode: 0o600 },
    );
  for (
    const secret of [undefined, 1, "", "secret!", new Uint8Array(15).toBase64()]
  ) {
    await write(secret);
    const error = await assertRejects(() => devicesFile(path), Error, path);
    assertStringIncludes(`${error.cause}`, "16 bytes or more");
  }
  await write(SECRET.toBase64());
  const devices = await devicesFile(path);
  assertEquals((await devices.find(DEVICE))?.secret, SECRET);
  assertEquals(await devices.find("nobody"), undefined);
  await Deno.chmod(path, 0o644);
  const error = await assertRejects(() => devicesFile(path), Error, path);
  assertStringIncludes(`${error.cause}`, "chmod 600");
});
