import { alarm, type Clock, sleep, systemClock } from "../io/clock.ts";
import { iterate } from "../io/iterate.ts";
import { ConnectionEndedError, type Ending } from "../io/peer.ts";
import type { Client } from "./client.ts";
import { connect, type ConnectOptions } from "./connect.ts";
import { type ReconnectOptions, ReconnectPolicy } from "./reconnect_policy.ts";
import { type RequestOptions, RequestTimeoutError } from "./requests.ts";
import { ServerList } from "./servers.ts";
import { type ClientStatus, StatusFeed } from "./status.ts";
import { Unread } from "./unread.ts";

/** How a client shows the server that it lives, and finds out whether the server does. */
export interface HeartbeatOptions<Out> {
  /** Milliseconds between heartbeats. @default {20_000} */
  everyMs?: number;
  /** Heartbeats without any sign of life from the server before the connection is given up. @default {2} */
  missed?: number;
  /** Makes the heartbeat; `ttlMs` is what the server may be told: without another sign for so long, we are gone. */
  message: (ttlMs: number) => Out;
}

/** Options of {@linkcode keepConnected}. */
export interface KeepConnectedOptions<In, Out>
  extends Omit<ConnectOptions<In, Out>, "to"> {
  /** One endpoint URL or several. */
  to: string | string[];
  /** Whether several servers are tried in random order or as given. @default {"random"} */
  order?: "random" | "given";
  /** When to try again, and when to give up. */
  reconnect?: ReconnectOptions;
  /**
   * Restores identity, rooms and subscriptions on each new connection, before anything else is sent on it, and in no
   * more than `timeoutMs`.
   */
  session?: (client: Client<In, Out>) => unknown;
  /** Signs of life; without it only writing finds out that the server is gone. */
  heartbeat?: HeartbeatOptions<Out>;
  /** Messages sent while there is no connection that are kept for the next; 0 keeps none. @default {0} */
  offlineMessages?: number;
  /** How long the server asks to stay away, if `message` says so. */
  comeBackInMs?: (message: In) => number | undefined;
  /** Servers that `message` tells of. */
  learnServers?: (message: In) => string[] | undefined;
  /** Where chance comes from: numbers from 0 to below 1. @default {Math.random} */
  random?: () => number;
}

/** Options of {@linkcode PersistentClient.request}. */
export interface PersistentRequestOptions extends RequestOptions {
  /**
   * Asks again on the next connection if this one is lost before the answer. Only for requests that may be carried out
   * twice, or that carry an idempotency key that the server knows. @default {false}
   */
  replay?: boolean;
}

/**
 * A client that stays: when its connection is lost it connects again, to another server if there are several, restores
 * its session and goes on. Made by {@linkcode keepConnected}.
 *
 * @example Usage
 * ```ts
 * import { keepConnected, lines, serve, text } from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * await using server = await serve({
 *   listen: "memory:harbour",
 *   wire,
 *   handler: { message: (peer, line) => peer.send(line) },
 * });
 * await using client = await keepConnected({ to: server.endpoint, wire });
 * client.send("ahoy");
 * assertEquals(await client.receive(), "ahoy");
 * ```
 */
export class PersistentClient<In, Out = In> implements AsyncDisposable {
  readonly #options: KeepConnectedOptions<In, Out>;
  readonly #clock: Clock;
  readonly #servers: ServerList;
  readonly #policy: ReconnectPolicy;
  readonly #status = new StatusFeed();
  readonly #unread: Unread<In> = new Unread();
  readonly #offline: Out[] = [];
  readonly #stop = new AbortController();
  /** Aborted when no further connection is wanted. */
  readonly #signal: AbortSignal;
  readonly #over = new AbortController();
  readonly #finished = Promise.withResolvers<void>();
  #client: Client<In, Out> | undefined;
  /** Resolves when there is a connection, or never will be. */
  #connected = Promise.withResolvers<void>();
  #comeBackMs: number | undefined;
  #inFlight = 0;
  #idle: PromiseWithResolvers<void> | undefined;
  #closedReason: string | undefined;

  /** Use {@linkcode keepConnected}. */
  constructor(options: KeepConnectedOptions<In, Out>) {
    const { clock = systemClock, random = Math.random } = options;
    const { order, signal } = options;
    this.#options = options;
    this.#clock = clock;
    this.#signal = signal === undefined
      ? this.#stop.signal
      : AbortSignal.any([this.#stop.signal, signal]);
    this.#servers = new ServerList(
      [options.to].flat(),
      order === "given" ? undefined : random,
    );
    this.#policy = new ReconnectPolicy(options.reconnect ?? {}, random);
  }

  /** The server that it is connected to, as a URL; undefined while it is not. */
  get server(): string | undefined {
    return this.#living?.endpoint;
  }

  /** Aborted when it has given up or was closed. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Why it is no more; undefined while it goes on. */
  get ending(): Ending | undefined {
    return this.#over.signal.aborted
      ? { cause: "local closed", reason: this.#closedReason! }
      : undefined;
  }

  /** Resolves when it has given up or was closed. */
  get closed(): Promise<void> {
    return this.#finished.promise;
  }

  /** What happens from now on: connections won and lost, attempts, the end. */
  status(): AsyncGenerator<ClientStatus, void, void> {
    return this.#status.read();
  }

  /**
   * Connects to the first server that can be had.
   *
   * @throws What the last server said, if none can be had.
   */
  async start(): Promise<void> {
    let failure: unknown;
    for (let tries = this.#servers.size; tries > 0; tries--) {
      try {
        const client = await this.#open(this.#servers.next());
        void this.#live(client);
        return;
      } catch (error) {
        failure = error;
      }
    }
    this.#finish(this.#closedReason ?? "no server could be connected to");
    throw failure;
  }

  async #open(server: string): Promise<Client<In, Out>> {
    const { heartbeat, limits, message } = this.#options;
    const ttlMs = heartbeat === undefined ? Infinity : timeToLiveMs(heartbeat);
    try {
      const client = await connect<In, Out>({
        ...this.#options,
        to: server,
        signal: this.#signal,
        limits: { idleMs: ttlMs, writeMs: Math.min(ttlMs, 30_000), ...limits },
        message: (received) => {
          this.#look(received);
          return message === undefined
            ? this.#unread.push(received)
            : message(received);
        },
      });
      client.signal.addEventListener("abort", () => this.#unread.release());
      await this.#restore(client);
      this.#client = client;
      this.#connected.resolve();
      this.#status.tell({ type: "connected", server });
      return client;
    } catch (error) {
      if (!this.#signal.aborted) {
        this.#status.tell({ type: "failed", server, error });
      }
      throw error;
    }
  }

  /** Brings a new connection to where the last one was, or ends it. */
  async #restore(client: Client<In, Out>): Promise<void> {
    const { session, timeoutMs = 10_000 } = this.#options;
    const giveUp = (reason: string) => client.abort(reason);
    const closed = () => giveUp(this.#closedReason ?? "aborted");
    const timer = alarm(
      this.#clock,
      timeoutMs,
      () => giveUp(`its session was not restored within ${timeoutMs} ms`),
    );
    this.#signal.addEventListener("abort", closed, { once: true });
    try {
      if (this.#signal.aborted) closed();
      else await Promise.race([session?.(client), client.closed]);
      if (client.ending !== undefined) {
        const action = `stay at ${client.endpoint}`;
        throw new ConnectionEndedError(action, client.ending);
      }
      while (this.#offline.length > 0) client.send(this.#offline.shift()!);
    } catch (error) {
      giveUp("its session could not be restored");
      throw error;
    } finally {
      this.#clock.cancel(timer);
      this.#signal.removeEventListener("abort", closed);
    }
  }

  /** Notes what the server tells about itself. */
  #look(message: In): void {
    const { comeBackInMs, learnServers } = this.#options;
    const inMs = comeBackInMs?.(message);
    // A server may tell anything.
    if (inMs !== undefined && Number.isFinite(inMs) && inMs >= 0) {
      this.#comeBackMs = inMs;
      this.#status.tell({ type: "come back", inMs });
    }
    const added = this.#servers.learn(learnServers?.(message) ?? []);
    if (added.length > 0) this.#status.tell({ type: "servers", added });
  }

  /** From a connection to its loss, and on to the next one, until closed. */
  async #live(first: Client<In, Out>): Promise<void> {
    let client: Client<In, Out> | undefined = first;
    while (client !== undefined) {
      const beating = this.#beat(client);
      const ending: Ending = await client.closed;
      this.#client = undefined;
      this.#connected = Promise.withResolvers();
      await beating;
      this.#status.tell({
        type: "disconnected",
        server: client.endpoint,
        ending,
      });
      client = await this.#reconnect(ending.error);
    }
  }

  async #reconnect(error: unknown): Promise<Client<In, Out> | undefined> {
    const signal = this.#signal;
    this.#policy.lost(this.#clock.now());
    for (;;) {
      if (signal.aborted) {
        this.#finish(this.#closedReason ?? "aborted");
        return undefined;
      }
      const policyMs = this.#policy.nextMs(this.#clock.now(), error);
      if (policyMs === undefined) {
        this.#finish(
          `no connection after ${this.#policy.attempts - 1} attempts`,
        );
        return undefined;
      }
      const delayMs = this.#comeBackMs ?? policyMs;
      this.#comeBackMs = undefined;
      const { attempts: attempt } = this.#policy;
      this.#status.tell({ type: "reconnecting", attempt, delayMs });
      await sleep(this.#clock, delayMs, signal);
      if (signal.aborted) continue;
      try {
        return await this.#open(this.#servers.next());
      } catch (failure) {
        error = failure;
      }
    }
  }

  async #beat(client: Client<In, Out>): Promise<void> {
    const { heartbeat, correlate } = this.#options;
    if (heartbeat === undefined) return;
    const { everyMs = 20_000 } = heartbeat;
    const ttlMs = timeToLiveMs(heartbeat);
    try {
      while (client.ending === undefined) {
        const message = heartbeat.message(ttlMs);
        if (correlate === undefined) client.send(message);
        // The answer is a sign of life like any other; its absence is found by the silence.
        else client.request(message, { timeoutMs: ttlMs }).catch(() => {});
        await sleep(this.#clock, everyMs, client.signal);
      }
    } catch (error) {
      client.abort(`no heartbeat could be sent: ${error}`);
    }
  }

  #finish(reason: string): void {
    this.#closedReason = reason;
    this.#connected.resolve();
    this.#unread.end();
    this.#status.tell({ type: "closed", reason });
    this.#over.abort(new Error(`Cannot go on: ${reason}`));
    this.#finished.resolve();
  }

  /**
   * Sends a message. Without a connection it is kept for the next one, if `offlineMessages` allows.
   *
   * @returns False if it was dropped, or the server is slow; wait for {@linkcode PersistentClient.drained}.
   */
  send(message: Out): boolean {
    if (this.#living !== undefined) return this.#living.send(message);
    const { offlineMessages = 0 } = this.#options;
    if (this.#offline.length >= offlineMessages) return false;
    this.#offline.push(message);
    return true;
  }

  /** Resolves when there is a connection that is not slow. Rejects if there will be none. */
  async drained(): Promise<void> {
    for (;;) {
      const client = await this.#standing("send");
      try {
        return await client.drained();
      } catch (error) {
        if (!(error instanceof ConnectionEndedError)) throw error;
        await client.closed;
      }
    }
  }

  /** The connection, once there is one. */
  async #standing(action: string): Promise<Client<In, Out>> {
    while (this.#client === undefined) {
      if (this.#closedReason !== undefined) {
        const ending: Ending = {
          cause: "local closed",
          reason: this.#closedReason,
        };
        throw new ConnectionEndedError(action, ending);
      }
      await this.#connected.promise;
    }
    return this.#client;
  }

  /**
   * Sends a request and waits for its answer. With `replay` a lost connection, or none, only delays it.
   *
   * @throws {RequestTimeoutError} If no answer comes in time.
   * @throws {ConnectionEndedError} If there is no connection, or it is lost; the request may have been carried out.
   */
  async request(
    request: Out,
    options: PersistentRequestOptions = {},
  ): Promise<In> {
    const { replay, timeoutMs = 30_000 } = options;
    const untilMs = replay === true ? this.#clock.now() + timeoutMs : 0;
    this.#inFlight++;
    try {
      return await this.#current().request(request, options);
    } catch (error) {
      if (replay !== true || !(error instanceof ConnectionEndedError)) {
        throw error;
      }
      return await this.#askAgain(request, { ...options, untilMs });
    } finally {
      if (--this.#inFlight === 0) this.#idle?.resolve();
    }
  }

  /** The connection, unless its end has begun. */
  get #living(): Client<In, Out> | undefined {
    return this.#client?.ending === undefined ? this.#client : undefined;
  }

  #current(): Client<In, Out> {
    if (this.#living !== undefined) return this.#living;
    const reason = this.#closedReason ?? "reconnecting";
    throw new ConnectionEndedError("ask", { cause: "peer closed", reason });
  }

  /** Asks on the next connection, and the one after it, until `untilMs`. */
  async #askAgain(
    request: Out,
    options: RequestOptions & { untilMs: number },
  ): Promise<In> {
    const { timeoutMs = 30_000, signal, untilMs } = options;
    for (;;) {
      if (this.#living === undefined) await this.#client?.closed;
      const leftMs = untilMs - this.#clock.now();
      if (leftMs <= 0) throw new RequestTimeoutError(timeoutMs, "");
      signal?.throwIfAborted();
      if (this.#client === undefined) {
        const late = new AbortController();
        const given = signal === undefined
          ? late.signal
          : AbortSignal.any([signal, late.signal]);
        const timeUp = sleep(this.#clock, leftMs, given);
        try {
          await Promise.race([this.#standing("ask"), timeUp]);
        } finally {
          late.abort();
        }
        continue;
      }
      try {
        return await this.#client.request(request, {
          ...options,
          timeoutMs: leftMs,
        });
      } catch (error) {
        if (!(error instanceof ConnectionEndedError)) throw error;
      }
    }
  }

  /** The next message that answers no request, over all connections; undefined once the client is closed. */
  receive(): Promise<In | undefined> {
    return this.#unread.receive();
  }

  /** All messages that answer no request, over all connections. */
  [Symbol.asyncIterator](): AsyncIterator<In> {
    return iterate(this);
  }

  /** Waits for the answers to requests in flight, at most `deadlineMs`, and closes. */
  async drain(deadlineMs = 10_000): Promise<void> {
    if (this.#inFlight > 0) {
      this.#idle ??= Promise.withResolvers();
      const late = new AbortController();
      await Promise.race([
        this.#idle.promise,
        sleep(this.#clock, deadlineMs, late.signal),
      ]);
      late.abort();
    }
    await this.close();
  }

  /** Closes the connection and makes no other. */
  async close(reason = "closed"): Promise<void> {
    this.#closedReason ??= reason;
    this.#stop.abort();
    await this.#client?.close(reason);
    await this.closed;
  }

  /** Closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function timeToLiveMs(
  { everyMs = 20_000, missed = 2 }: Pick<
    HeartbeatOptions<unknown>,
    "everyMs" | "missed"
  >,
): number {
  return everyMs * missed;
}

/**
 * Connects to one of several servers and stays connected; resolves with the first connection.
 *
 * @throws {EndpointError} If no server can be connected to at first.
 *
 * @example Usage
 * ```ts
 * import { keepConnected } from "./persistent.ts";
 * import { inOrder } from "./correlation.ts";
 * import { serve } from "../server/serve.ts";
 * import { lines } from "../proto/framing/delimited.ts";
 * import { text } from "../proto/codec/text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * const start = () =>
 *   serve({
 *     listen: "memory:phoenix",
 *     wire,
 *     handler: { message: (peer, line) => peer.send(line.toUpperCase()) },
 *   });
 * const first = await start();
 * await using client = await keepConnected({
 *   to: "memory:phoenix",
 *   wire,
 *   correlate: inOrder(),
 *   reconnect: { spreadMs: 10, minMs: 1 },
 * });
 * await first.close();
 * await using second = await start();
 * assertEquals(await client.request("still here", { replay: true }), "STILL HERE");
 * ```
 */
export async function keepConnected<In, Out = In>(
  options: KeepConnectedOptions<In, Out>,
): Promise<PersistentClient<In, Out>> {
  const client = new PersistentClient<In, Out>(options);
  await client.start();
  return client;
}
