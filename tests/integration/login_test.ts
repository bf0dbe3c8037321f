import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  authenticated,
  type Client,
  connect,
  type Credentials,
  json,
  lengthPrefixed,
  openAuditLog,
  PasswordHasher,
  passwords,
  type Principal,
  Rules,
  serve,
  type Session,
  Sessions,
  sessionTokens,
  withSession,
} from "../../mod.ts";
import { run, task } from "../support/program.ts";
import { frame, RawClient } from "../support/raw_client.ts";
import { within } from "../support/wait.ts";

interface Message {
  type: string;
  user?: string;
  password?: string;
  token?: string;
  room?: string;
  text?: string;
}

const WIRE = lengthPrefixed(json<Message>());
const PASSWORD = "correct horse battery staple";
/** Peers of the second endpoint come from here, says the proxy before it. */
const ELSEWHERE = "2001:db8:7::1";

function credentials(message: Message): Credentials | undefined {
  const { type, user = "", password = "", token } = message;
  if (type !== "login") return undefined;
  return token === undefined
    ? { type: "password", user, password }
    : { type: "token", token };
}

interface House {
  endpoints: readonly string[];
  log: string;
  close(): Promise<void>;
}

/** A chat with accounts, sessions, rules and an audit log. */
async function house(): Promise<House> {
  const folder = await Deno.makeTempDir({ prefix: "portolan-login-" });
  const log = `${folder}/audit.log`;
  const audit = await openAuditLog(log, { sync: "interval" });
  const password = await new PasswordHasher().hash(PASSWORD);
  const ada = { name: "ada", password, roles: ["user"] };
  const sessions = new Sessions();
  const endpoints: string[] = [];
  const server = await serve<Message, Message, string>({
    listen: ["tcp://127.0.0.1:0", "tcp://127.0.0.1:0"],
    wire: WIRE,
    handler: authenticated<Message, Message, string>({
      authenticators: [
        withSession(
          passwords({
            users: {
              find: (name) => Promise.resolve(name === "ada" ? ada : undefined),
              replacePassword: () => Promise.resolve(),
            },
          }),
          sessions,
        ),
        sessionTokens(sessions),
      ],
      credentials,
      audit,
      refusalMs: 0,
      sourceOf: ({ endpoint }): string | undefined =>
        endpoint === endpoints[1] ? ELSEWHERE : undefined,
      rules: new Rules([
        { deny: ["*"], groups: ["staff*"], note: "staff only" },
        { allow: ["user"], types: ["say"] },
      ]),
      action: ({ type, room }) => ({
        type,
        groups: room === undefined ? [] : [room],
      }),
      isLogout: ({ type }) => type === "logout",
      loggedOut: (_principal, { token = "" }) => sessions.end(token),
      answer: {
        accepted: ({ grant }: Principal) => ({
          type: "welcome",
          token: (grant as Session).token,
        }),
        challenge: () => undefined,
        refused: ({ code }) => ({ type: "refused", text: code }),
        denied: ({ reason }) => ({ type: "denied", text: reason }),
        loggedOut: () => ({ type: "bye" }),
      },
    }, {
      open: (_peer, { id }) => id,
      message: (peer, { text = "" }) =>
        peer.send({ type: "said", text: `${peer.state}: ${text}` }),
    }),
  });
  endpoints.push(...server.endpoints);
  return {
    endpoints,
    log,
    async close() {
      await server.abort();
      await audit.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function ask(
  client: Client<Message, Message>,
  message: Message,
): Promise<Message | undefined> {
  client.send(message);
  return await within(`an answer to ${message.type}`, client.receive());
}

async function story(log: string): Promise<Record<string, unknown>[]> {
  const { code, stdout } = await run(task("audit", "verify", log));
  assertEquals(code, 0, stdout);
  const shown = await run(task("audit", "show", log, "--json"));
  return shown.stdout.trim().split("\n").map((line) => JSON.parse(line));
}

Deno.test("authenticated() takes a password, then the token of its session, until the logout", async () => {
  const { endpoints, log, close } = await house();
  try {
    const to = endpoints[0]!;
    const first = await connect({ to, wire: WIRE });
    const login = { type: "login", user: "ada", password: PASSWORD };
    const { token: one = "" } = await ask(first, login) ?? {};
    assertMatch(one, /^.{22,}$/);
    assertEquals(await ask(first, { type: "say", text: "ahoy" }), {
      type: "said",
      text: "ada: ahoy",
    });
    assertEquals(
      await ask(first, { type: "say", room: "staff-2", text: "psst" }),
      { type: "denied", text: 'rule 1 denies "say" in "staff-2" (staff only)' },
    );
    await first.close();

    const second = await connect({ to, wire: WIRE });
    const { token: two = "" } =
      await ask(second, { type: "login", token: one }) ?? {};
    assert(two !== one, "each login rotates the token");
    assertEquals(await ask(second, { type: "logout", token: two }), {
      type: "bye",
    });
    assertEquals(await within("the end", second.receive()), undefined);

    const third = await connect({ to, wire: WIRE });
    for (const replayed of [one, two]) {
      const answer = await ask(third, { type: "login", token: replayed });
      assertEquals(answer?.type, "refused", "a replay after the logout");
    }
    await third.close();
    const records = await story(log);
    assertEquals(
      records.map(({ event }) => event),
      [
        "login accepted",
        "denied",
        "ended",
        "login accepted",
        "logout",
        "ended",
        "login refused",
        "login refused",
      ],
    );
    const text = await Deno.readTextFile(log);
    for (const secret of [PASSWORD, one, two]) assert(!text.includes(secret));
  } finally {
    await close();
  }
});

Deno.test("authenticated() cuts off login frames that are too large, and serves others on", async () => {
  const { endpoints, log, close } = await house();
  try {
    using raw = await RawClient.connect(endpoints[0]!);
    await raw.send(frame("x".repeat(5_000)));
    assertEquals((await raw.receiveAll()).length, 0);
    const client = await connect({ to: endpoints[0]!, wire: WIRE });
    const login = { type: "login", user: "ada", password: PASSWORD };
    assertEquals((await ask(client, login))?.type, "welcome");
    await client.close();
    const [record] = await story(log);
    assertEquals(record!["event"], "login refused");
    assertMatch(String(record!["detail"]), /5000 bytes.*4096|4096.*5000/);
  } finally {
    await close();
  }
});

Deno.test("authenticated() lets the owner in after 10,000 failed logins", async () => {
  const { endpoints, log, close } = await house();
  try {
    const before = Deno.memoryUsage().heapUsed;
    const codes = new Map<string, number>();
    let failed = 0;
    const guess = async () => {
      while (failed < 10_000) {
        const client = await connect({ to: endpoints[0]!, wire: WIRE });
        for (let tries = 0; tries < 3; tries++) {
          const password = `guess number ${failed++}`;
          client.send({ type: "login", user: "ada", password });
        }
        for (;;) {
          const answer = await within("a refusal", client.receive());
          if (answer === undefined) break;
          const { type, text = "" } = answer;
          assertEquals(type, "refused");
          codes.set(text, (codes.get(text) ?? 0) + 1);
        }
      }
    };
    await Promise.all(Array.from({ length: 20 }, guess));
    const told = [...codes.values()].reduce((sum, count) => sum + count);
    assertEquals(told, failed);
    assertEquals([...codes.keys()].sort(), ["denied", "too_many_tries"]);

    const owner = await connect({ to: endpoints[1]!, wire: WIRE });
    const login = { type: "login", user: "ada", password: PASSWORD };
    assertEquals((await ask(owner, login))?.type, "welcome");
    await owner.close();
    const grown = Deno.memoryUsage().heapUsed - before;
    assert(grown < 64 << 20, `the heap grew by ${grown} bytes`);

    const records = await story(log);
    const refused = records.filter(({ event }) => event === "login refused");
    assertEquals(refused.length, failed);
    const [accepted] = records.filter(({ event }) =>
      event === "login accepted"
    );
    assertEquals(accepted?.["source"], "2001:db8:7:0::/64");
    assert(!(await Deno.readTextFile(log)).includes("guess number"));
  } finally {
    await close();
  }
});
