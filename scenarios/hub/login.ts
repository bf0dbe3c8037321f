/**
 * Who may come in to the hub, and what they may do.
 *
 * @module
 */

import { getLogger } from "@std/log";
import {
  type Action,
  auditHandshakes,
  type AuditSink,
  authenticated,
  type Authenticator,
  certificateLogin,
  type CertificateRule,
  type Credentials,
  deviceLogin,
  devicesFile,
  type JwtTokens,
  jwtTokens,
  KeyedLimit,
  openAuditLog,
  passwords,
  type Peer,
  type Principal,
  readRules,
  Rules,
  type ServerObserver,
  type Session,
  type SessionAnswers,
  Sessions,
  sessionTokens,
  tokenKeysFile,
  tokenRevocationsFile,
  UsersFile,
  withSession,
} from "../../mod.ts";
import { answer } from "./engine/answers.ts";
import { Client } from "./engine/client.ts";
import { nameKey } from "./engine/names.ts";
import type { FromHub, ToHub } from "./messages.ts";
import type { HubGuard } from "./server.ts";

/** What devices sign that mean to talk to a hub. */
export const HUB_SERVER = "portolan-hub";

/** The files that say who may come in; each adds a way to log in. */
export interface LoginSettings {
  /** Accounts with passwords. */
  users?: string | undefined;
  /** Public keys of whoever issues tokens. */
  tokens?: string | undefined;
  /** Who issues them. @default {"portolan"} */
  tokenIssuer?: string | undefined;
  /** For whom. @default {"portolan"} */
  tokenAudience?: string | undefined;
  /** Tokens that were taken back. */
  revoked?: string | undefined;
  /** Devices and their secrets. */
  devices?: string | undefined;
  /** Which certificates are whom. */
  certificates?: string | undefined;
  /** Lets in those who do not log in, as guests. @default {false} */
  guests?: boolean | undefined;
  /** Messages per second of each account, over all its connections; of guests, of each source. */
  messagesPerSecond?: number | undefined;
  /** What each role may do; without it everybody who is in may do everything. */
  rules?: string | undefined;
  /** Where the audit log is written. */
  audit?: string | undefined;
  /** Whether a login with a password begins a session, whose token logs in again. @default {true} */
  sessions?: boolean | undefined;
}

/** A login that is ready, and what has to be closed after it. */
export interface OpenLogin extends AsyncDisposable {
  /** Puts it before the hub's handler. */
  readonly guard: HubGuard;
  /** Is told what happens before a login. */
  readonly observe: ServerObserver;
}

/** Reads the files of a login; undefined if clients are asked for nothing. */
export async function openLogin(
  settings: LoginSettings,
): Promise<OpenLogin | undefined> {
  const sessions = new Sessions();
  const tokens = await openTokens(settings);
  const authenticators = await openAuthenticators(settings, sessions);
  if (tokens !== undefined) authenticators.push(tokens);
  if (authenticators.length === 0) {
    const { guests, rules, audit, messagesPerSecond } = settings;
    refuseWithout(ANY_LOGIN, {
      guests,
      rules,
      audit,
      "messages-per-second": messagesPerSecond,
    });
    return undefined;
  }
  const rules = settings.rules === undefined
    ? undefined
    : aboutRooms(await readRules(settings.rules));
  const audit = settings.audit === undefined
    ? undefined
    : await openAuditLog(settings.audit);
  return {
    guard: guardWith({
      ...settings,
      authenticators,
      sessions,
      tokens,
      rules,
      audit,
    }),
    observe: audit === undefined ? () => {} : auditHandshakes(audit),
    async [Symbol.asyncDispose](): Promise<void> {
      await audit?.[Symbol.asyncDispose]();
    },
  };
}

const ANY_LOGIN =
  "a way to log in: one of --users, --tokens, --devices, --certificates is needed";

/** An option that does nothing would leave open what it was meant to shut. */
function refuseWithout(needed: string, options: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === false) continue;
    throw new TypeError(`Cannot use --${name} without ${needed}`);
  }
}

async function openTokens(
  settings: LoginSettings,
): Promise<JwtTokens | undefined> {
  const { tokens, revoked } = settings;
  const { tokenIssuer = "portolan", tokenAudience = "portolan" } = settings;
  if (tokens === undefined) {
    refuseWithout("--tokens", { revoked });
    return undefined;
  }
  return jwtTokens({
    keys: await tokenKeysFile(tokens, { onFault }),
    issuer: tokenIssuer,
    audience: tokenAudience,
    ...(revoked === undefined
      ? {}
      : { revoked: await tokenRevocationsFile(revoked, { onFault }) }),
  });
}

function onFault({ message }: Error): void {
  getLogger("hub").warn("{message}", { message });
}

async function openAuthenticators(
  settings: LoginSettings,
  sessions: Sessions,
): Promise<Authenticator[]> {
  const { users, devices, certificates } = settings;
  const authenticators: Authenticator[] = [];
  if (users !== undefined) {
    const file = await UsersFile.open(users, { onFault });
    const byPassword = passwords({ users: file, onFault });
    if (settings.sessions === false) authenticators.push(byPassword);
    else {
      authenticators.push(
        withSession(byPassword, sessions),
        sessionTokens(sessions, { account: (name) => file.find(name) }),
      );
    }
  }
  if (devices !== undefined) {
    const file = await devicesFile(devices, { onFault });
    authenticators.push(deviceLogin({ devices: file, server: HUB_SERVER }));
  }
  if (certificates !== undefined) {
    const map = await readCertificateRules(certificates);
    authenticators.push(certificateLogin({ map }));
  }
  return authenticators;
}

async function readCertificateRules(path: string): Promise<CertificateRule[]> {
  try {
    const rules = JSON.parse(await Deno.readTextFile(path));
    if (Array.isArray(rules)) return rules;
    throw new TypeError("A list of rules is expected");
  } catch (cause) {
    throw new Error(`Cannot read ${path}`, { cause });
  }
}

function guardWith(
  { authenticators, sessions, tokens, ...settings }: {
    authenticators: Authenticator[];
    sessions: Sessions;
    tokens: JwtTokens | undefined;
    guests?: boolean | undefined;
    messagesPerSecond?: number | undefined;
    rules: Rules | undefined;
    audit: AuditSink | undefined;
  },
): HubGuard {
  const { guests, messagesPerSecond, rules, audit } = settings;
  const logOut = async (principal: Principal): Promise<void> => {
    const { grant, method } = principal;
    if (isSession(grant)) await sessions.end(grant.token);
    else if (method === tokens?.name) {
      await tokens.revoke(principal).catch(onFault);
    }
  };
  const messageLimit = messagesPerSecond === undefined
    ? {}
    : { messageLimit: new KeyedLimit({ ratePerSecond: messagesPerSecond }) };
  return (handler) =>
    authenticated<ToHub, FromHub, Client>({
      authenticators,
      credentials: credentialsIn,
      isLogout: (message) => message?.type === "logout",
      loggedOut: logOut,
      action: actionOf,
      answer: ANSWERS,
      send: answerInTurn,
      ...messageLimit,
      ...(rules === undefined ? {} : { rules }),
      ...(audit === undefined ? {} : { audit }),
      ...(guests ? { anonymous: { roles: ["guest"] } } : {}),
    }, handler);
}

/** What a client is told comes after the answers that it waits for already. */
function answerInTurn(
  peer: Peer<ToHub, FromHub, unknown>,
  message: FromHub,
): void {
  if (peer.state instanceof Client) {
    answer(peer as Peer<ToHub, FromHub, Client>, message);
  } else peer.send(message);
}

/** What a client shows; its shape is not to be trusted. */
function credentialsIn(message: ToHub): Credentials | undefined {
  if (message?.type !== "login") return undefined;
  const { user, password, token, device, mac } = message as Record<
    string,
    unknown
  >;
  if (typeof user === "string" && typeof password === "string") {
    return { type: "password", user, password };
  }
  if (typeof token === "string") return { type: "token", token };
  if (typeof device !== "string") return undefined;
  return typeof mac === "string"
    ? { type: "device proof", device, mac }
    : { type: "device", device };
}

/** Rules whose groups are rooms, by the keys that the hub knows them by: however a room is written, it is one. */
function aboutRooms({ rules }: Rules): Rules {
  return new Rules(
    rules.map(({ groups, ...rule }) =>
      groups === undefined ? rule : { ...rule, groups: groups.map(nameKey) }
    ),
  );
}

/** What has nothing to do with a room, though it names one: a rule on rooms must not allow it. */
const ROOMLESS: ReadonlySet<unknown> = new Set<ToHub["type"]>([
  "broadcast",
  "direct",
  "echo",
  "get_stats",
  "identify",
  "list",
  "ping",
]);

/** What a message does, for the rules: rooms are groups. */
function actionOf(message: ToHub): Action {
  const { type, room } = (message ?? {}) as Record<string, unknown>;
  return {
    type: typeof type === "string" ? type : "",
    ...(typeof room !== "string" || ROOMLESS.has(type)
      ? {}
      : { groups: [nameKey(room)] }),
  };
}

const ANSWERS: SessionAnswers<ToHub, FromHub> = {
  accepted: loggedIn,
  challenge: ({ challenge }) => ({ type: "challenge", challenge }),
  refused: ({ code, message, retryAfterMs }) => ({
    type: "error",
    code: "login_refused",
    message,
    reason: code,
    ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
  }),
  denied: ({ reason }) => ({ type: "error", code: "denied", message: reason }),
  limited: (retryAfterMs) => ({
    type: "error",
    code: "too_many_messages",
    message: "too many messages",
    retry_after_ms: retryAfterMs,
  }),
  loggedOut: () => ({ type: "logged_out" }),
};

function loggedIn(principal: Principal): FromHub {
  const { id, roles, method, grant } = principal;
  const expiresAtMs = isSession(grant)
    ? grant.expiresAtMs
    : principal.expiresAtMs;
  return {
    type: "logged_in",
    user: id,
    roles,
    method,
    ...(isSession(grant) ? { session: grant.token } : {}),
    ...(expiresAtMs === undefined
      ? {}
      : { expires: new Date(expiresAtMs).toISOString() }),
  };
}

function isSession(grant: unknown): grant is Session {
  return grant !== null && typeof grant === "object" && "token" in grant;
}
