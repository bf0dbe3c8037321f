import { abortable } from "../io/abortable.ts";
import { alarm, type Clock, sleep, systemClock } from "../io/clock.ts";
import { type Peer, Refusal } from "../io/peer.ts";
import { RemoteProtocolError } from "../proto/errors.ts";
import type { KeyedLimit } from "../proto/security/keyed_limit.ts";
import { AuditError, type AuditSink } from "./audit.ts";
import {
  type AuthenticationContext,
  AuthenticationError,
  type Authenticator,
  type Challenge,
  type Credentials,
  type Principal,
} from "./authentication.ts";
import { Checks } from "./checks.ts";
import { claimedName, redact, secretsOf } from "./redact.ts";
import { networkOf, type SourceOf } from "./source.ts";

/** The messages that a login is answered with; each is sent unless undefined. */
export interface LoginAnswers<Out> {
  /** The peer is who it says. `principal.grant` is for it, such as a session token. */
  accepted?(principal: Principal): Out | undefined;
  /** The peer has to answer this with credentials. */
  challenge(challenge: Challenge): Out | undefined;
  /** The credentials prove nothing. The error has no detail: the peer learns its `code` and `retryAfterMs` alone. */
  refused(error: AuthenticationError): Out | undefined;
}

/** What somebody who is not logged in may cost. */
export interface LoginLimits {
  /** Milliseconds until somebody must be logged in, from the connection's start. @default {10_000} */
  deadlineMs?: number;
  /** The largest frame of somebody who is not logged in. @default {4_096} */
  maxFrameBytes?: number;
  /** Tries that may fail before the peer is turned away. @default {3} */
  maxTries?: number;
  /** Milliseconds from a try to its refusal, at least: the time tells nothing about what was wrong. @default {250} */
  refusalMs?: number;
  /** Logins that are checked at a time, over all connections. @default {64} */
  maxChecks?: number;
  /** Logins that are checked at a time for one source. @default {8} */
  maxChecksPerSource?: number;
  /** Logins that may wait for that; more are refused. @default {10_000} */
  maxWaitingChecks?: number;
  /** Logins of one source that may wait; more are refused. @default {1_000} */
  maxWaitingChecksPerSource?: number;
}

/** Options of {@linkcode Login}. */
export interface LoginOptions<In, Out> extends LoginLimits {
  /** The ways to prove who one is; of several that accept the same credentials, one has to be convinced. */
  authenticators: readonly Authenticator[];
  /** The credentials in a message; undefined if it is not one of a login. */
  credentials: (message: In) => Credentials | undefined;
  /** What the peer is told. */
  answer: LoginAnswers<Out>;
  /**
   * Sends what the peer is told, where that must not overtake answers which are still being made. `peer.state` is
   * undefined before the login. @default {peer.send()}
   */
  send?: (peer: Peer<In, Out, unknown>, message: Out) => unknown;
  /** How often each source may try. */
  loginLimit?: KeyedLimit;
  /** Tells the address of a peer where a trusted proxy stands between. */
  sourceOf?: SourceOf<In, Out>;
  /** Is told of every login. */
  audit?: AuditSink;
  /**
   * Whether the audit log shows the names of logins that were refused. People type passwords there by mistake.
   *
   * @default {"shown"}
   */
  claimedNames?: "shown" | "hidden";
  /** Where deadlines take their time from. @default {systemClock} */
  clock?: Clock;
  /** The time, in milliseconds since 1970. @default {Date.now} */
  now?: () => number;
}

/** The defaults of {@linkcode LoginLimits}. */
export const DEFAULT_LOGIN_LIMITS: Readonly<Required<LoginLimits>> = {
  deadlineMs: 10_000,
  maxFrameBytes: 4_096,
  maxTries: 3,
  refusalMs: 250,
  maxChecks: 64,
  maxChecksPerSource: 8,
  maxWaitingChecks: 10_000,
  maxWaitingChecksPerSource: 1_000,
};

/** One peer that logs in, or logs in again. */
interface Attempt<In, Out> {
  peer: Peer<In, Out, unknown>;
  source: string;
  memory: Map<unknown, unknown>;
  signal: AbortSignal;
}

/**
 * The login of the peers of a server, for handlers that are loops; {@linkcode authenticated} puts it before any
 * handler.
 *
 * @example Usage
 * ```ts
 * import { AuthenticationError, connect, json, lines, Login, serve } from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * type Message = { token?: string; say?: string };
 * const wire = lines(json<Message>());
 * const login = new Login<Message, Message>({
 *   authenticators: [{
 *     name: "fixed token",
 *     accepts: ["token"],
 *     async authenticate(credentials) {
 *       if (credentials.type === "token" && credentials.token === "sesame") {
 *         return { id: "ali", roles: ["user"], method: "fixed token" };
 *       }
 *       throw new AuthenticationError("denied", "no such token");
 *     },
 *   }],
 *   credentials: ({ token }) => token === undefined ? undefined : { type: "token", token },
 *   answer: {
 *     accepted: ({ id }) => ({ say: `welcome ${id}` }),
 *     challenge: () => undefined,
 *     refused: ({ code }) => ({ say: code }),
 *   },
 * });
 * await using server = await serve<Message, Message>({
 *   listen: "memory:cave",
 *   wire,
 *   handler: async (peer) => {
 *     const { id } = await login.admit(peer);
 *     for await (const { say } of peer) peer.send({ say: `${id}: ${say}` });
 *   },
 * });
 * await using client = await connect({ to: server.endpoint, wire });
 * client.send({ token: "sesame" });
 * client.send({ say: "open" });
 * assertEquals(await client.receive(), { say: "welcome ali" });
 * assertEquals(await client.receive(), { say: "ali: open" });
 * ```
 */
export class Login<In, Out> {
  readonly #options: LoginOptions<In, Out> & typeof DEFAULT_LOGIN_LIMITS;
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #checks: Checks;

  /**
   * Takes the options of all logins.
   *
   * @throws {RangeError} If a limit is not above 0, or `refusalMs` is below.
   */
  constructor(options: LoginOptions<In, Out>) {
    this.#options = { ...DEFAULT_LOGIN_LIMITS, ...options };
    for (
      const name of Object.keys(DEFAULT_LOGIN_LIMITS) as (keyof LoginLimits)[]
    ) {
      const value = this.#options[name];
      if (value > 0 || name === "refusalMs" && value === 0) continue;
      throw new RangeError(
        `Cannot let log in: '${name}' must be a number above 0: current value is ${value}`,
      );
    }
    this.#clock = options.clock ?? systemClock;
    this.#now = options.now ?? (() => Date.now());
    this.#checks = new Checks(this.#options);
  }

  /** The network that a peer is counted under. */
  source(peer: Peer<In, Out, unknown>): string {
    return networkOf(peer, this.#options.sourceOf?.(peer));
  }

  /**
   * Waits until the peer has logged in, and answers it; to be called before anything is received from it.
   *
   * @throws {Refusal} If it does not in the time and the tries that it has.
   * @throws {RemoteProtocolError} If it sends what is no message.
   */
  async admit(peer: Peer<In, Out, unknown>): Promise<Principal> {
    const { deadlineMs, maxFrameBytes } = this.#options;
    const full = peer.maxFrameBytes;
    peer.maxFrameBytes = Math.min(full, maxFrameBytes);
    const principal = await this.#within(
      peer,
      deadlineMs,
      (attempt) => this.#admit(attempt),
    );
    peer.maxFrameBytes = full;
    this.#send(peer, this.#options.answer.accepted?.(principal));
    return principal;
  }

  /**
   * Checks credentials that have come in a message of a session. The answer to a challenge comes in a later one, so
   * the caller keeps `memory` until then.
   *
   * @returns The principal, or what the peer was told in place of that.
   * @throws {Refusal} If the time is over.
   */
  async again(
    peer: Peer<In, Out, unknown>,
    credentials: Credentials,
    options: {
      memory: Map<unknown, unknown>;
      mayBecome?: (principal: Principal) => boolean;
    },
  ): Promise<Principal | "challenged" | "refused"> {
    const { memory, mayBecome } = options;
    const { deadlineMs, answer } = this.#options;
    return await this.#within(peer, deadlineMs, async (attempt) => {
      const result = await this.#try(
        { ...attempt, memory },
        credentials,
        mayBecome,
      );
      if (result === undefined) return "refused";
      if ("challenge" in result) {
        this.#send(peer, answer.challenge(result));
        return "challenged";
      }
      this.#send(peer, answer.accepted?.(result));
      return result;
    });
  }

  /** Runs a login until its deadline; what is then still under way is left behind. */
  async #within<T>(
    peer: Peer<In, Out, unknown>,
    deadlineMs: number,
    run: (attempt: Attempt<In, Out>) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    const { signal } = controller;
    const left = () => controller.abort(new Refusal("left before the login"));
    peer.signal.addEventListener("abort", left, { once: true });
    if (peer.signal.aborted) left();
    const source = this.source(peer);
    const timer = alarm(this.#clock, deadlineMs, () => {
      const detail = `no login within ${deadlineMs} ms`;
      controller.abort(new AuthenticationError("timed_out", detail));
    });
    try {
      return await run({ peer, source, memory: new Map(), signal });
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      await this.#refused({ peer, source }, error);
      throw new Refusal(error.detail);
    } finally {
      this.#clock.cancel(timer);
      peer.signal.removeEventListener("abort", left);
      // Authenticators that are still at work may stop.
      controller.abort(new Refusal("the login is over"));
    }
  }

  async #admit(attempt: Attempt<In, Out>): Promise<Principal> {
    const { peer, signal } = attempt;
    const { maxTries, answer, authenticators } = this.#options;
    const isCertificate = ({ accepts }: Authenticator) =>
      accepts.includes("certificate");
    let failed = 0;
    if (
      peer.identity?.certificate !== undefined &&
      authenticators.some(isCertificate)
    ) {
      const result = await this.#try(attempt, { type: "certificate" });
      if (result !== undefined && "id" in result) return result;
      failed++;
    }
    if (
      authenticators.every(({ accepts }) =>
        accepts.every((it) => it === "certificate")
      )
    ) {
      if (failed === 0) {
        const error = new AuthenticationError("denied", "no certificate");
        await this.#refused(attempt, error, { type: "certificate" });
      }
      throw new Refusal("no certificate that is let in");
    }
    let challenges = 0;
    while (failed < maxTries) {
      const credentials = await this.#receive(attempt);
      const result = credentials === undefined
        ? await this.#unsupported(attempt)
        : await this.#try(attempt, credentials);
      if (result === undefined) failed++;
      else if ("id" in result) return result;
      else if (++challenges > maxTries) break;
      else this.#send(peer, answer.challenge(result));
    }
    signal.throwIfAborted();
    throw new Refusal(`${failed} tries to log in have failed`);
  }

  async #receive(
    { peer, source, signal }: Attempt<In, Out>,
  ): Promise<Credentials | undefined> {
    const receiving = peer.receive();
    // It may be left behind when the time is over.
    receiving.catch(() => {});
    let message: In | undefined;
    try {
      message = await abortable(receiving, signal);
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      if (error.recoverable) return undefined;
      this.#note({
        event: "login refused",
        source,
        ...referTo(peer),
        code: "unsupported",
        detail: error.message,
      });
      throw error;
    }
    if (message === undefined) throw new Refusal("left before the login");
    return this.#options.credentials(message);
  }

  async #unsupported(attempt: Attempt<In, Out>): Promise<undefined> {
    const waited = this.#wait(this.#clock.now(), attempt.signal);
    const error = new AuthenticationError("unsupported", "no credentials");
    await waited;
    await this.#refused(attempt, error);
  }

  /** Checks credentials; if they prove nothing, says so and returns undefined. */
  async #try(
    attempt: Attempt<In, Out>,
    credentials: Credentials,
    mayBecome?: (principal: Principal) => boolean,
  ): Promise<Principal | Challenge | undefined> {
    const startMs = this.#clock.now();
    try {
      const result = await this.#check(attempt, credentials);
      if (!("id" in result)) return result;
      if (mayBecome?.(result) === false) {
        throw new AuthenticationError(
          "unsupported",
          `the connection belongs to somebody else than ${result.id}`,
        );
      }
      await this.#accepted(attempt, result);
      this.#checks.trust(attempt.source);
      return result;
    } catch (error) {
      const { signal } = attempt;
      if (signal.aborted) throw signal.reason;
      await this.#wait(startMs, signal);
      await this.#refused(attempt, asRefusal(error), credentials);
      return undefined;
    }
  }

  /** A refusal takes the same time whatever was wrong. */
  async #wait(startMs: number, signal: AbortSignal): Promise<void> {
    const leftMs = startMs + this.#options.refusalMs - this.#clock.now();
    if (leftMs > 0) await sleep(this.#clock, leftMs, signal);
    signal.throwIfAborted();
  }

  async #check(
    attempt: Attempt<In, Out>,
    credentials: Credentials,
  ): Promise<Principal | Challenge> {
    const { source, memory, signal, peer } = attempt;
    const { loginLimit, authenticators } = this.#options;
    const waitMs = loginLimit?.tryTake(source, this.#clock.now()) ?? 0;
    if (waitMs > 0) {
      throw new AuthenticationError(
        "too_many_tries",
        "over the limit of the source",
        { retryAfterMs: waitMs },
      );
    }
    const nowMs = this.#now();
    const { identity } = peer;
    const context = { source, identity, signal, nowMs, memory };
    const able = authenticators.filter(({ accepts }) =>
      accepts.includes(credentials.type)
    );
    const checking = this.#checks.run(
      source,
      signal,
      () => convince(able, credentials, context),
    );
    // It may be left behind when the time is over.
    checking.catch(() => {});
    const result = await abortable(checking, signal);
    if ("id" in result && (result.expiresAtMs ?? Infinity) <= this.#now()) {
      throw new AuthenticationError("expired", "the proof has run out");
    }
    return result;
  }

  async #accepted(
    { peer, source }: Attempt<In, Out>,
    { id, method }: Principal,
  ): Promise<void> {
    const event = "login accepted";
    await this.#options.audit?.record({
      event,
      who: id,
      source,
      ...referTo(peer),
      method,
    });
  }

  async #refused(
    { peer, source }: Pick<Attempt<In, Out>, "peer" | "source">,
    error: AuthenticationError,
    credentials?: Credentials,
  ): Promise<void> {
    const secrets = secretsOf(credentials);
    const { code, detail, retryAfterMs } = error;
    const isShown = this.#options.claimedNames !== "hidden";
    const isCertificate = credentials?.type === "certificate";
    const noted = this.#note({
      event: isCertificate ? "certificate refused" : "login refused",
      claimed: isShown ? redact(claimedName(credentials), secrets) : undefined,
      source,
      ...referTo(peer),
      method: credentials?.type,
      code,
      detail: redact(
        detail,
        isShown ? secrets : [...secrets, claimedName(credentials) ?? ""],
      ),
    });
    await noted;
    const told = new AuthenticationError(
      code,
      "",
      retryAfterMs === undefined ? {} : { retryAfterMs },
    );
    this.#send(peer, this.#options.answer.refused(told));
  }

  /** Writes down what has to happen even if it cannot be written down. */
  async #note(event: Parameters<AuditSink["record"]>[0]): Promise<void> {
    try {
      await this.#options.audit?.record(event);
    } catch {
      // The log counts what it has lost; to refuse is safe.
    }
  }

  #send(peer: Peer<In, Out, unknown>, message: Out | undefined): void {
    if (message === undefined) return;
    const { send = sendTo } = this.#options;
    send(peer, message);
  }
}

/** Sends a message, in no order with others. */
export function sendTo<In, Out>(
  peer: Peer<In, Out, unknown>,
  message: Out,
): void {
  peer.send(message);
}

/** The fields of an event that say on which connection. */
export function referTo(
  { id, endpoint }: { readonly id: number; readonly endpoint: string },
): { connection: number; endpoint: string } {
  return { connection: id, endpoint };
}

/** Asks one authenticator after the other until one is convinced. */
async function convince(
  authenticators: readonly Authenticator[],
  credentials: Credentials,
  context: AuthenticationContext,
): Promise<Principal | Challenge> {
  const errors: AuthenticationError[] = [];
  for (const authenticator of authenticators) {
    try {
      return await authenticator.authenticate(credentials, context);
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      errors.push(error);
    }
  }
  if (errors.length === 0) {
    const detail = `nobody accepts ${credentials.type}`;
    throw new AuthenticationError("unsupported", detail);
  }
  // Who knows a token knows more about it than who does not.
  const telling = errors.find(({ code }) => code !== "denied") ?? errors[0]!;
  const detail = errors.map(({ detail }) => detail).join("; ");
  const { code, retryAfterMs } = telling;
  throw new AuthenticationError(code, detail, {
    cause: telling,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** What failed here looks to the peer like credentials that prove nothing. */
function asRefusal(error: unknown): AuthenticationError {
  if (error instanceof AuthenticationError) return error;
  const detail = error instanceof AuditError
    ? "the audit log cannot be written"
    : `failed: ${error instanceof Error ? error.message : error}`;
  return new AuthenticationError("denied", detail, { cause: error });
}
