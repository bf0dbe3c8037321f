import { assert, assertEquals, assertThrows } from "@std/assert";
import { generateKeyPairSync } from "node:crypto";
import {
  checkpointKey,
  checkpointVerifier,
} from "../../../src/security/checkpoint.ts";

function pemPair(kind: "ed25519" | "ec"): [string, string] {
  const { publicKey, privateKey } = kind === "ed25519"
    ? generateKeyPairSync("ed25519")
    : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return [
    publicKey.export({ type: "spki", format: "pem" }).toString(),
    privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  ];
}

Deno.test("checkpointKey() signs with Ed25519, and the public key verifies", () => {
  const [publicKey, privateKey] = pemPair("ed25519");
  const key = checkpointKey(privateKey);
  assertEquals(key.algorithm, "ed25519");
  for (const pem of [publicKey, privateKey]) {
    const verify = checkpointVerifier(pem);
    assert(verify("text", key.sign("text")));
    assert(!verify("other", key.sign("text")));
    assert(!verify("text", "AAAA"));
    assert(!verify("text", "not base64!"));
  }
  const [other] = pemPair("ed25519");
  assert(!checkpointVerifier(other)("text", key.sign("text")));
});

Deno.test("checkpointKey() signs by HMAC with a secret, whatever white space ends its file", () => {
  const secret = "0123456789abcdef0123456789abcdef";
  const key = checkpointKey(`${secret}\n`);
  assertEquals(key.algorithm, "hmac-sha256");
  assert(checkpointVerifier(secret)("text", key.sign("text")));
  assert(!checkpointVerifier(`${secret}!`)("text", key.sign("text")));
});

Deno.test("checkpointKey() refuses keys that it cannot use", () => {
  assertThrows(
    () => checkpointKey("short"),
    TypeError,
    "it must have 32 bytes: current length is 5",
  );
  const [, ec] = pemPair("ec");
  assertThrows(
    () => checkpointKey(ec),
    TypeError,
    "it must be Ed25519: current value is ec",
  );
  const broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
  assertThrows(() => checkpointKey(broken), TypeError, "its PEM is broken");
});
