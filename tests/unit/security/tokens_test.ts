import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { exportSPKI, importJWK, type JWK, SignJWT } from "npm:jose@6.2.17";
import {
  createTokenKey,
  publicTokenKey,
  tokenKeys,
} from "../../../src/security/token_keys.ts";
import { TokenRevocations } from "../../../src/security/token_revocations.ts";
import {
  jwtTokens,
  type JwtTokensOptions,
} from "../../../src/security/tokens.ts";
import {
  loginContext,
  refusal,
  refusalOf,
} from "../../support/login_context.ts";

const NOW_MS = 1_800_000_000_000;
const NOW = NOW_MS / 1000;
const ADA = { id: "ada", roles: ["admin"] };
const CLAIMS = { sub: "ada", iss: "issuer", aud: "hub", exp: NOW + 600 };

const KEY = await createTokenKey("EdDSA");
const KEY_2 = await createTokenKey("ES256");
const STRANGER = await createTokenKey("EdDSA");

async function door(options: Partial<JwtTokensOptions> = {}) {
  const tokens = jwtTokens({
    keys: await tokenKeys({ keys: [KEY, KEY_2] }),
    issuer: "issuer",
    audience: "hub",
    ...options,
  });
  const login = (token: string, nowMs = NOW_MS) =>
    tokens.authenticate({ type: "token", token }, loginContext({ nowMs }));
  return { tokens, login };
}

/** Signs what `issue()` would not. */
async function sign(
  claims: Record<string, unknown>,
  { key = KEY, kid = key["kid"], header = {} }: {
    key?: Record<string, unknown>;
    kid?: unknown;
    header?: Record<string, unknown>;
  } = {},
): Promise<string> {
  const alg = `${key["alg"]}`;
  const signing = new SignJWT(claims).setProtectedHeader({
    alg,
    ...(kid === null ? {} : { kid: `${kid}` }),
    ...header,
  });
  return await signing.sign(await importJWK(key as JWK, alg), {
    crit: { "x-test": true },
  });
}

function encode(part: unknown): string {
  const text = typeof part === "string" ? part : JSON.stringify(part);
  return new TextEncoder().encode(text)
    .toBase64({ alphabet: "base64url", omitPadding: true });
}

Deno.test("jwtTokens().issue() makes tokens that log in, by both algorithms", async () => {
  for (const key of [KEY, KEY_2]) {
    const { tokens, login } = await door({
      keys: await tokenKeys({ keys: [key] }),
    });
    const token = await tokens.issue(ADA, {
      lifetimeMs: 60_000,
      nowMs: NOW_MS,
    });
    assertEquals(await login(token), {
      ...ADA,
      method: "jwt",
      expiresAtMs: NOW_MS + 60_000,
    });
  }
});

Deno.test("jwtTokens() refuses alg none, with and without a signature", async () => {
  const { login } = await door();
  for (const alg of ["none", "None", "NONE", "nOnE"]) {
    const head = encode({ alg, kid: KEY["kid"] });
    for (const signature of ["", encode("x"), "AAAA"]) {
      const token = `${head}.${encode(CLAIMS)}.${signature}`;
      assertEquals((await refusal(login(token))).code, "denied");
    }
  }
});

Deno.test("jwtTokens() refuses HS256 with the public key as the secret", async () => {
  const { login } = await door();
  const { x } = KEY as { x: string };
  const spki = await exportSPKI(
    await importJWK(publicTokenKey(KEY) as JWK, "EdDSA", {
      extractable: true,
    }) as CryptoKey,
  );
  for (
    const secret of [
      new TextEncoder().encode(spki),
      new TextEncoder().encode(spki.trim()),
      Uint8Array.fromBase64(x, { alphabet: "base64url" }),
      new TextEncoder().encode(x),
    ]
  ) {
    const token = await new SignJWT(CLAIMS)
      .setProtectedHeader({ alg: "HS256", kid: `${KEY["kid"]}` })
      .sign(secret);
    assertEquals(await refusalOf(login(token)), [
      "denied",
      "the token is wrong: ERR_JOSE_ALG_NOT_ALLOWED",
    ]);
  }
});

Deno.test("jwtTokens() takes the algorithm from the key, not from the token", async () => {
  const { login } = await door();
  // Signed rightly by the second key, but for the kid of the first.
  for (
    const token of [
      await sign(CLAIMS, { key: KEY_2, kid: KEY["kid"] }),
      await sign(CLAIMS, { key: KEY, kid: KEY_2["kid"] }),
    ]
  ) assertEquals((await refusal(login(token))).code, "denied");
});

Deno.test("jwtTokens() refuses the signature of a stranger under any kid", async () => {
  const { login } = await door();
  assertEquals(
    await refusalOf(login(await sign(CLAIMS, { key: STRANGER }))),
    ["denied", "no key has the kid of the token"],
  );
  assertEquals(
    await refusalOf(
      login(await sign(CLAIMS, { key: STRANGER, kid: KEY["kid"] })),
    ),
    ["denied", "the token is wrong: ERR_JWS_SIGNATURE_VERIFICATION_FAILED"],
  );
  // With its own key in the header.
  const jwk = publicTokenKey(STRANGER);
  const token = await sign(CLAIMS, { key: STRANGER, header: { jwk } });
  assertEquals((await refusal(login(token))).code, "denied");
});

Deno.test("jwtTokens() takes a token without kid when there is one key alone", async () => {
  const token = await sign(CLAIMS, { kid: null });
  const { login } = await door();
  assertEquals((await refusal(login(token))).code, "denied");
  const single = await door({ keys: await tokenKeys({ keys: [KEY] }) });
  assert("id" in await single.login(token));
});

Deno.test("jwtTokens() refuses an altered header, payload or signature", async () => {
  const { login } = await door();
  const token = await sign(CLAIMS);
  assert("id" in await login(token));
  const [header, payload, signature] = token.split(".") as [
    string,
    string,
    string,
  ];
  const root = encode({ ...CLAIMS, sub: "root", roles: ["admin"] });
  for (
    const altered of [
      `${header}.${root}.${signature}`,
      `${
        encode({ alg: "EdDSA", kid: KEY["kid"], typ: "x" })
      }.${payload}.${signature}`,
      `${header}.${payload}.${signature.slice(0, -4)}AAAA`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${token}.${signature}`,
      ` ${token}`,
      `${token}\n`,
      `${header}..${signature}`,
      "..",
      "",
      "a.b.c",
      `${encode("null")}.${payload}.${signature}`,
    ]
  ) {
    assertEquals((await refusal(login(altered))).code, "denied", altered);
  }
});

Deno.test("jwtTokens() refuses missing and wrong claims", async () => {
  const { login } = await door();
  const { exp: _exp, ...noExp } = CLAIMS;
  const { sub: _sub, ...noSub } = CLAIMS;
  const { iss: _iss, ...noIss } = CLAIMS;
  const { aud: _aud, ...noAud } = CLAIMS;
  const wrong: [string, Record<string, unknown>][] = [
    ["exp", noExp],
    ["exp", { ...CLAIMS, exp: "tomorrow" }],
    ["exp", { ...CLAIMS, exp: null }],
    ["sub", noSub],
    ["sub", { ...CLAIMS, sub: "" }],
    ["sub", { ...CLAIMS, sub: { id: "ada" } }],
    ["iss", noIss],
    ["iss", { ...CLAIMS, iss: "another" }],
    ["aud", noAud],
    ["aud", { ...CLAIMS, aud: "another" }],
    ["aud", { ...CLAIMS, aud: ["another"] }],
    ["roles", { ...CLAIMS, roles: "admin" }],
    ["roles", { ...CLAIMS, roles: [{}] }],
    ["roles", { ...CLAIMS, roles: Array(1000).fill("x") }],
  ];
  for (const [claim, claims] of wrong) {
    const [code, detail] = await refusalOf(login(await sign(claims)));
    assertEquals(code, "denied");
    assertStringIncludes(detail, `claim ${claim} `);
  }
  assert("id" in await login(await sign({ ...CLAIMS, aud: ["x", "hub"] })));
});

Deno.test("jwtTokens() allows for the skew of clocks and no more", async () => {
  for (const clockSkewMs of [0, 60_000]) {
    const { login } = await door({ clockSkewMs });
    const expired = await sign({ ...CLAIMS, exp: NOW - clockSkewMs / 1000 });
    assertEquals((await refusal(login(expired))).code, "expired");
    assert("id" in await login(expired, NOW_MS - 1000));
    const early = await sign({ ...CLAIMS, nbf: NOW + clockSkewMs / 1000 + 1 });
    assertEquals(await refusalOf(login(early)), [
      "denied",
      "the claim nbf is wrong: check_failed",
    ]);
    assert("id" in await login(early, NOW_MS + 1000));
  }
});

Deno.test("jwtTokens() refuses a token that outlives its revocation", async () => {
  const revoked = new TokenRevocations({ maxLifetimeMs: 3_600_000 });
  const { tokens, login } = await door({ revoked });
  for (const exp of [NOW + 3661, 1e300, Number.MAX_SAFE_INTEGER]) {
    const [, detail] = await refusalOf(login(await sign({ ...CLAIMS, exp })));
    assertStringIncludes(detail, "lasts longer");
  }
  for (const lifetimeMs of [3_600_001, 0, -1, NaN, Infinity]) {
    await assertRejects(() => tokens.issue(ADA, { lifetimeMs }), RangeError);
  }
});

Deno.test("jwtTokens() refuses a token that is too long before it looks at it", async () => {
  const { login } = await door({ maxTokenBytes: 1000 });
  const long = await sign({ ...CLAIMS, filler: "x".repeat(1000) });
  assertEquals(await refusalOf(login(long)), [
    "denied",
    "the token has more than 1000 bytes",
  ]);
  const dots = ".".repeat(10_000_000);
  assertEquals((await refusal(login(dots))).code, "denied");
});

Deno.test("jwtTokens() refuses critical headers that it does not know", async () => {
  const { login } = await door();
  const token = await sign(CLAIMS, {
    header: { crit: ["x-test"], "x-test": true },
  });
  assertEquals((await refusal(login(token))).code, "denied");
});

Deno.test("jwtTokens() refuses a replay after logout", async () => {
  const { tokens, login } = await door();
  const issue = () => tokens.issue(ADA, { lifetimeMs: 60_000, nowMs: NOW_MS });
  const [token, other] = [await issue(), await issue()];
  assertNotEquals(token, other);
  await tokens.revoke(token, NOW_MS);
  assertEquals(await refusalOf(login(token)), [
    "revoked",
    "the token was revoked",
  ]);
  assert("id" in await login(other));
  // Still so in the skew after its expiry, when it would be good otherwise.
  assertEquals(
    (await refusal(login(token, NOW_MS + 100_000))).code,
    "revoked",
  );
});

Deno.test("jwtTokens().revoke() takes back the token of who has logged in with it", async () => {
  const { tokens, login } = await door();
  const issue = () => tokens.issue(ADA, { lifetimeMs: 60_000, nowMs: NOW_MS });
  const [token, other] = [await issue(), await issue()];
  const principal = await login(token);
  assert("id" in principal);
  await tokens.revoke(principal, NOW_MS);
  assertEquals((await refusal(login(token))).code, "revoked");
  assert("id" in await login(other));
  const stranger = { ...principal, method: "password" };
  assertEquals((await refusal(tokens.revoke(stranger))).code, "unsupported");
});

Deno.test("jwtTokens() refuses what was issued before all of a subject was revoked, and takes what comes after", async () => {
  const revoked = new TokenRevocations();
  const { tokens, login } = await door({ revoked });
  const options = { lifetimeMs: 60_000, nowMs: NOW_MS };
  const before = await tokens.issue(ADA, options);
  const ofBob = await tokens.issue({ id: "bob", roles: [] }, options);
  const undated = await sign(CLAIMS);
  revoked.revokeAll("ada", NOW_MS);
  // In the same second.
  const after = await tokens.issue(ADA, options);
  assertEquals((await refusal(login(before))).code, "revoked");
  assertEquals((await refusal(login(undated))).code, "revoked");
  assert("id" in await login(after));
  assert("id" in await login(ofBob));
  revoked.revokeAll("ada", NOW_MS);
  assertEquals((await refusal(login(after))).code, "revoked");
});

Deno.test("jwtTokens().revoke() takes nothing back for a token that is not good", async () => {
  const revoked = new TokenRevocations();
  const { tokens } = await door({ revoked });
  const forged = await sign(CLAIMS, { key: STRANGER, kid: KEY["kid"] });
  await refusal(tokens.revoke(forged, NOW_MS));
  assertEquals(revoked.size, 0);
});

Deno.test("jwtTokens().issue() needs a private key", async () => {
  const { tokens } = await door({
    keys: await tokenKeys({ keys: [publicTokenKey(KEY)] }),
  });
  await assertRejects(
    () => tokens.issue(ADA, { lifetimeMs: 1000 }),
    Error,
    "no key is private",
  );
});
