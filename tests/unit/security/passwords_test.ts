import {
  assert,
  assertEquals,
  assertGreater,
  assertLessOrEqual,
} from "@std/assert";
import { LoginThrottle } from "../../../src/proto/security/login_throttle.ts";
import {
  type DeriveKey,
  type PasswordCost,
  PasswordHasher,
} from "../../../src/security/password_hash.ts";
import {
  passwords,
  type PasswordsOptions,
} from "../../../src/security/passwords.ts";
import type { Account, Users } from "../../../src/security/users.ts";
import {
  loginContext,
  refusal,
  refusalOf,
} from "../../support/login_context.ts";

const COST: PasswordCost = { logN: 6, blockSize: 8, parallelism: 1 };

/** Stands in for scrypt, and counts. */
class FakeScrypt {
  readonly costs: PasswordCost[] = [];
  readonly derive: DeriveKey = async (password, salt, cost, bytes) => {
    this.costs.push(cost);
    const text = new TextEncoder().encode(`${password} ${salt.toBase64()}`);
    const hash = await crypto.subtle.digest("SHA-256", text);
    return new Uint8Array(hash, 0, bytes);
  };
}

class MemoryUsers implements Users {
  readonly accounts = new Map<string, Account>();
  find(name: string): Promise<Account | undefined> {
    return Promise.resolve(this.accounts.get(name));
  }
  replacePassword(account: Account, password: string): Promise<void> {
    this.accounts.set(account.name, { ...account, password });
    return Promise.resolve();
  }
}

async function door(options: Partial<PasswordsOptions> = {}) {
  const scrypt = new FakeScrypt();
  const hasher = new PasswordHasher({ cost: COST, derive: scrypt.derive });
  const users = new MemoryUsers();
  for (const name of ["ada", "zo\u00eb"]) {
    const password = await hasher.hash(`password of ${name}`);
    users.accounts.set(name, { name, password, roles: ["user"] });
  }
  scrypt.costs.length = 0;
  const authenticator = passwords({ users, hasher, ...options });
  const login = (
    user: string,
    password: string,
    source = "192.0.2.1",
    nowMs = 0,
  ) =>
    authenticator.authenticate(
      { type: "password", user, password },
      loginContext({ source, nowMs }),
    );
  return { scrypt, users, login, authenticator };
}

Deno.test("passwords() lets in who knows the password, in whatever form the name was typed", async () => {
  const { login } = await door();
  assertEquals(await login("ada", "password of ada"), {
    id: "ada",
    roles: ["user"],
    method: "password",
  });
  const zoe = await login("zoe\u0308", "password of zo\u00eb");
  assertEquals("id" in zoe && zoe.id, "zo\u00eb");
  assertEquals((await refusal(login("Ada", "password of ada"))).code, "denied");
});

Deno.test("passwords() tells an unknown name from a wrong password neither by words nor by cost", async () => {
  const { login, scrypt } = await door();
  const known = await refusal(login("ada", "wrong"));
  const ofKnown = scrypt.costs.splice(0);
  const unknown = await refusal(login("eve", "wrong"));
  const ofUnknown = scrypt.costs.splice(0);
  assertEquals(ofUnknown, [COST]);
  assertEquals(ofUnknown, ofKnown);
  assertEquals([unknown.message, unknown.code], [known.message, known.code]);
  for (const user of ["ada", "eve"]) {
    await refusal(login(user, "x".repeat(1025), "192.0.2.9"));
    assertEquals(scrypt.costs, []);
  }
});

Deno.test("passwords() refuses names of any length and form", async () => {
  const { login } = await door();
  for (const user of ["", "__proto__", "ada\0", "a".repeat(1e6), "\ud83d"]) {
    const { code } = await refusal(login(user, "wrong", crypto.randomUUID()));
    assertEquals(code, "denied");
  }
});

Deno.test("passwords() replaces a hash that costs less at the next login", async () => {
  const { users, scrypt } = await door();
  const higher = { ...COST, logN: 7 };
  const hasher = new PasswordHasher({ cost: higher, derive: scrypt.derive });
  const again = await door({ users, hasher });
  const before = users.accounts.get("ada")!.password;
  await refusal(again.login("ada", "wrong"));
  assertEquals(users.accounts.get("ada")!.password, before);
  await again.login("ada", "password of ada");
  const after = users.accounts.get("ada")!.password;
  assert(after.startsWith("$scrypt$ln=7,"), after);
  scrypt.costs.length = 0;
  await again.login("ada", "password of ada");
  assertEquals(scrypt.costs, [higher]);
});

Deno.test("passwords() lets in when the new hash cannot be stored, and says so", async () => {
  const { users, scrypt } = await door();
  users.replacePassword = () => Promise.reject(new Error("read-only"));
  const faults: string[] = [];
  const { login } = await door({
    users,
    hasher: new PasswordHasher({
      cost: { ...COST, logN: 7 },
      derive: scrypt.derive,
    }),
    onFault: ({ message }) => faults.push(message),
  });
  await login("ada", "password of ada");
  assertEquals(faults, ["read-only"]);
});

Deno.test("passwords() slows down guesses, also many at once", async () => {
  const { login, scrypt } = await door();
  const tries = await Promise.all(
    Array.from({ length: 60 }, (_, n) => refusal(login("ada", `guess ${n}`))),
  );
  assertEquals(scrypt.costs.length, 4);
  const codes = tries.map(({ code }) => code);
  assertEquals(codes.filter((code) => code === "denied").length, 4);
  assertEquals(tries.at(-1)?.retryAfterMs, 1000);
  const { code } = await refusal(login("ada", "password of ada"));
  assertEquals(code, "too_many_tries");
  await login("ada", "password of ada", "192.0.2.1", 1000);
});

Deno.test("passwords() refuses a source whose tries wait", async () => {
  const { login } = await door({ maxWaitingPerSource: 2 });
  const tries = ["a", "b", "c", "d"].map((user) =>
    refusalOf(login(user, "wrong"))
  );
  assertEquals(await tries.at(-1), [
    "too_many_tries",
    "2 tries of the source wait already",
  ]);
  await Promise.all(tries);
});

Deno.test("passwords() lets the owner in during 10,000 failed logins, from one source and from many", async () => {
  const throttle = new LoginThrottle({ maxSources: 1000, maxAccounts: 1000 });
  const { login, scrypt } = await door({ throttle });
  await login("ada", "password of ada", "192.0.2.1");
  scrypt.costs.length = 0;
  for (let n = 0; n < 5000; n++) {
    await refusal(login("ada", `guess ${n}`, "203.0.113.66", n));
    await refusal(login(`name ${n}`, "guess", `2001:db8:${n}::/64`, n));
  }
  // One source had its free tries and then one a delay; each of the others had one.
  assertGreater(scrypt.costs.length, 5000);
  assertLessOrEqual(scrypt.costs.length, 5010);
  assertLessOrEqual(throttle.size, 2001);
  // From where they were before, and from where nobody has failed.
  await login("ada", "password of ada", "192.0.2.1", 5000);
  await login("ada", "password of ada", "198.51.100.7", 5000);
  const { code } = await refusal(
    login("ada", "password of ada", "203.0.113.66", 5000),
  );
  assertEquals(code, "too_many_tries");
});

Deno.test("passwords() stops when the login is over", async () => {
  const { authenticator } = await door();
  const controller = new AbortController();
  controller.abort(new Error("gone"));
  const login = authenticator.authenticate(
    { type: "password", user: "ada", password: "password of ada" },
    loginContext({ signal: controller.signal }),
  );
  assertEquals((await login.catch((error) => error)).message, "gone");
});
