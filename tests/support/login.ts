import type { AuditEvent, AuditSink } from "../../src/security/audit.ts";
import {
  AuthenticationError,
  type Authenticator,
  type Credentials,
} from "../../src/security/authentication.ts";
import type {
  AuthenticatedOptions,
  SessionAnswers,
} from "../../src/security/guarded.ts";

/** Keeps every audit event. */
export class AuditRecorder implements AuditSink {
  readonly events: AuditEvent[] = [];
  /** Thrown instead of keeping an event. */
  fault: Error | undefined;

  record(event: AuditEvent): Promise<void> {
    if (this.fault !== undefined) return Promise.reject(this.fault);
    this.events.push(event);
    return Promise.resolve();
  }

  /** The events, each as its name, who and why. */
  get story(): string[] {
    return this.events.map(({ event, who, claimed, code, detail }) =>
      [event, who ?? (claimed && `"${claimed}"`), code, detail]
        .filter((part) => part !== undefined).join(", ")
    );
  }
}

/** Accounts by name. */
export const ACCOUNTS: Readonly<
  Record<string, { password: string; roles: readonly string[] }>
> = {
  ada: { password: "lovelace", roles: ["user"] },
  bob: { password: "builder9", roles: ["user"] },
  root: { password: "toor1234", roles: ["admin"] },
};

/** Passwords that are compared as they are, for tests alone. */
export function plainPasswords(
  more: { expiresAtMs?: () => number } = {},
): Authenticator {
  return {
    name: "plain",
    accepts: ["password"],
    authenticate(credentials) {
      const account = credentials.type === "password"
        ? ACCOUNTS[credentials.user]
        : undefined;
      if (
        credentials.type !== "password" || account === undefined ||
        account.password !== credentials.password
      ) {
        const detail = account === undefined
          ? "no account has this name"
          : "wrong password";
        return Promise.reject(new AuthenticationError("denied", detail));
      }
      return Promise.resolve({
        id: credentials.user,
        roles: account.roles,
        method: "plain",
        ...(more.expiresAtMs && { expiresAtMs: more.expiresAtMs() }),
      });
    },
  };
}

/** Devices that send a challenge back. */
export const DEVICES: Authenticator = {
  name: "echo",
  accepts: ["device", "device proof"],
  authenticate(credentials, { memory }) {
    if (credentials.type === "device") {
      memory.set("challenge", "c4a11e5ge");
      return Promise.resolve({ challenge: "c4a11e5ge" });
    }
    if (
      credentials.type === "device proof" && memory.has("challenge") &&
      memory.get("challenge") === credentials.mac
    ) {
      memory.delete("challenge");
      const id = credentials.device;
      return Promise.resolve({ id, roles: ["device"], method: "echo" });
    }
    return Promise.reject(new AuthenticationError("denied", "wrong answer"));
  },
};

/** The credentials in a line such as `login ada lovelace`. */
export function credentialsIn(line: string): Credentials | undefined {
  const [word, first = "", second = ""] = line.split(" ");
  switch (word) {
    case "login":
      return { type: "password", user: first, password: second };
    case "token":
      return { type: "token", token: first };
    case "device":
      return { type: "device", device: first };
    case "proof":
      return { type: "device proof", device: first, mac: second };
    default:
      return undefined;
  }
}

/** What a test changes of {@linkcode textLogin}. */
export type TextLoginOptions =
  & Partial<Omit<AuthenticatedOptions<string, string>, "answer">>
  & { answer?: Partial<SessionAnswers<string, string>> };

/** A login by lines of text. */
export function textLogin(
  more: TextLoginOptions = {},
): AuthenticatedOptions<string, string> {
  return {
    authenticators: [plainPasswords(), DEVICES],
    credentials: credentialsIn,
    action: (line) => {
      const [type = "", ...groups] = line.split(" ");
      return { type, groups };
    },
    ...more,
    answer: {
      accepted: ({ id }) => `welcome ${id}`,
      challenge: ({ challenge }) => `challenge ${challenge}`,
      refused: ({ code, retryAfterMs, detail }) =>
        `refused ${code}${retryAfterMs ? ` ${retryAfterMs}` : ""}${detail}`,
      ...more.answer,
    },
  };
}
