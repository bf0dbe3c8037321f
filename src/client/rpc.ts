import {
  type RpcClientCall,
  RpcClientMachine,
  type RpcQuestion,
  type RpcWaiter,
} from "../proto/rpc/client_machine.ts";
import { type Clock, systemClock } from "../io/clock.ts";
import { completeLimits } from "../io/limits.ts";
import { MachineTimer } from "../io/machine_timer.ts";
import type { Peer } from "../io/peer.ts";
import { PersistentClient } from "./persistent.ts";
import type { RequestOptions } from "./requests.ts";
import {
  PeerTransport,
  PersistentTransport,
  type RpcTransport,
} from "./rpc_transport.ts";
import type {
  RpcItem,
  RpcName,
  RpcParams,
  RpcResult,
  RpcUntyped,
} from "./rpc_types.ts";
import { Pending, StreamInbox } from "./rpc_waiters.ts";

/** Options of {@linkcode RpcClient.request}. */
export interface RpcRequestOptions extends RequestOptions {
  /**
   * Makes the request safe to send twice: while the connection is away it waits for the next one and is sent again, and
   * the server carries it out once. Unique for each thing that is to be done, such as `crypto.randomUUID()`; 1 to 256
   * characters.
   */
  idempotencyKey?: string;
}

/** Options of {@linkcode RpcClient.stream}. */
export interface RpcStreamOptions {
  /** Milliseconds for the whole stream. @default {Infinity} */
  timeoutMs?: number;
  /** Gives up when aborted. */
  signal?: AbortSignal;
  /** Items that may be on their way or wait to be read. @default {256} */
  maxUnread?: number;
}

/** Options of {@linkcode rpcClient}. */
export interface RpcClientOptions {
  /** Milliseconds to wait for an answer, unless a request says otherwise. @default {30_000} */
  timeoutMs?: number;
  /** Requests in flight at once, beyond which they are refused. @default {10_000} */
  maxInFlight?: number;
  /** Called with each notification of the server. */
  notification?(method: string, params: unknown): void;
  /** Called with what nobody waits for: answers that are late, come twice or have a wrong id. */
  stray?(message: unknown): void;
  /** Where deadlines take their time from. @default {systemClock} */
  clock?: Clock;
}

/**
 * Asks for methods by JSON-RPC 2.0 over what {@linkcode connect} or {@linkcode keepConnected} returns, and takes all
 * that it receives; `docs/rpc.md` describes the wire.
 *
 * @typeParam Api The methods: `typeof methods` of the server, or an interface.
 *
 * @throws {RangeError} If a limit is not a number above 0.
 *
 * @example Usage
 * ```ts
 * import { rpcClient } from "./rpc.ts";
 * import { connect } from "./connect.ts";
 * import { rpcHandler } from "../server/rpc.ts";
 * import { serve } from "../server/serve.ts";
 * import { lengthPrefixed } from "../proto/framing/length_prefixed.ts";
 * import { msgpack } from "../proto/codec/msgpack.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const methods = {
 *   async *count({ to }: { to: number }) {
 *     for (let n = 1; n <= to; n++) yield n;
 *     return "done";
 *   },
 * };
 * const wire = lengthPrefixed(msgpack());
 * await using server = await serve({
 *   listen: "memory:counter",
 *   wire,
 *   handler: rpcHandler({ methods }),
 * });
 * await using client = rpcClient<typeof methods>(
 *   await connect({ to: server.endpoint, wire }),
 * );
 * const items: number[] = [];
 * for await (const n of client.stream("count", { to: 3 })) items.push(n);
 * assertEquals(items, [1, 2, 3]);
 * assertEquals(await client.request("count", { to: 3 }), "done");
 * ```
 */
export function rpcClient<Api extends object = RpcUntyped>(
  over:
    | Peer<unknown, unknown, unknown>
    | PersistentClient<unknown, unknown>
    | RpcTransport,
  options: RpcClientOptions = {},
): RpcClient<Api> {
  return new RpcClient(transportOf(over), options);
}

function transportOf(over: Parameters<typeof rpcClient>[0]): RpcTransport {
  if (over instanceof PersistentClient) return new PersistentTransport(over);
  return "receive" in over ? new PeerTransport(over) : over;
}

const DEFAULT_LIMITS = { timeoutMs: 30_000, maxInFlight: 10_000 };

/**
 * Asks for methods; made by {@linkcode rpcClient}.
 *
 * @example Usage
 * ```ts
 * import { rpcClient } from "./rpc.ts";
 * import { connect } from "./connect.ts";
 * import { rpcHandler } from "../server/rpc.ts";
 * import { serve } from "../server/serve.ts";
 * import { lines } from "../proto/framing/delimited.ts";
 * import { json } from "../proto/codec/json.ts";
 * import { RpcError } from "../proto/rpc/errors.ts";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const wire = lines(json());
 * await using server = await serve({
 *   listen: "memory:nothing",
 *   wire,
 *   handler: rpcHandler({ methods: {} }),
 * });
 * await using client = rpcClient(await connect({ to: server.endpoint, wire }));
 * const error = await assertRejects(() => client.request("sail"), RpcError);
 * assertEquals(error.code, -32601);
 * ```
 */
export class RpcClient<Api extends object = RpcUntyped>
  implements AsyncDisposable {
  readonly #transport: RpcTransport;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #machine: RpcClientMachine;
  readonly #timer: MachineTimer;
  #draining = false;

  /** Use {@linkcode rpcClient}. */
  constructor(transport: RpcTransport, options: RpcClientOptions) {
    const { timeoutMs, maxInFlight } = completeLimits(
      {
        timeoutMs: options.timeoutMs,
        maxInFlight: options.maxInFlight,
      } as Partial<typeof DEFAULT_LIMITS>,
      DEFAULT_LIMITS,
    );
    this.#transport = transport;
    this.#clock = options.clock ?? systemClock;
    this.#timeoutMs = timeoutMs;
    const machine = this.#machine = new RpcClientMachine(
      {
        send: (message) => transport.send(message),
        notified: (method, params) => options.notification?.(method, params),
        stray: (message) => options.stray?.(message),
      },
      maxInFlight,
      transport.connected,
    );
    this.#timer = new MachineTimer(this.#clock, machine);
    transport.listen({
      message: (message) => machine.receive(message),
      connected: () => {
        machine.connect(this.#clock.now());
        this.#heedSlowness();
      },
      disconnected: (cause, final) => machine.disconnect(cause, final),
    });
  }

  /** Requests that wait for their answers. */
  get inFlight(): number {
    return this.#machine.pending;
  }

  /**
   * Asks for a method and waits for its answer. How long it waits is told to the server, which aborts the method then.
   *
   * @throws {RpcError} If the server answers with an error.
   * @throws {RequestTimeoutError} If no answer comes in time.
   * @throws {RequestLostError} If the connection ends before, and there is no idempotency key.
   * @throws {RangeError} If too many requests are in flight.
   * @throws {LocalProtocolError} If the request cannot be put into the wire.
   */
  request<Name extends RpcName<Api>>(
    method: Name,
    params?: RpcParams<Api[Name]>,
    options: RpcRequestOptions = {},
  ): Promise<RpcResult<Api[Name]>> {
    const { timeoutMs = this.#timeoutMs, idempotencyKey, signal } = options;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const waiter = new Pending(
        resolve as (result: unknown) => void,
        reject,
        timeoutMs,
      );
      const call = this.#ask({
        method,
        params: params as object | undefined,
        timeoutMs,
        key: idempotencyKey,
        stream: undefined,
      }, waiter);
      if (signal !== undefined) {
        waiter.heed(signal, () => this.#machine.cancel(call));
      }
    });
  }

  /**
   * Asks for a method that sends items before it answers. Nothing is sent before the first item is asked for; leaving
   * the loop cancels the call. The server may be `maxUnread` items ahead of the loop. The generator returns the answer.
   *
   * @throws {RpcError} If the server answers with an error; what came before it is read first.
   * @throws {RequestTimeoutError} If the stream does not end in time.
   * @throws {RequestLostError} If the connection ends before.
   */
  async *stream<Name extends RpcName<Api>>(
    method: Name,
    params?: RpcParams<Api[Name]>,
    options: RpcStreamOptions = {},
  ): AsyncGenerator<RpcItem<Api[Name]>, RpcResult<Api[Name]>, void> {
    const { timeoutMs = Infinity, maxUnread = 256, signal } = options;
    signal?.throwIfAborted();
    const inbox = new StreamInbox(timeoutMs);
    const call = this.#ask({
      method,
      params: params as object | undefined,
      timeoutMs,
      key: undefined,
      stream: maxUnread,
    }, inbox);
    const abort = () => inbox.abort(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      let read = 0;
      for (;;) {
        for (const item of inbox.take()) {
          yield item as RpcItem<Api[Name]>;
          signal?.throwIfAborted();
          if (++read * 2 < maxUnread) continue;
          this.#machine.grant(call, read);
          read = 0;
        }
        if (inbox.isEmpty && inbox.end !== undefined) {
          if ("error" in inbox.end) throw inbox.end.error;
          return inbox.end.result as RpcResult<Api[Name]>;
        }
        await inbox.changed();
      }
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#machine.cancel(call);
    }
  }

  /**
   * Calls a method without waiting for an answer, or for whether there is such a method.
   *
   * @returns Whether to go on: false if the server is slow, or if there is no connection, and nothing was sent.
   * @throws {LocalProtocolError} If the message cannot be put into the wire.
   */
  notify<Name extends RpcName<Api>>(
    method: Name,
    params?: RpcParams<Api[Name]>,
  ): boolean {
    return this.#machine.notify(method, params as object | undefined);
  }

  #ask(question: RpcQuestion, waiter: RpcWaiter): RpcClientCall {
    const nowMs = this.#clock.now();
    const call = this.#machine.ask(question, waiter, nowMs);
    this.#timer.schedule(nowMs);
    this.#heedSlowness();
    return call;
  }

  #heedSlowness(): void {
    if (this.#draining || !this.#machine.isSlow) return;
    this.#draining = true;
    void this.#drain();
  }

  async #drain(): Promise<void> {
    try {
      await this.#transport.drained();
    } catch {
      // The connection has ended, which is told by other means.
    }
    this.#draining = false;
    this.#machine.drained(this.#clock.now());
    this.#heedSlowness();
  }

  /** Ends the connection; requests in flight fail. */
  async close(): Promise<void> {
    const closing = this.#transport.close();
    this.#machine.disconnect(new Error("The client was closed"), true);
    this.#timer.stop();
    await closing;
  }

  /** Closes, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
