import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "@std/assert";
import {
  type SessionRecord,
  Sessions,
  type SessionStore,
} from "../../../src/security/sessions.ts";
import {
  sessionsFile,
  sessionTokens,
  withSession,
} from "../../../src/security/session_tokens.ts";
import { customLogin } from "../../../src/security/custom_login.ts";
import {
  loginContext,
  refusal,
  refusalOf,
} from "../../support/login_context.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const ADA = { id: "ada", roles: ["admin"] };

Deno.test("Sessions.start() gives 256 random bits, and keeps their hash alone", async () => {
  const saved: (readonly SessionRecord[])[] = [];
  const store: SessionStore = {
    load: () => Promise.resolve([]),
    save: (sessions) => Promise.resolve(void saved.push(sessions)),
  };
  const sessions = new Sessions({ store });
  const { token } = await sessions.start(ADA, 0);
  assertMatch(token, /^pts_[A-Za-z0-9_-]{43}$/);
  assertNotEquals((await sessions.start(ADA, 0)).token, token);
  const text = JSON.stringify(saved);
  assert(!text.includes(token.slice(4)), text);
  assertMatch(saved[0]![0]!.hash, /^[A-Za-z0-9+/]{43}=$/);
});

Deno.test("Sessions end when they are idle, and when they are old however much they are used", async () => {
  const sessions = new Sessions({ idleMs: 100, maxAgeMs: 250 });
  const { token, expiresAtMs } = await sessions.start(ADA, 0);
  assertEquals(expiresAtMs, 250);
  for (const nowMs of [99, 198, 249]) {
    assertEquals(sessions.use(token, nowMs).expiresAtMs, 250);
  }
  assertEquals(await refusalOf(Promise.try(() => sessions.use(token, 250))), [
    "expired",
    "the session is too old",
  ]);
  const idle = await sessions.start(ADA, 0);
  assertEquals(
    await refusalOf(Promise.try(() => sessions.use(idle.token, 100))),
    [
      "expired",
      "the session was not used",
    ],
  );
  assertEquals(sessions.size, 0);
  assertEquals(
    (await refusal(Promise.try(() => sessions.use(idle.token, 0)))).code,
    "denied",
  );
});

Deno.test("Sessions.rotate() ends the old token, and the session is no younger for it", async () => {
  const sessions = new Sessions({ maxAgeMs: 1000 });
  const first = await sessions.start(ADA, 0);
  const { principal, session } = await sessions.rotate(first.token, 500);
  assertEquals(principal.id, "ada");
  assertEquals(session.expiresAtMs, 1000);
  assertEquals(
    (await refusal(Promise.try(() => sessions.use(first.token, 500)))).code,
    "denied",
  );
  assertEquals(sessions.use(session.token, 999).id, "ada");
  assertEquals(
    (await refusal(Promise.try(() => sessions.use(session.token, 1000)))).code,
    "expired",
  );
  assertEquals(sessions.size, 0);
});

Deno.test("Sessions.rotate() of one token many times at once succeeds once", async () => {
  const sessions = new Sessions();
  const { token } = await sessions.start(ADA, 0);
  const all = await Promise.allSettled(
    Array.from({ length: 20 }, () => sessions.rotate(token, 1)),
  );
  assertEquals(all.filter(({ status }) => status === "fulfilled").length, 1);
  assertEquals(sessions.size, 1);
});

Deno.test("Sessions.end() and endAll() are logouts", async () => {
  const sessions = new Sessions();
  const ofAda = [await sessions.start(ADA, 0), await sessions.start(ADA, 0)];
  const ofBob = await sessions.start({ id: "bob", roles: [] }, 0);
  assertEquals(await sessions.end(ofAda[0]!.token), true);
  assertEquals(await sessions.end(ofAda[0]!.token), false);
  assertEquals(
    (await refusal(Promise.try(() => sessions.use(ofAda[0]!.token, 1)))).code,
    "denied",
  );
  assertEquals(await sessions.endAll("ada"), 1);
  assertEquals(
    (await refusal(Promise.try(() => sessions.use(ofAda[1]!.token, 1)))).code,
    "denied",
  );
  assertEquals(sessions.use(ofBob.token, 1).id, "bob");
});

Deno.test("Sessions of one user, and in all, are bounded: what was not used goes first", async () => {
  const sessions = new Sessions({ maxPerUser: 2, maxSessions: 3 });
  const first = await sessions.start(ADA, 0);
  const second = await sessions.start(ADA, 1);
  sessions.use(first.token, 2);
  await sessions.start(ADA, 3);
  assertEquals(
    (await refusal(Promise.try(() => sessions.use(second.token, 4)))).code,
    "denied",
  );
  sessions.use(first.token, 4);
  for (let n = 0; n < 1000; n++) {
    await sessions.start({ id: `user ${n}`, roles: [] }, 5);
  }
  assertEquals(sessions.size, 3);
});

Deno.test("sessionTokens() rotates at login, unless told not to", async () => {
  const sessions = new Sessions();
  const { token } = await sessions.start(ADA, 0);
  const login = (token: string, rotate?: boolean) =>
    sessionTokens(sessions, rotate === undefined ? {} : { rotate })
      .authenticate({ type: "token", token }, loginContext({ nowMs: 1 }));
  const principal = await login(token);
  assert("id" in principal);
  assertEquals([principal.id, principal.method], ["ada", "session"]);
  const { token: next } = principal.grant as { token: string };
  assertEquals((await refusal(login(token))).code, "denied");
  for (let n = 0; n < 2; n++) {
    const again = await login(next, false);
    assertEquals("grant" in again, false);
  }
  for (const bad of ["", "pts_", `${next}x`, next.slice(4), "a.b.c"]) {
    assertEquals((await refusal(login(bad))).code, "denied");
  }
});

Deno.test("withSession() grants a session at each login of another method, and passes on challenges", async () => {
  const sessions = new Sessions();
  const door = withSession(
    customLogin("two steps", (_credentials, { memory }) => {
      if (memory.has("asked")) return ADA;
      memory.set("asked", true);
      return { challenge: "AAAA" };
    }),
    sessions,
  );
  const context = loginContext();
  const credentials = { type: "token", token: "x" } as const;
  assertEquals(await door.authenticate(credentials, context), {
    challenge: "AAAA",
  });
  const principal = await door.authenticate(credentials, context);
  assert("id" in principal);
  assertEquals(principal.method, "two steps");
  const { token } = principal.grant as { token: string };
  assertEquals(sessions.use(token, 1).roles, ["admin"]);
});

Deno.test("sessionsFile() keeps sessions over a restart, with mode 600", async () => {
  await using folder = await temporaryFolder();
  const store = sessionsFile(`${folder.path}/sessions.json`);
  const faults: Error[] = [];
  const options = { store, onFault: (error: Error) => faults.push(error) };
  const sessions = await Sessions.load(options);
  const tokens = await Promise.all(
    Array.from({ length: 10 }, (_, n) => sessions.start(ADA, n)),
  );
  await sessions.end(tokens[0]!.token);
  await sessions.flush();
  const { mode } = await Deno.stat(`${folder.path}/sessions.json`);
  assertEquals(mode! & 0o777, 0o600);
  const later = await Sessions.load(options);
  assertEquals(later.size, 9);
  assertEquals(later.use(tokens[5]!.token, 100).id, "ada");
  assertEquals(
    (await refusal(Promise.try(() => later.use(tokens[0]!.token, 100)))).code,
    "denied",
  );
  assertEquals(faults, []);
});

Deno.test("Sessions go on in memory when the store fails", async () => {
  const faults: string[] = [];
  const sessions = new Sessions({
    store: {
      load: () => Promise.resolve([]),
      save: () => Promise.reject(new Error("disk full")),
    },
    onFault: ({ message }) => faults.push(message),
  });
  const { token } = await sessions.start(ADA, 0);
  assertEquals(sessions.use(token, 1).id, "ada");
  assertEquals(faults, ["disk full"]);
});

Deno.test("sessionTokens() takes the roles of the account as it is, and ends the sessions of one that is gone", async () => {
  const sessions = new Sessions();
  const [first, second] = [
    await sessions.start(ADA, 0),
    await sessions.start(ADA, 0),
  ];
  let roles: string[] | undefined = ["user"];
  for (const rotate of [true, false]) {
    const door = sessionTokens(sessions, {
      rotate,
      account: (id) =>
        Promise.resolve(id === "ada" && roles ? { roles } : undefined),
    });
    const login = (token: string) =>
      door.authenticate({ type: "token", token }, loginContext());
    const { token } = rotate ? first : second;
    const principal = await login(token);
    assertEquals("roles" in principal && principal.roles, ["user"]);
    if (rotate) continue;
    roles = undefined;
    assertEquals(await refusalOf(login(token)), [
      "denied",
      "the account is gone",
    ]);
  }
  assertEquals(sessions.size, 0);
});

Deno.test("sessionTokens() ends what began before the password was changed", async () => {
  for (const rotate of [true, false]) {
    const sessions = new Sessions();
    const old = await sessions.start(ADA, 1000);
    const account: { roles: string[]; passwordChangedMs?: number } = {
      roles: ["user"],
    };
    const door = sessionTokens(sessions, {
      rotate,
      account: () => Promise.resolve(account),
    });
    const login = (token: string) =>
      door.authenticate({ type: "token", token }, loginContext());
    const again = await login(old.token);
    assert("id" in again);
    const { token } = rotate ? again.grant as { token: string } : old;
    account.passwordChangedMs = 2000;
    const later = await sessions.start(ADA, 2001);
    assertEquals(await refusalOf(login(token)), [
      "denied",
      "no session has this token",
    ]);
    assert("id" in await login(later.token));
    assertEquals(sessions.size, 1);
  }
});
