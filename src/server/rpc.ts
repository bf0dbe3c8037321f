import type { RemoteProtocolError } from "../proto/errors.ts";
import {
  type DedupeLimits,
  DedupeWindow,
  DEFAULT_DEDUPE_LIMITS,
} from "../proto/rpc/dedupe_window.ts";
import { RPC_CODES, RpcError } from "../proto/rpc/errors.ts";
import {
  invalidRequest,
  response,
  rpcNotification,
  type RpcOutcome,
} from "../proto/rpc/messages.ts";
import { FAILED } from "../proto/rpc/refusals.ts";
import type { RpcCall } from "../proto/rpc/server_call.ts";
import {
  DEFAULT_RPC_LIMITS,
  type RpcServerHost,
  type RpcServerLimits,
  RpcServerMachine,
} from "../proto/rpc/server_machine.ts";
import { type Clock, systemClock } from "../io/clock.ts";
import type { HandlerCallbacks } from "../io/handler.ts";
import { completeLimits } from "../io/limits.ts";
import { MachineTimer } from "../io/machine_timer.ts";
import type { Ending, Peer } from "../io/peer.ts";
import {
  RpcContext,
  type RpcMethods,
  type RpcPeer,
  type RpcSession,
} from "./rpc_context.ts";

/** A call that failed in a way that its caller is not told. */
export interface RpcFailure<State> {
  /** Who called. */
  peer: RpcPeer<State>;
  /** What was called; undefined if an answer could not be put into the wire. */
  method: string | undefined;
  /** What was thrown. */
  error: unknown;
}

/** How long the answers to calls with idempotency keys are kept, and for whom. */
export interface RpcWindow<State> extends DedupeLimits {
  /**
   * Who shares keys with whom: equal keys of peers with different scopes are different calls. Where anybody may connect,
   * return who the peer has proved to be. @default {() => ""}
   */
  scope?(peer: Peer<unknown, unknown>, state: State): string;
}

/** Options of {@linkcode rpcHandler}. */
export interface RpcHandlerOptions<State = undefined> extends RpcServerLimits {
  /** A peer has connected; see {@linkcode HandlerCallbacks.open}. What it returns becomes `context.state`. */
  open?(peer: Peer<unknown, unknown>): State | Promise<State>;
  /** What can be called. */
  methods: RpcMethods<State>;
  /** How calls with idempotency keys are remembered. */
  window?: RpcWindow<State>;
  /** Is told what callers are not: why a method failed. */
  failed?(failure: RpcFailure<State>): void;
  /** A peer's connection has ended; see {@linkcode HandlerCallbacks.close}. */
  close?(peer: RpcPeer<State>, ending: Ending): unknown;
  /** Where deadlines take their time from. @default {systemClock} */
  clock?: Clock;
}

/**
 * Serves methods by JSON-RPC 2.0 over any framing and codec; `docs/rpc.md` describes the wire. Calls of one connection
 * run side by side. May serve at several servers, which then share the window of idempotency keys.
 *
 * @throws {RangeError} If a limit is not a number above 0.
 *
 * @example Usage
 * ```ts
 * import { rpcHandler } from "./rpc.ts";
 * import { serve } from "./serve.ts";
 * import { connect } from "../client/connect.ts";
 * import { rpcClient } from "../client/rpc.ts";
 * import { lines } from "../proto/framing/delimited.ts";
 * import { json } from "../proto/codec/json.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const methods = {
 *   add: ({ a, b }: { a: number; b: number }) => a + b,
 * };
 * const wire = lines(json());
 * await using server = await serve({
 *   listen: "memory:adder",
 *   wire,
 *   handler: rpcHandler({ methods }),
 * });
 * await using client = rpcClient<typeof methods>(
 *   await connect({ to: server.endpoint, wire }),
 * );
 * assertEquals(await client.request("add", { a: 1, b: 2 }), 3);
 * ```
 */
export function rpcHandler<State = undefined>(
  options: RpcHandlerOptions<State>,
): HandlerCallbacks<unknown, unknown, RpcSession<State>> {
  const service = new Service(options);
  // Every peer that these are called with has got its state from `open`.
  const session = (peer: RpcPeer<State>) =>
    peer.state as RpcSession<State> as Session<State>;
  return {
    open(peer) {
      const state = options.open?.(peer);
      return state instanceof Promise
        ? state.then((state) => new Session(service, peer, state))
        : new Session(service, peer, state as State);
    },
    message: (peer, message) => session(peer).receive(message),
    invalid: (peer, error) => void peer.send(refusal(error)),
    drain: (peer) => session(peer).drain(),
    finish: (peer) => session(peer).finish(),
    close(peer, ending) {
      session(peer).close();
      return options.close?.(peer, ending);
    },
  };
}

/** The answer to what is no message. */
function refusal({ code, message: reason }: RemoteProtocolError): unknown {
  return code === "malformed"
    ? response(null, {
      error: {
        code: RPC_CODES.parseError,
        message: "Parse error",
        data: reason,
      },
    })
    : invalidRequest(null, reason);
}

/** What the connections of one handler share. */
class Service<State> {
  readonly options: RpcHandlerOptions<State>;
  readonly methods: ReadonlyMap<string, RpcMethods<State>[string]>;
  readonly limits: Required<RpcServerLimits>;
  readonly window: DedupeWindow<RpcCall>;
  readonly clock: Clock;

  constructor(options: RpcHandlerOptions<State>) {
    const { maxInFlight, maxBatch, maxCallMs } = options;
    const { ms, maxEntries, maxBytes } = options.window ?? {};
    this.options = options;
    this.methods = new Map(Object.entries(options.methods));
    this.limits = completeLimits<RpcServerLimits>(
      { maxInFlight, maxBatch, maxCallMs } as RpcServerLimits,
      DEFAULT_RPC_LIMITS,
    );
    this.window = new DedupeWindow(completeLimits<DedupeLimits>(
      { ms, maxEntries, maxBytes } as DedupeLimits,
      DEFAULT_DEDUPE_LIMITS,
    ));
    this.clock = options.clock ?? systemClock;
  }
}

/** One connection. */
class Session<State> implements RpcSession<State>, RpcServerHost {
  readonly state: State;
  readonly clock: Clock;
  readonly peer: RpcPeer<State>;
  readonly #service: Service<State>;
  readonly #machine: RpcServerMachine;
  readonly #timer: MachineTimer;
  /** Resolves when there is room for more calls. */
  #room: PromiseWithResolvers<void> | undefined;
  /** Resolves when all requests are answered. */
  #finished: PromiseWithResolvers<void> | undefined;
  #heedsEnd = false;

  constructor(
    service: Service<State>,
    peer: Peer<unknown, unknown>,
    state: State,
  ) {
    const { limits, window, clock, options } = service;
    this.#service = service;
    // The peer gets this very session as its state.
    this.peer = peer as Peer<unknown, unknown, unknown> as RpcPeer<State>;
    this.state = state;
    this.clock = clock;
    const scope = options.window?.scope?.(peer, state) ?? "";
    this.#machine = new RpcServerMachine(this, limits, window, scope);
    this.#timer = new MachineTimer(clock, this.#machine);
  }

  notify(method: string, params?: object): boolean {
    return this.peer.send(rpcNotification(method, params));
  }

  receive(message: unknown): Promise<void> | undefined {
    const nowMs = this.clock.now();
    this.#machine.receive(message, nowMs);
    this.#timer.schedule(nowMs);
    if (!this.#machine.isFull) return undefined;
    this.#heedEnd();
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  drain(): void {
    this.#machine.drain();
  }

  finish(): Promise<void> | undefined {
    if (this.#machine.pending === 0) return undefined;
    this.#heedEnd();
    this.#finished ??= Promise.withResolvers();
    return this.#finished.promise;
  }

  close(): void {
    this.#machine.close();
    if (this.#machine.pending === 0) this.#timer.stop();
  }

  /** A connection that has failed waits for nothing. */
  #heedEnd(): void {
    if (this.#heedsEnd) return;
    this.#heedsEnd = true;
    this.peer.signal.addEventListener("abort", () => {
      this.#room?.resolve();
      this.#finished?.resolve();
    }, { once: true });
  }

  has(method: string): boolean {
    return this.#service.methods.has(method);
  }

  start(call: RpcCall): void {
    const { methods, options } = this.#service;
    const method = methods.get(call.method)!;
    const context = new RpcContext<State>(this, call);
    let result: unknown;
    try {
      result = method.call(options.methods, call.params, context);
    } catch (error) {
      return this.#settle(call, this.#failure(call, error));
    }
    if (typeof result !== "object" || result === null) {
      this.#settle(call, { result });
    } else if ("then" in result) {
      this.#await(call, result as PromiseLike<unknown>);
    } else if (Symbol.asyncIterator in result) {
      const items = result as AsyncIterable<unknown>;
      this.#await(call, pump(items, context));
    } else {
      this.#settle(call, { result });
    }
  }

  #await(call: RpcCall, promise: PromiseLike<unknown>): void {
    promise.then(
      (result) => this.#settle(call, { result }),
      (error) => this.#settle(call, this.#failure(call, error)),
    );
  }

  #settle(call: RpcCall, outcome: RpcOutcome): void {
    this.#machine.settle(call, outcome, this.clock.now());
  }

  #failure(call: RpcCall, error: unknown): RpcOutcome {
    if (error instanceof RpcError) return { error: error.toJSON() };
    // What fails after it was told to stop is no news.
    if (call.aborted === undefined) this.#tell(call.method, error);
    return FAILED;
  }

  #tell(method: string | undefined, error: unknown): void {
    this.#service.options.failed?.({ peer: this.peer, method, error });
  }

  send(message: unknown): boolean {
    return this.peer.send(message);
  }

  unsendable(error: unknown): void {
    this.#tell(undefined, error);
  }

  eased(): void {
    if (this.#room !== undefined && !this.#machine.isFull) {
      this.#room.resolve();
      this.#room = undefined;
    }
    if (this.#machine.pending === 0) this.#finished?.resolve();
  }
}

/** Sends the items of a generator as fast as its caller takes them, and returns what it returns. */
async function pump<State>(
  items: AsyncIterable<unknown>,
  context: RpcContext<State>,
): Promise<unknown> {
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await iterator.next();
      if (done) return value;
      if (!context.send(value)) await context.drained();
    }
  } catch (error) {
    await iterator.return?.();
    throw error;
  }
}
