import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  TokenRevocations,
  tokenRevocationsFile,
} from "../../../src/security/token_revocations.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

Deno.test("TokenRevocations revokes all tokens of a subject when it has too many to remember", () => {
  const revoked = new TokenRevocations({ maxTokensPerSubject: 2 });
  for (let n = 0; n < 3; n++) {
    revoked.revoke({ sub: "ada", jti: `${n}`, expiresAtMs: 9000 }, 5000);
  }
  for (const jti of ["0", "1", "2", "another", undefined]) {
    assertEquals(revoked.has({ sub: "ada", jti, issuedAtMs: 5000 }), true);
    assertEquals(revoked.has({ sub: "ada", jti, issuedAtMs: 6000 }), false);
    assertEquals(revoked.has({ sub: "bob", jti, issuedAtMs: 0 }), false);
  }
});

Deno.test("TokenRevocations forgets what has expired, and nothing else", () => {
  const revoked = new TokenRevocations({ maxSubjects: 2, maxLifetimeMs: 1000 });
  revoked.revoke({ sub: "ada", jti: "1", expiresAtMs: 5000 }, 0);
  revoked.revokeAll("bob", 0);
  const third = { sub: "eve", jti: "3", expiresAtMs: 9000 };
  assertThrows(() => revoked.revoke(third, 1999), RangeError, "full");
  revoked.revoke(third, 2000);
  assertEquals(revoked.size, 2);
  assertEquals(revoked.has({ sub: "ada", jti: "1", issuedAtMs: 0 }), true);
  assertEquals(revoked.notBeforeMs("bob"), 0);
});

Deno.test("tokenRevocationsFile() is shared, and outlives the process", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/revoked.json`;
  const [a, b] = [
    await tokenRevocationsFile(path),
    await tokenRevocationsFile(path),
  ];
  await Promise.all(Array.from({ length: 20 }, (_, n) => {
    const token = { sub: `user ${n}`, jti: "1", expiresAtMs: 9e12 };
    return (n % 2 ? a : b).update((revoked) => revoked.revoke(token, 0));
  }));
  for (const list of [a, b, await tokenRevocationsFile(path)]) {
    assertEquals((await list.read()).size, 20);
  }
  await a.update((revoked) => revoked.revokeAll("__proto__", 0));
  assertEquals((await b.read()).notBeforeMs("__proto__"), 1000);
});

Deno.test("tokenRevocationsFile() refuses a file that makes no sense", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/revoked.json`;
  for (
    const text of [
      "x",
      "[]",
      '{"ada":1}',
      '{"ada":{"notBeforeMs":0,"untilMs":0}}',
      '{"ada":{"notBeforeMs":"0","untilMs":0,"tokens":{}}}',
      '{"ada":{"notBeforeMs":0,"untilMs":0,"tokens":{"1":null}}}',
    ]
  ) {
    await Deno.writeTextFile(path, text);
    await assertRejects(() => tokenRevocationsFile(path), Error, path);
  }
});
