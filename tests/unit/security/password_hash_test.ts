import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  DEFAULT_PASSWORD_COST,
  type DeriveKey,
  MAX_PASSWORD_BYTES,
  normalizePassword,
  parsePasswordHash,
  PasswordHasher,
} from "../../../src/security/password_hash.ts";
import { refusal } from "../../support/login_context.ts";

const CHEAP = { logN: 4, blockSize: 8, parallelism: 1 };

/** Hashes that are done when the test says so. */
class Gate {
  readonly started: string[] = [];
  readonly #finish = new Map<string, () => void>();
  readonly derive: DeriveKey = (password, _salt, _cost, bytes) => {
    this.started.push(password);
    return new Promise((resolve) =>
      this.#finish.set(password, () => resolve(new Uint8Array(bytes)))
    );
  };
  async finish(password: string): Promise<void> {
    this.#finish.get(password)!();
    // What it lets start begins some microtasks later.
    await new Promise((resolve) => setTimeout(resolve));
  }
}

Deno.test("PasswordHasher.verify() agrees with the vectors of RFC 7914, section 12", async () => {
  const hash = Uint8Array.fromHex(
    "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2" +
      "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
  );
  const base64 = (bytes: Uint8Array) => bytes.toBase64({ omitPadding: true });
  const salt = base64(new TextEncoder().encode("SodiumChloride"));
  const stored = `$scrypt$ln=14,r=8,p=1$${salt}$${base64(hash)}`;
  const hasher = new PasswordHasher();
  assert(await hasher.verify("pleaseletmein", stored));
  assert(!await hasher.verify("pleaseletmeIn", stored));
});

Deno.test("PasswordHasher.hash() writes its cost and a salt of its own", async () => {
  const hasher = new PasswordHasher({ cost: CHEAP });
  const [a, b] = [await hasher.hash("secret"), await hasher.hash("secret")];
  assertMatch(
    a,
    /^\$scrypt\$ln=4,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
  );
  assertNotEquals(a, b);
  assert(await hasher.verify("secret", a));
  assert(await hasher.verify("secret", b));
});

Deno.test("PasswordHasher costs what OWASP asks of scrypt by default", () => {
  const { logN, blockSize, parallelism } = DEFAULT_PASSWORD_COST;
  assertEquals([logN, blockSize, parallelism], [14, 8, 5]);
  assertEquals(parsePasswordHash(new PasswordHasher().decoy).cost, {
    ...DEFAULT_PASSWORD_COST,
  });
});

Deno.test("PasswordHasher.needsRehash() is true when any parameter has risen", () => {
  const hasher = new PasswordHasher({
    cost: { logN: 5, blockSize: 8, parallelism: 2 },
  });
  const stored = (ln: number, r: number, p: number) =>
    `$scrypt$ln=${ln},r=${r},p=${p}$${"A".repeat(22)}$${"A".repeat(43)}`;
  assertEquals(
    [
      stored(5, 8, 2),
      stored(6, 9, 3),
      stored(4, 8, 2),
      stored(5, 7, 2),
      stored(6, 8, 1),
    ].map((it) => hasher.needsRehash(it)),
    [false, false, true, true, true],
  );
});

Deno.test("parsePasswordHash() refuses what is no hash or costs too much, and does not quote it", () => {
  const salt = "A".repeat(22);
  const hash = "B".repeat(43);
  for (
    const stored of [
      "",
      "secret",
      `$argon2id$v=19$m=19456,t=2,p=1$${salt}$${hash}`,
      `$scrypt$ln=0,r=8,p=1$${salt}$${hash}`,
      `$scrypt$ln=14,r=0,p=1$${salt}$${hash}`,
      `$scrypt$ln=14,r=8,p=0$${salt}$${hash}`,
      `$scrypt$ln=30,r=8,p=1$${salt}$${hash}`,
      `$scrypt$ln=14,r=8,p=1$AAAA$${hash}`,
      `$scrypt$ln=14,r=8,p=1$${salt}$BBBB`,
      `$scrypt$ln=14,r=8,p=1$${salt}$${hash}\n`,
    ]
  ) {
    const error = assertThrows(() => parsePasswordHash(stored), SyntaxError);
    assert(stored === "" || !error.message.includes(stored), error.message);
  }
});

Deno.test("normalizePassword() is OpaqueString of RFC 8265", () => {
  assertEquals(normalizePassword("Pass word"), "Pass word");
  assertEquals(normalizePassword("a\u3000b\u2003c"), "a b c");
  assertEquals(normalizePassword("e\u0301"), "\u00e9");
  // NFC keeps what NFKC would change.
  assertEquals(normalizePassword("\ufb01"), "\ufb01");
  assertEquals(normalizePassword("πß๚").length, 3);
  for (const bad of ["", "tab\there", "null\0", "half \ud83d"]) {
    assertThrows(() => normalizePassword(bad), RangeError);
  }
});

Deno.test("normalizePassword() refuses more than 1,024 bytes of UTF-8", () => {
  assertEquals(normalizePassword("x".repeat(MAX_PASSWORD_BYTES)).length, 1024);
  assertEquals(normalizePassword("é".repeat(512)).length, 512);
  for (const long of ["x".repeat(1025), "é".repeat(513)]) {
    assertThrows(() => normalizePassword(long), RangeError, "1024 bytes");
  }
});

Deno.test("PasswordHasher.verify() computes nothing for a password that nobody can have", async () => {
  const gate = new Gate();
  const hasher = new PasswordHasher({ derive: gate.derive });
  assertEquals(await hasher.verify("x".repeat(1025), hasher.decoy), false);
  assertEquals(await hasher.verify("", hasher.decoy), false);
  assertEquals(gate.started, []);
});

Deno.test("PasswordHasher computes so many at a time, urgent ones first", async () => {
  const gate = new Gate();
  const hasher = new PasswordHasher({ maxConcurrent: 2, derive: gate.derive });
  const all = [
    ...["1", "2", "3", "4"].map((it) => hasher.hash(it)),
    hasher.hash("urgent", { urgent: true }),
  ];
  assertEquals(gate.started, ["1", "2"]);
  await gate.finish("2");
  await gate.finish("urgent");
  assertEquals(gate.started, ["1", "2", "urgent", "3"]);
  await gate.finish("1");
  await gate.finish("3");
  await gate.finish("4");
  assertEquals((await Promise.all(all)).length, 5);
});

Deno.test("PasswordHasher refuses when too many wait, and goes on when some have left", async () => {
  const gate = new Gate();
  const hasher = new PasswordHasher({
    maxConcurrent: 1,
    maxWaiting: 1,
    derive: gate.derive,
  });
  const first = hasher.hash("first");
  const controller = new AbortController();
  const leaving = hasher.hash("leaving", { signal: controller.signal });
  const { code, retryAfterMs } = await refusal(hasher.hash("refused"));
  assertEquals([code, retryAfterMs], ["too_many_tries", 1000]);
  controller.abort(new Error("gone"));
  await assertRejects(() => leaving, Error, "gone");
  const last = hasher.hash("last");
  await gate.finish("first");
  await gate.finish("last");
  await Promise.all([first, last]);
  assertEquals(gate.started, ["first", "last"]);
});

Deno.test("PasswordHasher goes on after a hash that failed", async () => {
  let fails = true;
  const hasher = new PasswordHasher({
    maxConcurrent: 1,
    derive: (_password, _salt, _cost, bytes) =>
      fails
        ? Promise.reject(new Error("out of memory"))
        : Promise.resolve(new Uint8Array(bytes)),
  });
  await assertRejects(() => hasher.hash("a"), Error, "out of memory");
  fails = false;
  await hasher.hash("b");
});

Deno.test("PasswordHasher lets the event loop go on", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await new PasswordHasher().hash("correct horse");
  clearInterval(timer);
  assertGreater(turns, 5);
});
