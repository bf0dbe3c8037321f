import { type Validate, validator } from "../proto/codec/validate.ts";
import { RPC_CODES, RpcError } from "../proto/rpc/errors.ts";
import type { RpcId } from "../proto/rpc/messages.ts";
import type { RpcCall } from "../proto/rpc/server_call.ts";
import { abortable } from "../io/abortable.ts";
import type { Clock } from "../io/clock.ts";
import type { Peer } from "../io/peer.ts";

/** The state of a peer whose connection is handled by {@linkcode rpcHandler}. */
export interface RpcSession<State> {
  /** What the option `open` returned. */
  readonly state: State;
  /** Sends the peer a notification; returns whether to go on, like {@linkcode Peer.send}. */
  notify(method: string, params?: object): boolean;
}

/** A peer that asks. */
export type RpcPeer<State> = Peer<unknown, unknown, RpcSession<State>>;

/** What a context is made of. */
export interface RpcContextParts<State> {
  /** The peer that calls. */
  peer: RpcPeer<State>;
  /** What `open` returned for it. */
  state: State;
  /** Its time. */
  clock: Clock;
}

/**
 * What a method knows of the call that it carries out, beside the parameters.
 *
 * @example Usage
 * ```ts
 * import {
 *   connect,
 *   json,
 *   lines,
 *   rpcClient,
 *   type RpcContext,
 *   rpcHandler,
 *   serve,
 * } from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const methods = {
 *   forever: (_: undefined, { signal }: RpcContext) =>
 *     new Promise((_, reject) => {
 *       signal.onabort = () => reject(signal.reason);
 *     }),
 * };
 * const wire = lines(json());
 * await using server = await serve({
 *   listen: "tcp://127.0.0.1:0",
 *   wire,
 *   handler: rpcHandler({ methods }),
 * });
 * await using client = rpcClient<typeof methods>(
 *   await connect({ to: server.endpoint, wire }),
 * );
 * const outcome = await client.request("forever", undefined, { timeoutMs: 20 })
 *   .catch((error) => error.name);
 * assertEquals(outcome, "RequestTimeoutError");
 * ```
 */
export class RpcContext<State = undefined> {
  /** The peer that calls; its connection may end before the method does. */
  readonly peer: RpcPeer<State>;
  /** What the option `open` returned for the peer. */
  readonly state: State;
  readonly #clock: Clock;
  readonly #call: RpcCall;
  #controller: AbortController | undefined;

  /** Made by {@linkcode rpcHandler}. */
  constructor({ peer, state, clock }: RpcContextParts<State>, call: RpcCall) {
    this.peer = peer;
    this.state = state;
    this.#clock = clock;
    this.#call = call;
  }

  /** The name by which the method was called. */
  get method(): string {
    return this.#call.method;
  }

  /** The request's id; undefined if nobody waits for an answer. */
  get id(): RpcId | undefined {
    return this.#call.id;
  }

  /** Milliseconds until the call is aborted: what its caller allows, `maxCallMs` at most. */
  get deadlineMs(): number {
    return Math.max(this.#call.dueMs - this.#clock.now(), 0);
  }

  /**
   * Aborted when nobody waits for the answer any more: the caller has cancelled, the deadline has passed, or the
   * connection has ended and there is no idempotency key to come back with. The reason is an {@linkcode RpcError}.
   */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = this.#controller = new AbortController();
      const abort = () => {
        const { code, message } = this.#call.aborted!;
        controller.abort(new RpcError(code, message));
      };
      if (this.#call.aborted !== undefined) abort();
      else this.#call.onAbort = abort;
    }
    return this.#controller.signal;
  }

  /** Whether the caller has asked for items. */
  get streaming(): boolean {
    return this.#call.credit !== undefined;
  }

  /**
   * Sends an item ahead of the answer, if the caller has asked for items.
   *
   * @returns Whether to go on: false if the caller or its connection is slow (wait for {@linkcode RpcContext.drained}),
   * or the call is over.
   * @throws {LocalProtocolError} If the item cannot be put into the wire.
   */
  send(item: unknown): boolean {
    return this.#call.machine.item(this.#call, item);
  }

  /** Resolves once the caller takes more items; rejects with the reason of `signal` if the call is over before. */
  async drained(): Promise<void> {
    const { signal, peer } = this;
    const call = this.#call;
    signal.throwIfAborted();
    for (;;) {
      if (peer.isSlow) {
        await peer.drained({ signal });
      } else if (call.credit !== undefined && !(call.credit > 0)) {
        const { promise, resolve } = Promise.withResolvers<void>();
        call.onCredit = resolve;
        await abortable(promise, signal);
      } else {
        return;
      }
    }
  }
}

/**
 * A method: what it returns or resolves to is the answer; a generator's items are sent one by one before it. What it
 * throws becomes an error: an {@linkcode RpcError} is told to the caller as it is, anything else as "Internal error".
 */
export type RpcMethod<State = undefined> = {
  // A method's parameters may be narrower than `unknown`; those of a function type may not.
  call(params: unknown, context: RpcContext<State>): unknown;
}["call"];

/** Methods by name. */
export interface RpcMethods<State = undefined> {
  /** A method. */
  [name: string]: RpcMethod<State>;
}

/**
 * A method that is called only with parameters that `validate` accepts, a function or a Standard Schema; its caller is
 * told "invalid params" otherwise.
 *
 * @example Usage
 * ```ts
 * import { type RpcContext, withParams } from "./rpc_context.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const root = withParams((value) => {
 *   if (typeof value === "number" && value >= 0) return value;
 *   throw new TypeError("a number of 0 or more is needed");
 * }, Math.sqrt);
 * const context = {} as RpcContext;
 * assertEquals(root(9, context), 3);
 * assertThrows(() => root(-9, context), Error, "0 or more");
 * ```
 */
export function withParams<Params, Result, State = undefined>(
  validate: Validate<Params>,
  method: (params: Params, context: RpcContext<State>) => Result,
): (params: Params, context: RpcContext<State>) => Result {
  const accept = validator(validate);
  return (params, context) => {
    let accepted: Params;
    try {
      accepted = accept(params);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = reason.replace("Cannot accept message", "Invalid params");
      throw new RpcError(RPC_CODES.invalidParams, message, { cause });
    }
    return method(accepted, context);
  };
}
