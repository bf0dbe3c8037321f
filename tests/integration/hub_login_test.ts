import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import {
  HUB_SERVER,
  type LoginSettings,
  openLogin,
} from "../../scenarios/hub/login.ts";
import { type Hub, startHub } from "../../scenarios/hub/server.ts";
import { PasswordHasher } from "../../src/security/password_hash.ts";
import { UsersFile } from "../../src/security/users.ts";
import { jwtTokens } from "../../src/security/tokens.ts";
import {
  createTokenKey,
  tokenKeysFile,
} from "../../src/security/token_keys.ts";
import { deviceProof } from "../../src/security/devices.ts";
import { type Heard, HubClient } from "../support/hub_client.ts";
import { waitUntil } from "../support/wait.ts";

const PASSWORD = "correct horse battery staple";
const SECRET = new Uint8Array(32).fill(7).toBase64();

const hash = await new PasswordHasher().hash(PASSWORD);

/** A hub that asks for a login, and the folder of its files. */
async function start(
  settings: LoginSettings = {},
): Promise<{ hub: Hub; folder: string } & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "portolan-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const write = async (name: string, value: unknown) => {
    const path = `${folder}/${name}`;
    await Deno.writeTextFile(path, JSON.stringify(value), { mode: 0o600 });
    return path;
  };
  const users = await write("users.json", {
    ada: { password: hash, roles: ["admin"] },
    bob: { password: hash, roles: ["user"] },
  });
  const tokens = await write("keys.json", {
    keys: [await createTokenKey("EdDSA")],
  });
  const devices = await write("devices.json", {
    buoy: { secret: SECRET, roles: ["sensor"] },
  });
  const rules = await write("rules.json", [
    { allow: ["admin"] },
    { deny: ["*"], groups: ["bridge"] },
    {
      allow: ["user", "sensor"],
      types: ["ping", "echo", "join", "room_message", "identify"],
    },
    { allow: ["guest"], types: ["ping", "identify"] },
  ]);
  const audit = `${folder}/audit.log`;
  const login = await openLogin({
    users,
    tokens,
    devices,
    rules,
    audit,
    ...settings,
  });
  stack.use(login!);
  const hub = stack.use(
    await startHub({ listen: `memory:login${folder}`, guard: login!.guard }),
  );
  const open = stack.move();
  return { hub, folder, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

function byPassword(user: string, password = PASSWORD): object {
  return { type: "login", user, password };
}

function codes(heard: Heard[]): unknown[] {
  return heard.map(({ type, code, reason }) => reason ?? code ?? type);
}

Deno.test("hub with a login answers nobody who has not logged in", async () => {
  await using harness = await start();
  using client = await HubClient.connect(harness.hub.endpoint);
  const heard = await client.ask({ type: "ping" });
  assertEquals(codes([heard]), ["unsupported"]);
  const answer = await client.ask(byPassword("ada"));
  assertEquals(answer.type, "logged_in");
  assertEquals(answer["user"], "ada");
  assertEquals(answer["roles"], ["admin"]);
  assertMatch(String(answer["session"]), /^pts_/);
  assertEquals((await client.ask({ type: "ping" })).type, "pong");
});

Deno.test("hub with a login says the same to a wrong password and to a name that is not there, and closes after three", async () => {
  const answers: Heard[][] = [];
  for (const user of ["ada", "nobody"]) {
    await using harness = await start();
    using client = await HubClient.connect(harness.hub.endpoint);
    await client.say(...Array(3).fill(byPassword(user, "wrong")));
    answers.push(
      (await client.rest()).map(({ retry_after_ms: _, ...rest }) =>
        rest as Heard
      ),
    );
  }
  const [wrong, absent] = answers;
  assertEquals(wrong, absent);
  assertEquals(wrong?.length, 3);
});

Deno.test("hub with a login takes a session token once, and none after the logout", async () => {
  await using harness = await start();
  const { endpoint } = harness.hub;
  using first = await HubClient.connect(endpoint);
  const { session } = await first.ask(byPassword("bob"));
  using second = await HubClient.connect(endpoint);
  const again = await second.ask({ type: "login", token: session });
  assertEquals([again.type, again["user"]], ["logged_in", "bob"]);
  assertNotEquals(again["session"], session);
  using replayed = await HubClient.connect(endpoint);
  assertEquals(
    (await replayed.ask({ type: "login", token: session }))["code"],
    "login_refused",
  );
  assertEquals((await second.ask({ type: "logout" })).type, "logged_out");
  using late = await HubClient.connect(endpoint);
  assertEquals(
    (await late.ask({ type: "login", token: again["session"] }))["code"],
    "login_refused",
  );
});

Deno.test("hub with a login takes tokens of the issuer, and challenges devices", async () => {
  await using harness = await start();
  const { hub, folder } = harness;
  const issuer = jwtTokens({
    keys: await tokenKeysFile(`${folder}/keys.json`),
    issuer: "portolan",
    audience: "portolan",
  });
  const token = await issuer.issue(
    { id: "eve", roles: ["user"] },
    { lifetimeMs: 60_000 },
  );
  using bearer = await HubClient.connect(hub.endpoint);
  const answer = await bearer.ask({ type: "login", token });
  assertEquals([answer["user"], answer["method"]], ["eve", "jwt"]);
  using device = await HubClient.connect(hub.endpoint);
  const { type, challenge } = await device.ask({
    type: "login",
    device: "buoy",
  });
  assertEquals(type, "challenge");
  const mac = deviceProof({
    secret: Uint8Array.fromBase64(SECRET),
    device: "buoy",
    server: HUB_SERVER,
    challenge: String(challenge),
  });
  const proved = await device.ask({ type: "login", device: "buoy", mac });
  assertEquals([proved.type, proved["roles"]], ["logged_in", ["sensor"]]);
});

Deno.test("hub with rules tells what is denied, and does the rest", async () => {
  await using harness = await start();
  using bob = await HubClient.connect(harness.hub.endpoint);
  await bob.ask(byPassword("bob"));
  await bob.say(
    { type: "echo", content: 1 },
    { type: "broadcast", content: 1 },
    { type: "join", room: "bridge" },
    { type: "join", room: "deck" },
    { type: "get_stats" },
  );
  assertEquals(codes(await bob.hearAll(5)), [
    "echo_response",
    "denied",
    "denied",
    "joined",
    "denied",
  ]);
  using ada = await HubClient.connect(harness.hub.endpoint);
  await ada.ask(byPassword("ada"));
  assertEquals(
    (await ada.ask({ type: "join", room: "bridge" })).type,
    "joined",
  );
});

Deno.test("hub with a login takes a token of the issuer no more after the logout", async () => {
  await using harness = await start();
  const { hub, folder } = harness;
  const issuer = jwtTokens({
    keys: await tokenKeysFile(`${folder}/keys.json`),
    issuer: "portolan",
    audience: "portolan",
  });
  const token = await issuer.issue({ id: "zoe", roles: [] }, {
    lifetimeMs: 60_000,
  });
  const login = { type: "login", token };
  using client = await HubClient.connect(hub.endpoint);
  assertEquals((await client.ask(login)).type, "logged_in");
  assertEquals((await client.ask({ type: "logout" })).type, "logged_out");
  using replayed = await HubClient.connect(hub.endpoint);
  assertEquals(codes([await replayed.ask(login)]), ["revoked"]);
});

Deno.test("hub with a login ends sessions when the password is changed", async () => {
  await using harness = await start();
  const { hub, folder } = harness;
  using first = await HubClient.connect(hub.endpoint);
  const { session } = await first.ask(byPassword("bob"));
  const users = await UsersFile.open(`${folder}/users.json`);
  const password = await new PasswordHasher().hash("another");
  await users.add({ name: "bob", password, roles: ["user"] });
  using second = await HubClient.connect(hub.endpoint);
  const login = { type: "login", token: session };
  assertEquals(codes([await second.ask(login)]), ["denied"]);
});

Deno.test("openLogin() refuses options that would do nothing", async () => {
  for (
    const settings of [
      { guests: true },
      { rules: "rules.json" },
      { audit: "audit.log" },
      { messagesPerSecond: 1 },
      { revoked: "revoked.json" },
    ]
  ) await assertRejects(() => openLogin(settings), TypeError, "Cannot use --");
});

Deno.test("hub with rules knows a room however its name is written", async () => {
  await using harness = await start();
  using bob = await HubClient.connect(harness.hub.endpoint);
  await bob.ask(byPassword("bob"));
  const names = ["bridge", "Bridge", "BRIDGE", "\uff42ridge"];
  await bob.say(...names.map((room) => ({ type: "join", room })));
  assertEquals(
    codes(await bob.hearAll(names.length)),
    names.map(() => "denied"),
  );
});

Deno.test("hub with rules that are written in capital letters keeps to them", async () => {
  const rules = await Deno.makeTempFile({ prefix: "portolan-" });
  await Deno.writeTextFile(
    rules,
    JSON.stringify([{ deny: ["user"], groups: ["Bridge*"] }, { allow: ["*"] }]),
  );
  await using harness = await start({ rules });
  await Deno.remove(rules);
  using bob = await HubClient.connect(harness.hub.endpoint);
  await bob.ask(byPassword("bob"));
  await bob.say({ type: "join", room: "bridge 2" }, {
    type: "join",
    room: "x",
  });
  assertEquals(codes(await bob.hearAll(2)), ["denied", "joined"]);
});

Deno.test("hub with rules on rooms allows nothing else to who names a room", async () => {
  const rules = await Deno.makeTempFile({ prefix: "portolan-" });
  await Deno.writeTextFile(
    rules,
    JSON.stringify([{ allow: ["user"], groups: ["team-*"] }]),
  );
  await using harness = await start({ rules });
  await Deno.remove(rules);
  using bob = await HubClient.connect(harness.hub.endpoint);
  await bob.ask(byPassword("bob"));
  const room = "team-1";
  await bob.say(
    { type: "join", room },
    { type: "room_message", room, content: 1 },
    { type: "broadcast", room, content: 1 },
    { type: "direct", room, to: "ada", content: 1 },
    { type: "get_stats", room },
    { type: "list", room },
    { type: "identify", room, name: "bob" },
    { type: "leave", room },
  );
  assertEquals(codes(await bob.hearAll(8)), [
    "joined",
    "room_message_sent",
    ...Array(5).fill("denied"),
    "left",
  ]);
});

Deno.test("hub with rules tells what is denied in few words, however long the type is", async () => {
  await using harness = await start();
  using bob = await HubClient.connect(harness.hub.endpoint);
  await bob.ask(byPassword("bob"));
  await bob.say({ type: '"'.repeat(400_000) }, { type: "ping" });
  const [denied, pong] = await bob.hearAll(2);
  assertEquals(codes([denied!, pong!]), ["denied", "pong"]);
  assert(String(denied!["message"]).length < 1000);
});

Deno.test("hub takes name and rooms from a client that logs in as somebody else", async () => {
  await using harness = await start();
  const { endpoint } = harness.hub;
  using client = await HubClient.connect(endpoint);
  await client.ask(byPassword("ada"));
  await client.identify("ada");
  await client.ask({ type: "join", room: "bridge" });
  await client.ask(byPassword("ada"));
  const message = { type: "room_message", room: "bridge", content: 1 };
  assertEquals((await client.ask(message)).type, "room_message_sent");
  await client.ask(byPassword("bob"));
  using ada = await HubClient.connect(endpoint);
  await ada.ask(byPassword("ada"));
  assertEquals((await ada.identify("ada")).type, "identified");
  const joined = await ada.ask({ type: "join", room: "bridge" });
  assertEquals(joined["members"], 1);
});

Deno.test("hub calls an account by its name, however that is written", async () => {
  await using harness = await start();
  using ada = await HubClient.connect(harness.hub.endpoint);
  await ada.ask(byPassword("ada"));
  assertEquals((await ada.identify("ADA"))["name"], "ada");
});

Deno.test("hub with a login gives names to their accounts alone, and guests are known as such", async () => {
  await using harness = await start({ guests: true });
  const { endpoint } = harness.hub;
  using guest = await HubClient.connect(endpoint);
  assertEquals(codes([await guest.identify("ada")]), ["denied"]);
  assertEquals((await guest.identify("guest 7")).type, "identified");
  assertEquals(codes([await guest.ask({ type: "echo", content: 1 })]), [
    "denied",
  ]);
  using ada = await HubClient.connect(endpoint);
  await ada.ask(byPassword("ada"));
  assertEquals(codes([await ada.identify("bob")]), ["denied"]);
  assertEquals((await ada.identify("Ada")).type, "identified");
  const login = await guest.ask(byPassword("bob"));
  assertEquals([login.type, login["user"]], ["logged_in", "bob"]);
  assertEquals((await guest.identify("bob")).type, "identified");
  assertEquals(
    (await guest.ask({ type: "echo", content: 1 })).type,
    "echo_response",
  );
});

Deno.test("hub with a login tells its audit log the story, without a secret in it", async () => {
  const harness = await start();
  const client = await HubClient.connect(harness.hub.endpoint);
  await client.ask(byPassword("bob", "not the password"));
  const { session } = await client.ask(byPassword("bob"));
  await client.ask({ type: "broadcast", content: 1 });
  await client.ask({ type: "logout" });
  await client.rest();
  client[Symbol.dispose]();
  const path = `${harness.folder}/audit.log`;
  const linesIn = () => Deno.readTextFileSync(path).split("\n").length - 1;
  await waitUntil("the end of the story", () => linesIn() === 5);
  const text = await Deno.readTextFile(path);
  await harness[Symbol.asyncDispose]();
  const story = text.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(
    story.map(({ event, who, claimed, type }) => [event, who ?? claimed, type]),
    [
      ["login refused", "bob", undefined],
      ["login accepted", "bob", undefined],
      ["denied", "bob", "broadcast"],
      ["logout", "bob", undefined],
      ["ended", "bob", undefined],
    ],
  );
  for (const secret of [PASSWORD, "not the password", String(session), hash]) {
    assert(!text.includes(secret));
  }
});
