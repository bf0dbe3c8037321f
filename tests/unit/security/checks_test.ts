import { assert, assertEquals, assertRejects } from "@std/assert";
import { AuthenticationError } from "../../../src/security/authentication.ts";
import { Checks, MAX_TRUSTED_SOURCES } from "../../../src/security/checks.ts";
import { turns } from "../../support/wait.ts";

const { signal } = new AbortController();

const LIMITS = {
  maxChecks: 4,
  maxChecksPerSource: 2,
  maxWaitingChecks: 100,
  maxWaitingChecksPerSource: 50,
};

Deno.test("Checks.run() gives every source its turn, whatever another has waiting", async () => {
  const checks = new Checks(LIMITS);
  const done: string[] = [];
  let running = 0;
  const check = (source: string) =>
    checks.run(source, signal, async () => {
      assert(++running <= 4);
      await turns(1);
      running--;
      done.push(source);
    });
  const flood = Array.from({ length: 50 }, () => check("mallory"));
  const users = ["ada", "bob", "eve"].map(check);
  await Promise.all(users);
  assert(done.length < 15, `${done}`);
  await Promise.all(flood);
  assertEquals(done.length, 53);
  assertEquals([checks.size, running], [0, 0]);
});

Deno.test("Checks.run() refuses when too many wait, of a source or in all", async () => {
  const checks = new Checks({
    maxChecks: 2,
    maxChecksPerSource: 1,
    maxWaitingChecks: 3,
    maxWaitingChecksPerSource: 2,
  });
  const gate = Promise.withResolvers<void>();
  const check = (source: string) =>
    checks.run(source, signal, () => gate.promise);
  const all = ["a", "b", "a", "a"].map(check);
  const error = await assertRejects(() => check("a"), AuthenticationError);
  assertEquals(error.code, "too_many_tries");
  assertEquals(error.detail, "2 logins wait already, 2 of the source");
  all.push(check("b"));
  await assertRejects(() => check("c"), AuthenticationError);
  gate.resolve();
  await Promise.all(all);
  assertEquals(checks.size, 0);
});

Deno.test("Checks.run() lets sources go first from which somebody has logged in", async () => {
  const checks = new Checks({
    maxChecks: 1,
    maxChecksPerSource: 1,
    maxWaitingChecks: 300,
    maxWaitingChecksPerSource: 1,
  });
  checks.trust("home");
  const done: string[] = [];
  const check = (source: string) =>
    checks.run(source, signal, async () => {
      await turns(1);
      done.push(source);
    });
  const flood = Array.from({ length: 301 }, (_, n) => check(`2001:db8::${n}`));
  await assertRejects(() => check("cafe"), AuthenticationError);
  await check("home");
  assertEquals(done, ["2001:db8::0", "home"]);
  await Promise.all(flood);
  assertEquals(checks.size, 0);
});

Deno.test("Checks.trust() remembers so many sources, and those of late", () => {
  const checks = new Checks(LIMITS);
  for (let n = 0; n < MAX_TRUSTED_SOURCES; n++) checks.trust(`${n}`);
  checks.trust("0");
  checks.trust("new");
  assertEquals(["0", "1", "new"].map((name) => checks.isTrusted(name)), [
    true,
    false,
    true,
  ]);
});

Deno.test("Checks.run() forgets who stops waiting, and goes on after a failure", async () => {
  const checks = new Checks({ ...LIMITS, maxChecks: 1 });
  const gate = Promise.withResolvers<void>();
  const first = checks.run("a", signal, () => gate.promise);
  const controller = new AbortController();
  const left = checks.run("b", controller.signal, () => Promise.resolve());
  const last = checks.run("c", signal, () => Promise.resolve("checked"));
  controller.abort(new Error("Left"));
  await assertRejects(() => left, Error, "Left");
  assertEquals(checks.size, 2);
  gate.reject(new Error("Broken"));
  await assertRejects(() => first, Error, "Broken");
  assertEquals(await last, "checked");
  assertEquals(checks.size, 0);
  await assertRejects(
    () => checks.run("b", controller.signal, () => Promise.resolve()),
    Error,
    "Left",
  );
});
