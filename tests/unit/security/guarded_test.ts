import { assert, assertEquals, assertThrows } from "@std/assert";
import { KeyedLimit } from "../../../src/proto/security/keyed_limit.ts";
import { Rules } from "../../../src/proto/security/rules.ts";
import { AuditError } from "../../../src/security/audit.ts";
import type { Authenticator } from "../../../src/security/authentication.ts";
import {
  authenticated,
  type AuthenticatedCallbacks,
} from "../../../src/security/guarded.ts";
import { principalOf } from "../../../src/security/peer_session.ts";
import {
  AuditRecorder,
  DEVICES,
  plainPasswords,
  textLogin,
  type TextLoginOptions,
} from "../../support/login.ts";
import { frame, type RawClient } from "../../support/raw_client.ts";
import { VirtualServer } from "../../support/virtual_server.ts";
import { turns } from "../../support/wait.ts";

const decoder = new TextDecoder();
const fromUtf8 = (bytes: Uint8Array): string => decoder.decode(bytes);

const EPOCH_MS = Date.UTC(2026, 0, 1);

interface Room extends AsyncDisposable {
  server: VirtualServer<{ name: string }>;
  audit: AuditRecorder;
  /** What the handler was told. */
  heard: string[];
  dial(): Promise<Talk>;
}

/** A client that sends lines and reads answers, in virtual time. */
class Talk {
  readonly #client: RawClient;
  readonly #server: VirtualServer<{ name: string }>;

  constructor(client: RawClient, server: VirtualServer<{ name: string }>) {
    this.#client = client;
    this.#server = server;
  }

  /** Sends bytes as they are. */
  async raw(bytes: Uint8Array): Promise<void> {
    await this.#client.send(bytes);
    await turns();
  }

  /** Sends lines, in one write. */
  async say(...lines: string[]): Promise<void> {
    await this.raw(Uint8Array.from(lines.flatMap((line) => [...frame(line)])));
  }

  /** The next answers, after the time that a refusal takes. */
  async hear(count = 1): Promise<string[]> {
    const heard: string[] = [];
    for (let n = 0; n < count; n++) {
      await this.#server.clock.advance(260);
      heard.push(fromUtf8(await this.#client.receiveFrame()));
    }
    return heard;
  }

  /** What comes until the connection ends. */
  async rest(): Promise<string[]> {
    const ended = this.#client.receiveAll();
    await this.#server.clock.advance(5_000);
    const bytes = await ended;
    const lines: string[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = new DataView(bytes.buffer, at).getUint32(0);
      lines.push(fromUtf8(bytes.slice(at + 4, at + 4 + length)));
      at += 4 + length;
    }
    this.#client[Symbol.dispose]();
    return lines;
  }

  close(): void {
    this.#client[Symbol.dispose]();
  }
}

async function room(
  more: (now: () => number) => TextLoginOptions = () => ({}),
  callbacks: Partial<
    AuthenticatedCallbacks<string, string, { name: string }>
  > = {},
): Promise<Room> {
  const audit = new AuditRecorder();
  const heard: string[] = [];
  const clock = {
    now: () => server?.clock.now() ?? 0,
    arm: (...args: Parameters<VirtualServer["clock"]["arm"]>) =>
      server.clock.arm(...args),
    cancel: (timer: Parameters<VirtualServer["clock"]["cancel"]>[0]) =>
      server.clock.cancel(timer),
  };
  const now = () => EPOCH_MS + clock.now();
  const handler = authenticated<string, string, { name: string }>(
    textLogin({ audit, clock, now, ...more(now) }),
    {
      open(_peer, { id, roles }) {
        heard.push(`open ${id} ${roles}`);
        return { name: id };
      },
      message(peer, line) {
        heard.push(`${peer.state.name}: ${line}`);
        peer.send(`${principalOf(peer)?.id} said ${line}`);
      },
      close: (peer, ending) =>
        heard.push(`close ${peer.state.name} ${ending.cause}`),
      ...callbacks,
    },
  );
  const server: VirtualServer<{ name: string }> = await VirtualServer.start(
    handler,
  );
  return {
    server,
    audit,
    heard,
    dial: async () => new Talk(await server.dial(), server),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

Deno.test("authenticated() lets in who proves who it is, and tells the handler", async () => {
  await using club = await room();
  const ada = await club.dial();
  await ada.say("login ada lovelace", "hello");
  assertEquals(await ada.hear(2), ["welcome ada", "ada said hello"]);
  ada.close();
  await turns();
  assertEquals(club.heard, [
    "open ada user",
    "ada: hello",
    "close ada peer closed",
  ]);
  assertEquals(club.audit.story, [
    "login accepted, ada",
    "ended, ada, peer closed",
  ]);
});

Deno.test("authenticated() answers every wrong credential alike, after the same time", async () => {
  await using club = await room((now) => ({
    maxTries: 10,
    authenticators: [plainPasswords(), {
      name: "slow",
      accepts: ["token"],
      async authenticate() {
        await new Promise((resolve) => setTimeout(resolve, 1));
        throw new Error(`Cannot reach the database at ${now()}`);
      },
    }],
  }));
  const eve = await club.dial();
  for (
    const line of [
      "login ada wrong",
      "login nobody wrong",
      "login",
      "login ada ",
    ]
  ) {
    await eve.say(line);
    const before = club.audit.events.length;
    await club.server.clock.advance(249);
    assertEquals(club.audit.events.length, before, "not yet");
    assertEquals(await eve.hear(), ["refused denied"]);
  }
  assertEquals(club.heard, []);
  eve.close();
});

Deno.test("authenticated() treats an authenticator that fails as one that is not convinced", async () => {
  const broken: Authenticator = {
    name: "broken",
    accepts: ["token"],
    authenticate: () => Promise.reject(new Error("Cannot reach the store")),
  };
  await using club = await room(() => ({ authenticators: [broken] }));
  const ada = await club.dial();
  await ada.say("token abcdefgh");
  assertEquals(await ada.hear(), ["refused denied"]);
  assertEquals(club.audit.story, [
    "login refused, denied, failed: Cannot reach the store",
  ]);
  ada.close();
});

Deno.test("authenticated() turns a peer away after maxTries", async () => {
  await using club = await room();
  const eve = await club.dial();
  await eve.say(
    "login ada a",
    "login ada b",
    "login eve c",
    "login ada lovelace",
  );
  assertEquals(await eve.rest(), [
    "refused denied",
    "refused denied",
    "refused denied",
  ]);
  assertEquals(club.server.endings, [
    "local closed: 3 tries to log in have failed",
  ]);
  assertEquals(club.audit.story, [
    'login refused, "ada", denied, wrong password',
    'login refused, "ada", denied, wrong password',
    'login refused, "eve", denied, no account has this name',
  ]);
  assertEquals(club.heard, []);
});

Deno.test("authenticated() takes no message of the application before the login", async () => {
  await using club = await room();
  const eve = await club.dial();
  await eve.say("hello", "give me all", "login ada lovelace");
  assertEquals(await eve.hear(3), [
    "refused unsupported",
    "refused unsupported",
    "welcome ada",
  ]);
  assertEquals(club.heard, ["open ada user"]);
  eve.close();
});

Deno.test("authenticated() keeps its deadline against a peer that drips a login", async () => {
  await using club = await room(() => ({ deadlineMs: 3_000 }));
  const eve = await club.dial();
  for (const byte of frame("login ada lovelace").subarray(0, 5)) {
    await eve.raw(Uint8Array.of(byte));
    await club.server.clock.advance(500);
  }
  assertEquals(club.server.endings, []);
  assertEquals(await eve.rest(), ["refused timed_out"]);
  assertEquals(club.server.endings, [
    "local closed: no login within 3000 ms",
  ]);
  assertEquals(club.audit.story, [
    "login refused, timed_out, no login within 3000 ms",
  ]);
});

Deno.test("authenticated() keeps its deadline against an authenticator that hangs, and tells it", async () => {
  let told: AbortSignal | undefined;
  const hanging: Authenticator = {
    name: "hanging",
    accepts: ["token"],
    authenticate(_credentials, { signal }) {
      told = signal;
      return new Promise(() => {});
    },
  };
  await using club = await room(() => ({
    authenticators: [hanging],
    deadlineMs: 1_000,
  }));
  const eve = await club.dial();
  await eve.say("token abcdefgh");
  assertEquals(await eve.rest(), ["refused timed_out"]);
  assert(told?.aborted);
});

Deno.test("authenticated() has a small frame limit before the login, and the wire's after it", async () => {
  await using club = await room(() => ({ maxFrameBytes: 100 }));
  const eve = await club.dial();
  await eve.say(`login ada ${"x".repeat(200)}`);
  assertEquals(await eve.rest(), []);
  assertEquals(club.server.endings.length, 1);
  assert(club.server.endings[0]!.startsWith("limit: "), club.server.endings[0]);
  assertEquals(club.audit.events[0]?.code, "unsupported");
  const ada = await club.dial();
  const long = "y".repeat(10_000);
  await ada.say("login ada lovelace", long);
  assertEquals(await ada.hear(2), ["welcome ada", `ada said ${long}`]);
  ada.close();
});

Deno.test("authenticated() asks a device for an answer to its challenge", async () => {
  await using club = await room();
  const lamp = await club.dial();
  await lamp.say("proof lamp c4a11e5ge");
  assertEquals(await lamp.hear(), ["refused denied"]);
  await lamp.say("device lamp");
  assertEquals(await lamp.hear(), ["challenge c4a11e5ge"]);
  await lamp.say("proof lamp c4a11e5ge", "on");
  assertEquals(await lamp.hear(2), ["welcome lamp", "lamp said on"]);
  lamp.close();
  const other = await club.dial();
  await other.say("device lamp", "device lamp", "device lamp", "device lamp");
  assertEquals((await other.rest()).length, 3, "and no more challenges");
});

Deno.test("authenticated() counts what is no message as a try", async () => {
  await using club = await room();
  const eve = await club.dial();
  await eve.raw(frame(Uint8Array.of(0xff)));
  assertEquals(await eve.hear(), ["refused unsupported"]);
  eve.close();
});

Deno.test("authenticated() refuses logins that cannot be written down", async () => {
  await using club = await room();
  club.audit.fault = new AuditError("Cannot write the record: no space");
  const ada = await club.dial();
  await ada.say("login ada lovelace");
  assertEquals(await ada.hear(), ["refused denied"]);
  assertEquals(club.heard, []);
  club.audit.fault = undefined;
  await ada.say("login ada lovelace");
  assertEquals(await ada.hear(), ["welcome ada"]);
  ada.close();
});

Deno.test("authenticated() ends the connection when the proof runs out, unless it is renewed", async () => {
  await using club = await room((now) => ({
    authenticators: [plainPasswords({ expiresAtMs: () => now() + 60_000 })],
  }));
  const ada = await club.dial();
  await ada.say("login ada lovelace");
  assertEquals(await ada.hear(), ["welcome ada"]);
  await club.server.clock.advance(40_000);
  await ada.say("login ada lovelace");
  assertEquals(await ada.hear(), ["welcome ada"]);
  await club.server.clock.advance(40_000);
  await ada.say("still here");
  assertEquals(await ada.hear(), ["ada said still here"]);
  await club.server.clock.advance(20_000);
  assertEquals(await ada.rest(), ["refused expired"]);
  assertEquals(club.server.endings, ["local closed: the login has expired"]);
});

Deno.test("authenticated() refuses a proof that has run out already", async () => {
  await using club = await room((now) => ({
    authenticators: [plainPasswords({ expiresAtMs: now })],
  }));
  const ada = await club.dial();
  await ada.say("login ada lovelace");
  assertEquals(await ada.hear(), ["refused expired"]);
  ada.close();
});

Deno.test("authenticated() takes no message after the proof has run out, though its timer is late", async () => {
  let lateMs = 0;
  await using club = await room((now) => ({
    now: () => now() + lateMs,
    authenticators: [plainPasswords({ expiresAtMs: () => now() + 60_000 })],
  }));
  const ada = await club.dial();
  await ada.say("login ada lovelace");
  await ada.hear();
  lateMs = 120_000;
  await ada.say("hello after a sleep");
  assertEquals(await ada.rest(), ["refused expired"]);
  assertEquals(club.heard.slice(1), ["close ada local closed"]);
});

Deno.test("authenticated() does not let one connection become somebody else", async () => {
  await using club = await room();
  const ada = await club.dial();
  await ada.say("login ada lovelace");
  await ada.hear();
  await ada.say("login bob builder9");
  assertEquals(await ada.hear(), ["refused unsupported"]);
  await ada.say("who?");
  assertEquals(await ada.hear(), ["ada said who?"]);
  ada.close();
});

Deno.test("authenticated() lets the handler turn a connection over to somebody else", async () => {
  const changes: string[] = [];
  await using club = await room(() => ({}), {
    login(peer, { id }, previous) {
      changes.push(`${previous.id} > ${id}`);
      peer.state.name = id;
    },
  });
  const peer = await club.dial();
  await peer.say("login ada lovelace", "login bob builder9", "who?");
  assertEquals(await peer.hear(3), [
    "welcome ada",
    "welcome bob",
    "bob said who?",
  ]);
  assertEquals(changes, ["ada > bob"]);
  assertEquals(club.heard.at(-1), "bob: who?");
  peer.close();
});

Deno.test("authenticated() closes a session in which logins fail again and again", async () => {
  await using club = await room();
  const ada = await club.dial();
  await ada.say("login ada lovelace");
  await ada.hear();
  for (let tries = 0; tries < 5; tries++) {
    await ada.say("login root guess");
    assertEquals(await ada.hear(), ["refused denied"]);
  }
  await ada.say("login root guess");
  assertEquals(await ada.rest(), ["refused denied"]);
});

Deno.test("authenticated() ends a session at the wish of the peer, and tells who revokes it", async () => {
  const revoked: string[] = [];
  await using club = await room(() => ({
    isLogout: (line) => line === "logout",
    loggedOut: ({ id }) => revoked.push(id),
    answer: { loggedOut: () => "bye" },
  }));
  const ada = await club.dial();
  await ada.say("login ada lovelace", "logout", "one more thing");
  assertEquals(await ada.rest(), ["welcome ada", "bye"]);
  assertEquals(revoked, ["ada"]);
  assertEquals(club.audit.story, [
    "login accepted, ada",
    "logout, ada",
    "ended, ada, logged out",
  ]);
});

Deno.test("authenticated() lets everybody in with the roles of nobody, and takes a login later", async () => {
  await using club = await room(() => ({
    anonymous: { roles: ["anonymous"] },
    rules: new Rules([
      { allow: ["anonymous", "user"], types: ["look"] },
      { allow: ["user"], types: ["say"] },
    ]),
    answer: { denied: ({ reason }) => reason },
  }));
  const peer = await club.dial();
  await peer.say("look", "say x");
  assertEquals(await peer.hear(2), [
    "anonymous said look",
    'no rule allows "say" in "x"',
  ]);
  await peer.say("login ada lovelace", "say x");
  assertEquals(await peer.hear(2), ["welcome ada", "ada said say x"]);
  peer.close();
  await turns();
  assertEquals(
    club.audit.events.map(({ event, who, type, group, count }) =>
      [event, who, type, group, count].filter((it) => it !== undefined).join(
        " ",
      )
    ),
    [
      "denied anonymous say x",
      "login accepted ada",
      "ended ada 1",
    ],
  );
});

Deno.test("authenticated() closes a peer that does what it may not, if there is no word for that", async () => {
  await using club = await room(() => ({ rules: new Rules([]) }));
  const ada = await club.dial();
  await ada.say("login ada lovelace", "anything");
  assertEquals(await ada.rest(), ["welcome ada"]);
  assertEquals(club.server.endings, [
    'local closed: no rule allows "anything"',
  ]);
});

Deno.test("authenticated() asks for the rules at each message", async () => {
  let rules = new Rules([{ allow: ["user"] }]);
  await using club = await room(() => ({
    rules: () => rules,
    answer: { denied: () => "no more" },
  }));
  const ada = await club.dial();
  await ada.say("login ada lovelace", "first");
  assertEquals(await ada.hear(2), ["welcome ada", "ada said first"]);
  rules = new Rules([{ allow: ["admin"] }]);
  await ada.say("second");
  assertEquals(await ada.hear(), ["no more"]);
  ada.close();
});

Deno.test("authenticated() does not let a peer fill the audit log with what it may not do", async () => {
  await using club = await room(() => ({
    rules: new Rules([]),
    answer: { denied: () => undefined },
  }));
  const ada = await club.dial();
  await ada.say("login ada lovelace", ...new Array(5_000).fill("anything"));
  await turns(20);
  ada.close();
  await turns(20);
  const { events } = club.audit;
  assertEquals(events.filter(({ event }) => event === "denied").length, 10);
  assertEquals(events.at(-1)?.count, 5_000);
});

Deno.test("authenticated() makes an identity wait beyond its rate, over all its connections", async () => {
  await using club = await room(() => ({
    messageLimit: new KeyedLimit({ ratePerSecond: 10, burst: 2 }),
  }));
  const startMs = club.server.clock.now();
  const [one, two] = [await club.dial(), await club.dial()];
  await one.say("login ada lovelace", "1", "2", "3");
  await two.say("login ada lovelace", "4", "5", "6", "7");
  const heard = () => club.heard.filter((it) => it.startsWith("ada:")).length;
  await turns();
  assert(heard() <= 4, `${heard()}`);
  await club.server.clock.advance(800);
  assertEquals(heard(), 7);
  assert(club.server.clock.now() - startMs >= 500);
  const bob = await club.dial();
  await bob.say("login bob builder9", "1", "2");
  await turns();
  assertEquals(club.heard.filter((it) => it.startsWith("bob:")).length, 2);
  for (const peer of [one, two, bob]) peer.close();
});

Deno.test("authenticated() refuses beyond the rate if it shall, and says when to come back", async () => {
  await using club = await room(() => ({
    messageLimit: new KeyedLimit({ ratePerSecond: 10, burst: 1 }),
    overRate: "refuse",
    answer: { limited: (ms: number) => `in ${ms} ms` },
  }));
  const ada = await club.dial();
  await ada.say("login ada lovelace", "1", "2", "3");
  assertEquals(await ada.hear(4), [
    "welcome ada",
    "ada said 1",
    "in 100 ms",
    "in 100 ms",
  ]);
  await ada.say("4");
  assertEquals(await ada.hear(), ["ada said 4"]);
  ada.close();
});

Deno.test("authenticated() limits the tries of a source, as a trusted proxy tells it", async () => {
  const sources = ["2001:db8::1", "2001:db8::2", "192.0.2.7"];
  const told = new Map<number, string>();
  await using club = await room(() => ({
    loginLimit: new KeyedLimit({ ratePerSecond: 0.1, burst: 1 }),
    sourceOf({ id }) {
      if (!told.has(id)) told.set(id, sources.shift()!);
      return told.get(id);
    },
  }));
  const said: string[] = [];
  for (let n = 0; n < 3; n++) {
    const peer = await club.dial();
    await peer.say("login ada lovelace");
    said.push(...await peer.hear());
    peer.close();
    await turns();
  }
  assertEquals(said[0], "welcome ada");
  assert(/^refused too_many_tries \d+$/.test(said[1]!), said[1]);
  assertEquals(said[2], "welcome ada");
  const networks = club.audit.events.filter(({ event }) => event !== "ended")
    .map(({ source }) => source);
  assertEquals(networks, [
    "2001:db8:0:0::/64",
    "2001:db8:0:0::/64",
    "192.0.2.7",
  ]);
});

Deno.test("authenticated() checks so many logins at a time, and refuses when too many wait", async () => {
  let running = 0;
  let most = 0;
  const gate = Promise.withResolvers<void>();
  const slow: Authenticator = {
    ...plainPasswords(),
    async authenticate(credentials, context) {
      most = Math.max(most, ++running);
      await gate.promise;
      running--;
      return await plainPasswords().authenticate(credentials, context);
    },
  };
  await using club = await room(() => ({
    authenticators: [slow],
    maxChecks: 2,
    maxWaitingChecks: 3,
  }));
  const peers: Talk[] = [];
  for (let n = 0; n < 7; n++) {
    const peer = await club.dial();
    await peer.say("login ada lovelace");
    peers.push(peer);
  }
  assertEquals(running, 2);
  for (const peer of peers.slice(5)) {
    assertEquals(await peer.hear(), ["refused too_many_tries 1000"]);
  }
  gate.resolve();
  await turns();
  for (const peer of peers.slice(0, 5)) {
    assertEquals(await peer.hear(), ["welcome ada"]);
  }
  assertEquals([most, running], [2, 0]);
  for (const peer of peers) peer.close();
});

Deno.test("authenticated() tells of a peer that the handler turned away", async () => {
  await using club = await room(() => ({}), {
    open: () => Promise.reject(new Error("Cannot open the room")),
  });
  const ada = await club.dial();
  await ada.say("login ada lovelace");
  assertEquals(await ada.rest(), ["welcome ada"]);
  assertEquals(club.audit.story, [
    "login accepted, ada",
    "ended, ada, turned away",
  ]);
});

Deno.test("authenticated() asks each authenticator, and tells what the one that knows says", async () => {
  const knows: Authenticator = {
    name: "knows",
    accepts: ["device"],
    authenticate: () => Promise.reject(new Error("unused")),
  };
  await using club = await room(() => ({ authenticators: [knows, DEVICES] }));
  const lamp = await club.dial();
  await lamp.say("login ada lovelace");
  assertEquals(await lamp.hear(), ["refused unsupported"]);
  lamp.close();
});

Deno.test("authenticated() leaves no timer and forgets the peer at the end", async () => {
  await using club = await room((now) => ({
    authenticators: [plainPasswords({ expiresAtMs: () => now() + 600_000 })],
  }));
  const { armed } = club.server.clock;
  const ada = await club.dial();
  await ada.say("login ada lovelace");
  await ada.hear();
  ada.close();
  await turns();
  assertEquals(club.server.clock.armed, armed);
});

Deno.test("authenticated() refuses options that guard nothing", () => {
  const handler = { message() {} };
  const { action: _action, ...login } = textLogin();
  assertThrows(
    () => authenticated({ ...login, rules: new Rules([]) }, handler),
    TypeError,
    "rules need 'action'",
  );
  assertThrows(
    () => authenticated(textLogin({ maxTries: 0 }), handler),
    RangeError,
    "'maxTries' must be a number above 0: current value is 0",
  );
});
