import { assert, assertEquals } from "@std/assert";
import { AuditLog } from "../../../src/security/audit_log.ts";
import {
  AuthenticationError,
  type Authenticator,
  type Credentials,
} from "../../../src/security/authentication.ts";
import { Login } from "../../../src/security/login.ts";
import { redact, REDACTED } from "../../../src/security/redact.ts";
import type { Peer } from "../../../src/io/peer.ts";
import { MemoryAuditStore } from "../../support/memory_audit.ts";
import { checkAsyncProperty, fc } from "../../support/property.ts";

Deno.test("redact() takes away the whole text around a secret", () => {
  const secrets = ["hunter22"];
  assertEquals(redact("wrong password hunter22 for ada", secrets), REDACTED);
  assertEquals(redact("wrong password", secrets), "wrong password");
  assertEquals(redact(undefined, secrets), undefined);
  assertEquals(redact('bad "a\\"bcd"', ['a"bcd']), REDACTED, "in JSON");
  assertEquals(redact("?token=a%2Fbcd", ["a/bcd"]), REDACTED, "in an address");
});

Deno.test("redact() does not find a short secret in every text", () => {
  assertEquals(
    redact("no account has this name", ["a"]),
    "no account has this name",
  );
  assertEquals(redact("a", ["a"]), REDACTED);
});

Deno.test("redact() finds a part of a token", () => {
  const token = `${"h".repeat(20)}.${"p".repeat(30)}.${"s".repeat(20)}`;
  assertEquals(redact(`claims ${"p".repeat(30)}`, [token]), REDACTED);
});

/** Tells all that it knows in its error, as a careless one might. */
function blabbing(isRefusal: boolean): Authenticator {
  return {
    name: "blabbing",
    accepts: ["password", "token", "device", "device proof", "certificate"],
    authenticate(credentials) {
      const all = Object.values(credentials).join(" ");
      return Promise.reject(
        isRefusal
          ? new AuthenticationError("denied", `wrong: ${all}`)
          : new Error(`Cannot ask for ${JSON.stringify(credentials)}`),
      );
    },
  };
}

/** One that convinces, with the secret in what it grants. */
const generous: Authenticator = {
  ...blabbing(true),
  authenticate: (credentials) =>
    Promise.resolve({
      id: "ada",
      roles: [],
      method: "generous",
      grant: credentials,
    }),
};

const secret = fc.oneof(
  fc.string({ minLength: 6, maxLength: 300, unit: "grapheme" }),
  fc.string({ minLength: 6, maxLength: 300, unit: "binary" }),
  fc.stringMatching(/^[\w-]{20,40}\.[\w-]{20,40}\.[\w-]{20,40}$/),
).filter((text) => text.trim().length >= 6);

/** Credentials of every type, with a secret in every field. */
const credentials: fc.Arbitrary<[Credentials, string[]]> = fc.tuple(
  fc.constantFrom("password", "token", "device", "device proof"),
  secret,
  secret,
).map(([type, one, two]): [Credentials, string[]] => {
  switch (type) {
    case "password":
      return [{ type, user: one, password: two }, [one, two]];
    case "token":
      return [{ type, token: one }, [one]];
    case "device proof":
      return [{ type, device: one, mac: two }, [one, two]];
    default:
      return [{ type: "device", device: one }, [one]];
  }
});

async function logged(
  credentials: Credentials,
  authenticator: Authenticator,
): Promise<string> {
  const store = new MemoryAuditStore();
  const audit = new AuditLog(store);
  const login = new Login<string, string>({
    authenticators: [authenticator],
    credentials: () => credentials,
    answer: {
      challenge: () => undefined,
      refused: ({ message, detail }) => message + detail,
    },
    refusalMs: 0,
    maxTries: 1,
    audit,
    claimedNames: "hidden",
  });
  const sent: string[] = [];
  const peer = {
    id: 1,
    address: "192.0.2.7:4242",
    endpoint: "tcp://127.0.0.1:9999",
    identity: undefined,
    maxFrameBytes: 65_536,
    signal: new AbortController().signal,
    receive: () => Promise.resolve("anything"),
    send: (message: string) => sent.push(message),
  } as unknown as Peer<string, string>;
  await login.admit(peer).catch(() => {});
  await audit.close();
  assert(store.text !== "", "something was written");
  return store.text + sent.join("\n");
}

Deno.test("Login writes no secret into the audit log, and tells none, whichever field it stands in", async () => {
  await checkAsyncProperty(
    fc.tuple(
      credentials,
      fc.constantFrom(blabbing(true), blabbing(false), generous),
    ),
    async ([[credentials, secrets], authenticator]) => {
      const text = await logged(credentials, authenticator);
      for (const secret of secrets) {
        assert(!text.includes(secret), `${secret} in ${text}`);
        const escaped = JSON.stringify(secret).slice(1, -1);
        assert(!text.includes(escaped), `${escaped} in ${text}`);
      }
    },
    500,
  );
});
