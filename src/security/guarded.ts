import { alarm, type Clock, sleep, systemClock } from "../io/clock.ts";
import type { HandlerCallbacks } from "../io/handler.ts";
import { type Ending, type Peer, Refusal } from "../io/peer.ts";
import type { KeyedLimit } from "../proto/security/keyed_limit.ts";
import type { Action, Decision, Rules } from "../proto/security/rules.ts";
import { TokenBucket } from "../proto/token_bucket.ts";
import type { AuditEvent } from "./audit.ts";
import {
  AuthenticationError,
  type Credentials,
  type Principal,
} from "./authentication.ts";
import {
  DEFAULT_LOGIN_LIMITS,
  Login,
  type LoginAnswers,
  type LoginOptions,
  referTo,
  sendTo,
} from "./login.ts";
import { type PeerSession, sessionOf, setSession } from "./peer_session.ts";

/** The messages that somebody who is logged in is told; each is sent unless undefined. */
export interface SessionAnswers<In, Out> extends LoginAnswers<Out> {
  /** The rules do not allow this message. Without it, the peer is closed. */
  denied?(decision: Decision, message: In): Out | undefined;
  /** The message was not taken, because of the rate; it may be sent again after so long. */
  limited?(retryAfterMs: number, message: In): Out | undefined;
  /** The peer has logged out; its connection ends after that. */
  loggedOut?(): Out | undefined;
}

/** Options of {@linkcode authenticated}. */
export interface AuthenticatedOptions<In, Out> extends LoginOptions<In, Out> {
  /** What the peer is told. */
  answer: SessionAnswers<In, Out>;
  /**
   * Lets everybody in with these roles, before a login and without one; a login comes in any later message. Without
   * it, the first message must be a login.
   */
  anonymous?: { roles: readonly string[] };
  /** What may be done. A function is asked for each message, so that rules can be replaced. */
  rules?: Rules | (() => Rules);
  /** What a message does, for the rules; needed if there are rules. */
  action?: (message: In) => Action;
  /** How many messages each identity may send, over all its connections; who has none is counted by source. */
  messageLimit?: KeyedLimit;
  /** Beyond the rate, reading waits, or messages are refused. @default {"wait"} */
  overRate?: "wait" | "refuse";
  /** Whether the message is a wish to log out. */
  isLogout?: (message: In) => boolean;
  /** Is called when somebody has logged out, to revoke the session of `principal.grant`. */
  loggedOut?: (principal: Principal, message: In) => unknown;
}

/** A handler whose peers are known. */
export interface AuthenticatedCallbacks<In, Out, State>
  extends Omit<HandlerCallbacks<In, Out, State>, "open"> {
  /** A peer was let in. What it returns becomes `peer.state`. */
  open?(
    peer: Peer<In, Out, undefined>,
    principal: Principal,
  ): State | Promise<State>;
  /**
   * A peer has logged in in the middle of its session: somebody who was anonymous before, or the same again with a new
   * proof. With this callback it may be another than before too, and what `peer.state` says of `previous` has to be
   * replaced; without it such a login is refused.
   */
  login?(
    peer: Peer<In, Out, State>,
    principal: Principal,
    previous: Principal,
  ): unknown;
}

/** Records of messages that were not taken, per second and connection; the last record tells the whole number. */
const TOLD_PER_SECOND = 1;
const TOLD_AT_ONCE = 10;
/** A deadline that is further away is armed again when it has passed. */
const MAX_ALARM_MS = 86_400_000;

/**
 * Puts a login before the first message of a handler, and rules and limits before each one. The handler is any handler
 * of `serve()`; its `open` is told who came in.
 *
 * @throws {TypeError} If there are rules and no `action`.
 * @throws {RangeError} If a limit is not above 0.
 *
 * @example Usage
 * ```ts
 * import { authenticated, AuthenticationError, connect, json, lines, Rules, serve } from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * type Message = { type: string; text?: string };
 * const wire = lines(json<Message>());
 * await using server = await serve({
 *   listen: "memory:club",
 *   wire,
 *   handler: authenticated<Message, Message, { name: string }>({
 *     authenticators: [{
 *       name: "list",
 *       accepts: ["token"],
 *       async authenticate(credentials) {
 *         if (credentials.type === "token" && credentials.token === "ada's") {
 *           return { id: "ada", roles: ["user"], method: "list" };
 *         }
 *         throw new AuthenticationError("denied", "not on the list");
 *       },
 *     }],
 *     credentials: ({ type, text = "" }) => type === "login" ? { type: "token", token: text } : undefined,
 *     rules: new Rules([{ allow: ["user"], types: ["say"] }]),
 *     action: ({ type }) => ({ type }),
 *     answer: {
 *       accepted: ({ id }) => ({ type: "welcome", text: id }),
 *       challenge: () => undefined,
 *       refused: ({ code }) => ({ type: "refused", text: code }),
 *       denied: ({ reason }) => ({ type: "denied", text: reason }),
 *     },
 *   }, {
 *     open: (_peer, { id }) => ({ name: id }),
 *     message: (peer, { text }) => peer.send({ type: "said", text: `${peer.state.name}: ${text}` }),
 *   }),
 * });
 * await using client = await connect({ to: server.endpoint, wire });
 * client.send({ type: "login", text: "ada's" });
 * client.send({ type: "say", text: "ahoy" });
 * client.send({ type: "stop" });
 * assertEquals(await client.receive(), { type: "welcome", text: "ada" });
 * assertEquals(await client.receive(), { type: "said", text: "ada: ahoy" });
 * assertEquals(await client.receive(), { type: "denied", text: 'no rule allows "stop"' });
 * ```
 */
export function authenticated<In, Out, State = undefined>(
  options: AuthenticatedOptions<In, Out>,
  handler: AuthenticatedCallbacks<In, Out, State>,
): HandlerCallbacks<In, Out, State> {
  const guard = new Guard(options, handler);
  return {
    open: (peer) => guard.open(peer),
    message: (peer, message) => guard.message(peer, message),
    close: (peer, ending) => guard.close(peer, ending),
    // A connection goes on after what is no message only if there is a callback for it.
    ...(handler.invalid && {
      invalid: (peer, error) => handler.invalid!(peer, error),
    }),
    ...(handler.finish && { finish: (peer) => handler.finish!(peer) }),
    ...(handler.drain && {
      drain: (peer, notice) => handler.drain!(peer, notice),
    }),
  };
}

class Guard<In, Out, State> {
  readonly #options: AuthenticatedOptions<In, Out>;
  readonly #handler: AuthenticatedCallbacks<In, Out, State>;
  readonly #login: Login<In, Out>;
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #maxTries: number;
  readonly #rules: (() => Rules) | undefined;

  constructor(
    options: AuthenticatedOptions<In, Out>,
    handler: AuthenticatedCallbacks<In, Out, State>,
  ) {
    const { rules, action } = options;
    if (rules !== undefined && action === undefined) {
      throw new TypeError(
        "Cannot guard a handler: rules need 'action': current value is undefined",
      );
    }
    this.#options = options;
    this.#handler = handler;
    this.#login = new Login(options);
    this.#clock = options.clock ?? systemClock;
    this.#now = options.now ?? (() => Date.now());
    this.#maxTries = options.maxTries ?? DEFAULT_LOGIN_LIMITS.maxTries;
    this.#rules = typeof rules === "object" ? () => rules : rules;
  }

  async open(peer: Peer<In, Out, undefined>): Promise<State> {
    const { anonymous } = this.#options;
    const principal: Principal = anonymous === undefined
      ? await this.#login.admit(peer)
      : { id: "anonymous", roles: anonymous.roles, method: "none" };
    const source = this.#login.source(peer);
    const session: PeerSession = {
      principal,
      source,
      isAnonymous: anonymous !== undefined,
      key: anonymous === undefined ? `id ${principal.id}` : `source ${source}`,
      memory: new Map(),
      failed: 0,
      denied: 0,
      told: new TokenBucket(TOLD_PER_SECOND, TOLD_AT_ONCE, this.#clock.now()),
    };
    setSession(peer, session);
    this.#expireLater(peer, session);
    try {
      // A handler without `open` has no state.
      return await this.#handler.open?.(peer, principal) as State;
    } catch (error) {
      this.#ended(peer, session, "turned away");
      throw error;
    }
  }

  message(peer: Peer<In, Out, State>, message: In): unknown {
    const session = sessionOf(peer)!;
    const { credentials, isLogout, messageLimit } = this.#options;
    if (session.principal.expiresAtMs !== undefined) {
      this.#expire(peer, session);
    }
    const shown = credentials(message);
    if (shown !== undefined) return this.#loginAgain(peer, session, shown);
    if (isLogout?.(message)) return this.#logout(peer, session, message);
    if (messageLimit === undefined) return this.#take(peer, session, message);
    const nowMs = this.#clock.now();
    if (this.#options.overRate === "refuse") {
      const retryAfterMs = messageLimit.tryTake(session.key, nowMs);
      if (retryAfterMs === 0) return this.#take(peer, session, message);
      return this.#limited(peer, session, { message, retryAfterMs });
    }
    const waitMs = messageLimit.take(session.key, nowMs);
    const result = this.#take(peer, session, message);
    if (waitMs === 0) return result;
    this.#tell(peer, session, { event: "limited" });
    return Promise.all([result, sleep(this.#clock, waitMs, peer.signal)]);
  }

  /** Passes a message on if the rules allow it. */
  #take(
    peer: Peer<In, Out, State>,
    session: PeerSession,
    message: In,
  ): unknown {
    if (this.#rules !== undefined) {
      const action = this.#options.action!(message);
      const rules = this.#rules();
      if (!rules.allows(session.principal, action)) {
        const decision = rules.decide(session.principal, action);
        return this.#denied(peer, session, { message, action, decision });
      }
    }
    return this.#handler.message(peer, message);
  }

  #denied(
    peer: Peer<In, Out, State>,
    session: PeerSession,
    { message, action, decision }: {
      message: In;
      action: Action;
      decision: Decision;
    },
  ): void {
    session.denied++;
    this.#tell(peer, session, {
      event: "denied",
      detail: decision.reason,
      type: action.type,
      group: decision.group,
    });
    const { denied } = this.#options.answer;
    if (denied === undefined) throw new Refusal(decision.reason);
    this.#send(peer, denied(decision, message));
  }

  #limited(
    peer: Peer<In, Out, State>,
    session: PeerSession,
    { message, retryAfterMs }: { message: In; retryAfterMs: number },
  ): void {
    this.#tell(peer, session, { event: "limited" });
    const { limited } = this.#options.answer;
    if (limited === undefined) throw new Refusal("over the limit of messages");
    this.#send(peer, limited(retryAfterMs, message));
  }

  async #loginAgain(
    peer: Peer<In, Out, State>,
    session: PeerSession,
    credentials: Credentials,
  ): Promise<void> {
    const { memory, principal: previous, isAnonymous } = session;
    const { login } = this.#handler;
    const result = await this.#login.again(peer, credentials, {
      memory,
      mayBecome: ({ id }) =>
        login !== undefined || isAnonymous || id === previous.id,
    });
    if (result === "challenged" || result === "refused") {
      // A challenge that is never answered is a try that failed.
      if (++session.failed < this.#maxTries * 2) return;
      throw new Refusal(`${session.failed} tries to log in have failed`);
    }
    session.failed = 0;
    session.memory = new Map();
    session.principal = result;
    session.isAnonymous = false;
    session.key = `id ${result.id}`;
    this.#expireLater(peer, session);
    await this.#handler.login?.(peer, result, previous);
  }

  async #logout(
    peer: Peer<In, Out, State>,
    session: PeerSession,
    message: In,
  ): Promise<void> {
    const { principal, source } = session;
    await this.#options.loggedOut?.(principal, message);
    this.#note({
      event: "logout",
      who: principal.id,
      source,
      ...referTo(peer),
      method: principal.method,
    });
    this.#send(peer, this.#options.answer.loggedOut?.());
    throw new Refusal("logged out");
  }

  #expireLater(peer: Peer<In, Out, unknown>, session: PeerSession): void {
    if (session.expiry !== undefined) this.#clock.cancel(session.expiry);
    session.expiry = undefined;
    const { expiresAtMs = Infinity } = session.principal;
    if (expiresAtMs === Infinity) return;
    const leftMs = Math.max(expiresAtMs - this.#now(), 1);
    const waitMs = Math.min(leftMs, MAX_ALARM_MS);
    session.expiry = alarm(this.#clock, waitMs, () => {
      session.expiry = undefined;
      if (peer.ending !== undefined) return;
      if (expiresAtMs > this.#now()) this.#expireLater(peer, session);
      else peer.close(this.#tellExpired(peer)).catch(() => {});
    });
  }

  /** A clock that stood still, as that of a machine asleep, has not rung in time. */
  #expire(peer: Peer<In, Out, unknown>, session: PeerSession): void {
    if (session.principal.expiresAtMs! > this.#now()) return;
    throw new Refusal(this.#tellExpired(peer));
  }

  #tellExpired(peer: Peer<In, Out, unknown>): string {
    const error = new AuthenticationError("expired", "");
    this.#send(peer, this.#options.answer.refused(error));
    return "the login has expired";
  }

  async close(peer: Peer<In, Out, State>, ending: Ending): Promise<void> {
    try {
      await this.#handler.close?.(peer, ending);
    } finally {
      this.#ended(peer, sessionOf(peer)!, ending.reason ?? ending.cause);
    }
  }

  #ended(
    peer: Peer<In, Out, unknown>,
    session: PeerSession,
    detail: string,
  ): void {
    const { principal, isAnonymous, source, expiry, denied } = session;
    if (expiry !== undefined) this.#clock.cancel(expiry);
    session.expiry = undefined;
    if (isAnonymous && denied === 0) return;
    this.#note({
      event: "ended",
      who: principal.id,
      source,
      ...referTo(peer),
      method: principal.method,
      detail,
      count: denied === 0 ? undefined : denied,
    });
  }

  /** Writes down that a message was not taken, unless a peer makes that happen all the time. */
  #tell(
    peer: Peer<In, Out, unknown>,
    { principal, source, told }: PeerSession,
    event: Pick<AuditEvent, "event" | "detail" | "type" | "group">,
  ): void {
    const nowMs = this.#clock.now();
    if (told.take(1, nowMs) > 0) return void told.take(-1, nowMs);
    this.#note({ who: principal.id, source, ...referTo(peer), ...event });
  }

  #note(event: AuditEvent): void {
    // The log counts what it has lost.
    this.#options.audit?.record(event).catch(() => {});
  }

  #send(peer: Peer<In, Out, unknown>, message: Out | undefined): void {
    if (message === undefined) return;
    const { send = sendTo } = this.#options;
    send(peer, message);
  }
}
