import type { DedupeEntry, DedupeWindow } from "./dedupe_window.ts";
import type { RpcErrorObject } from "./errors.ts";
import {
  invalid,
  invalidRequest,
  isAnswer,
  isObject,
  requestFault,
  response,
  type RpcMessage,
  type RpcOutcome,
  type RpcRequest,
  type RpcResponse,
} from "./messages.ts";
import {
  CANCELLED,
  DEADLINE,
  DISCONNECTED,
  FAILED,
  METHOD_NOT_FOUND,
  SHUTTING_DOWN,
  WINDOW_FULL,
} from "./refusals.ts";
import { Batch, RpcCall } from "./server_call.ts";

/** What a server machine needs of the world. */
export interface RpcServerHost {
  /** Whether there is a method of this name. */
  has(method: string): boolean;
  /** Carries `call` out, and calls `settle` once when that is over, also after an abort. */
  start(call: RpcCall): void;
  /** Sends a message; returns whether the peer keeps up. Throws if the message cannot be put into the wire. */
  send(message: RpcMessage | RpcRequest): boolean;
  /** An answer could not be put into the wire; the caller is told that the call failed. */
  unsendable(error: unknown): void;
  /** Calls have ended: there may be room for more, or nothing left to wait for. */
  eased(): void;
}

/** What one connection may ask for. */
export interface RpcServerLimits {
  /** Calls in progress at once; beyond it, reading waits. @default {1_000} */
  maxInFlight?: number;
  /** Messages in one batch. @default {100} */
  maxBatch?: number;
  /** Milliseconds until a call is aborted, whatever its caller allows. @default {600_000} */
  maxCallMs?: number;
}

/** The defaults of {@linkcode RpcServerLimits}. */
export const DEFAULT_RPC_LIMITS: Required<RpcServerLimits> = {
  maxInFlight: 1_000,
  maxBatch: 100,
  maxCallMs: 600_000,
};

/**
 * One connection's half of JSON-RPC 2.0 that answers: which calls are in progress, until when, and what is sent back.
 * It knows neither sockets nor clocks: `nowMs` is any monotonic time, the same for all machines that share a window.
 */
export class RpcServerMachine {
  /** Not before this time does `advance` have something to do. */
  dueMs = Infinity;
  readonly #host: RpcServerHost;
  readonly #limits: Required<RpcServerLimits>;
  readonly #window: DedupeWindow<RpcCall>;
  readonly #scope: string;
  /** Those that have not ended. */
  readonly #calls = new Set<RpcCall>();
  /** Methods that have not returned, and callers that wait for one. */
  #slots = 0;
  #draining = false;
  #closed = false;

  /** Starts without calls; keys are unique in `scope`. */
  constructor(
    host: RpcServerHost,
    limits: Required<RpcServerLimits>,
    window: DedupeWindow<RpcCall>,
    scope: string,
  ) {
    this.#host = host;
    this.#limits = limits;
    this.#window = window;
    this.#scope = scope;
  }

  /**
   * Whether no more may be taken in for now. A call that was cancelled counts until its method has returned: otherwise
   * a peer that calls and cancels could have any number of them at work.
   */
  get isFull(): boolean {
    return this.#slots >= this.#limits.maxInFlight;
  }

  /** Calls that nobody has answered yet. */
  get pending(): number {
    return this.#calls.size;
  }

  /** Takes what has arrived in one frame. */
  receive(message: unknown, nowMs: number): void {
    if (Array.isArray(message)) this.#receiveBatch(message, nowMs);
    else this.#receiveOne(message, nowMs, undefined);
  }

  #receiveBatch(messages: unknown[], nowMs: number): void {
    const { maxBatch } = this.#limits;
    if (messages.length === 0 || messages.length > maxBatch) {
      const reason = `a batch has 1 to ${maxBatch} messages`;
      this.#deliver(invalidRequest(null, reason), undefined);
      return;
    }
    const batch = new Batch();
    for (const message of messages) this.#receiveOne(message, nowMs, batch);
    this.#batchProgressed(batch);
  }

  #receiveOne(
    message: unknown,
    nowMs: number,
    batch: Batch | undefined,
  ): void {
    const fault = isObject(message)
      ? requestFault(message)
      : "a request is an object";
    if (fault !== undefined) {
      // Two servers that are connected to each other would else answer each other's errors forever.
      if (isObject(message) && isAnswer(message)) return;
      if (batch !== undefined) batch.missing++;
      const id = isObject(message) ? message.id : null;
      this.#deliver(invalidRequest(id, fault), batch);
      return;
    }
    const request = message as RpcRequest;
    if (request.id !== undefined) {
      if (batch !== undefined) batch.missing++;
    } else if (request.method.startsWith("$/")) {
      return this.#control(request, nowMs);
    }
    this.#begin(request, nowMs, batch);
  }

  #control({ method, params }: RpcRequest, nowMs: number): void {
    if (!isObject(params)) return;
    const call = this.#find(params.id);
    if (call === undefined) return;
    if (method === "$/cancelRequest") this.#giveUp(call, CANCELLED, nowMs);
    else if (method === "$/credit") this.#grant(call, params.count);
  }

  #find(id: unknown): RpcCall | undefined {
    if (id === undefined) return undefined;
    for (const call of this.#calls) if (call.id === id) return call;
    return undefined;
  }

  #grant(call: RpcCall, count: unknown): void {
    if (call.credit === undefined || typeof count !== "number") return;
    if (!(count > 0)) return;
    call.credit += count;
    call.onCredit?.();
  }

  #begin(request: RpcRequest, nowMs: number, batch: Batch | undefined): void {
    const { deadline_ms = Infinity, method, idempotency_key } = request;
    const dueMs = nowMs + Math.min(deadline_ms, this.#limits.maxCallMs);
    const call = new RpcCall(this, request, dueMs, batch);
    if (this.#draining) {
      this.#answer(call, { error: SHUTTING_DOWN });
    } else if (!this.#host.has(method)) {
      this.#answer(call, { error: METHOD_NOT_FOUND });
    } else if (dueMs <= nowMs) {
      this.#answer(call, { error: DEADLINE });
    } else if (idempotency_key !== undefined) {
      this.#beginOnce(call, idempotency_key, nowMs);
    } else {
      this.#enter(call);
      this.#host.start(call);
    }
  }

  #enter(call: RpcCall): void {
    this.#slots++;
    this.#calls.add(call);
    this.dueMs = Math.min(this.dueMs, call.dueMs);
  }

  #beginOnce(call: RpcCall, key: string, nowMs: number): void {
    const scoped = `${this.#scope.length}:${this.#scope}${key}`;
    const known = this.#window.get(scoped, nowMs);
    if (known === undefined) {
      const entry = this.#window.open(scoped, call.method, call, nowMs);
      if (entry === undefined) {
        return this.#answer(call, { error: WINDOW_FULL });
      }
      call.entry = entry;
      this.#enter(call);
      this.#host.start(call);
    } else if (known.method !== call.method) {
      const method = known.method.slice(0, 100);
      const reason = `the idempotency key was used with '${method}'`;
      this.#answer(call, { error: invalid(reason) });
    } else if (known.outcome !== undefined) {
      this.#answer(call, known.outcome);
    } else {
      call.entry = known;
      known.callers.add(call);
      // The work goes on for as long as somebody waits for it.
      known.first.dueMs = Math.max(known.first.dueMs, call.dueMs);
      this.#enter(call);
    }
  }

  /** A method has returned or thrown: `outcome` is for its caller, unless that was answered before. */
  settle(call: RpcCall, outcome: RpcOutcome, nowMs: number): void {
    this.#slots--;
    if (call.entry !== undefined) this.#settleEntry(call.entry, outcome, nowMs);
    else this.#answer(call, outcome);
    this.#host.eased();
  }

  #settleEntry(
    entry: DedupeEntry<RpcCall>,
    outcome: RpcOutcome,
    nowMs: number,
  ): void {
    if (entry.outcome !== undefined) return;
    const callers = [...entry.callers];
    const told = this.#window.settle(entry, outcome, nowMs);
    for (const caller of callers) caller.machine.#release(caller, told);
  }

  /** Answers a call that may wait for the method of another. */
  #release(call: RpcCall, outcome: RpcOutcome): void {
    if (call.entry?.first !== call) this.#slots--;
    this.#answer(call, outcome);
    this.#host.eased();
  }

  /** Sends an item of a call's stream; returns whether the caller wants more now. */
  item(call: RpcCall, value: unknown): boolean {
    if (call.ended) return false;
    if (call.credit === undefined) return true;
    call.credit--;
    const params = { token: call.id, value };
    const keepsUp = this.#host.send({
      jsonrpc: "2.0",
      method: "$/progress",
      params,
    });
    return keepsUp && call.credit > 0;
  }

  /** Aborts the calls whose time is over. */
  advance(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    this.dueMs = Infinity;
    for (const call of this.#calls) {
      if (call.dueMs <= nowMs) this.#giveUp(call, DEADLINE, nowMs);
      else this.dueMs = Math.min(this.dueMs, call.dueMs);
    }
  }

  #giveUp(call: RpcCall, error: RpcErrorObject, nowMs: number): void {
    const { entry } = call;
    if (entry === undefined) {
      call.abort(error);
      this.#answer(call, { error });
      this.#host.eased();
      return;
    }
    entry.callers.delete(call);
    this.#release(call, { error });
    // Others may still want the answer; those who lost their connection may come back for it until their time is over.
    for (const { machine } of entry.callers) {
      if (!machine.#closed || error === DEADLINE) return;
    }
    this.#settleEntry(entry, { error }, nowMs);
    entry.first.abort(error);
  }

  /** Answers new requests with an error from now on; those in progress go on. */
  drain(): void {
    this.#draining = true;
  }

  /**
   * The connection has ended: its calls are aborted, but for those with an idempotency key, whose callers may come back
   * for the answer. Their deadlines still count.
   */
  close(): void {
    this.#closed = true;
    for (const call of this.#calls) {
      if (call.entry !== undefined) continue;
      call.abort(DISCONNECTED);
      this.#answer(call, { error: DISCONNECTED });
    }
  }

  #answer(call: RpcCall, outcome: RpcOutcome): void {
    if (call.ended) return;
    call.ended = true;
    this.#calls.delete(call);
    if (call.id === undefined) return;
    this.#deliver(response(call.id, outcome), call.batch);
  }

  #deliver(answer: RpcResponse, batch: Batch | undefined): void {
    if (batch !== undefined) {
      batch.answers.push(answer);
      this.#batchProgressed(batch);
    } else if (!this.#closed) {
      this.#send(answer, () => failed(answer));
    }
  }

  #batchProgressed(batch: Batch): void {
    if (--batch.missing > 0 || this.#closed) return;
    if (batch.answers.length === 0) return;
    this.#send(batch.answers, () => batch.answers.map(failed));
  }

  #send(message: RpcMessage, instead: () => RpcMessage): void {
    try {
      this.#host.send(message);
    } catch (error) {
      this.#host.unsendable(error);
      this.#sendOrForget(instead());
    }
  }

  /** An id can be so long that no answer with it fits into a frame. */
  #sendOrForget(message: RpcMessage): void {
    try {
      this.#host.send(message);
    } catch (error) {
      this.#host.unsendable(error);
    }
  }
}

function failed({ id }: RpcResponse): RpcResponse {
  return response(id, FAILED);
}
