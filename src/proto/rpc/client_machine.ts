import { RequestLostError, RPC_CODES, RpcError } from "./errors.ts";
import { RemoteProtocolError } from "../errors.ts";
import {
  isObject,
  type RpcMessage,
  rpcNotification,
  type RpcRequest,
  type UncheckedRequest,
} from "./messages.ts";

/** What a client machine needs of the world. */
export interface RpcClientHost {
  /** Sends a message; returns whether the server keeps up. Throws if the message cannot be put into the wire. */
  send(message: RpcMessage): boolean;
  /** The server has sent a notification. */
  notified(method: string, params: unknown): void;
  /** The server has sent what nobody waits for: an answer that is late, comes twice or has a wrong id, or a request. */
  stray(message: unknown): void;
}

/** What waits for an answer. */
export interface RpcWaiter {
  /** The answer has come. */
  succeed(result: unknown): void;
  /** There will be none. */
  fail(error: unknown): void;
  /** None came in time; `cause` is set if the server said so. */
  expire(cause: RpcError | undefined): void;
  /** An item of a stream has come. */
  item?(value: unknown): void;
}

/** What is asked. */
export interface RpcQuestion {
  /** The method's name. */
  method: string;
  /** Its parameters. */
  params: object | undefined;
  /** Milliseconds until the answer is given up on. */
  timeoutMs: number;
  /** Its idempotency key. */
  key: string | undefined;
  /** Items that may be on their way; undefined if none are wanted. */
  stream: number | undefined;
}

/** A request on its way. */
export class RpcClientCall {
  /** What its answer is known by. */
  readonly id: number;
  /** What is asked. */
  readonly question: RpcQuestion;
  /** Who waits. */
  readonly waiter: RpcWaiter;
  /** When it is given up on. */
  readonly dueMs: number;
  /** Whether it was ever sent. */
  sent = false;
  /** Why the server did not begin it; it may be sent again over the next connection. */
  refused: RpcError | undefined;
  /** Items that the server may still send. */
  credit: number;

  /** Creates a call that is not sent yet. */
  constructor(
    id: number,
    question: RpcQuestion,
    waiter: RpcWaiter,
    nowMs: number,
  ) {
    this.id = id;
    this.question = question;
    this.waiter = waiter;
    this.dueMs = nowMs + question.timeoutMs;
    this.credit = question.stream ?? 0;
  }
}

/** A server that sends this many times the items that it was allowed is not read any further. */
const OVERDRAFT = 4;

/**
 * The half of JSON-RPC 2.0 that asks: which requests are in flight, until when, and which are sent again over a new
 * connection. It knows neither sockets nor clocks: `nowMs` is any monotonic time.
 */
export class RpcClientMachine {
  /** Not before this time does `advance` have something to do. */
  dueMs = Infinity;
  readonly #host: RpcClientHost;
  readonly #maxInFlight: number;
  readonly #calls = new Map<unknown, RpcClientCall>();
  /** Those that are to be sent once the server keeps up, or is connected again. */
  #unsent = new Set<RpcClientCall>();
  #lastId = 0;
  #connected: boolean;
  #slow = false;
  /** Why there will be no other connection. */
  #lost: { cause: unknown } | undefined;

  /** Starts without requests. */
  constructor(host: RpcClientHost, maxInFlight: number, connected: boolean) {
    this.#host = host;
    this.#maxInFlight = maxInFlight;
    this.#connected = connected;
  }

  /** Requests that wait for their answers. */
  get pending(): number {
    return this.#calls.size;
  }

  /**
   * Asks. Without a connection, a request waits for one if it has an idempotency key, and fails otherwise.
   *
   * @throws {RangeError} If too many requests are in flight.
   * @throws {RequestLostError} If there is no connection.
   * @throws {LocalProtocolError} If the request cannot be put into the wire.
   */
  ask(
    question: RpcQuestion,
    waiter: RpcWaiter,
    nowMs: number,
  ): RpcClientCall {
    const { method, key } = question;
    if (this.#calls.size >= this.#maxInFlight) {
      throw new RangeError(
        `Cannot request '${method}': too many requests are in flight: current value of 'maxInFlight' is ${this.#maxInFlight}`,
      );
    }
    if (this.#lost !== undefined || !this.#connected && key === undefined) {
      const cause = this.#lost?.cause ?? "there is no connection";
      throw new RequestLostError(method, false, cause);
    }
    const call = new RpcClientCall(++this.#lastId, question, waiter, nowMs);
    if (this.#connected && !this.#slow) this.#send(call, nowMs);
    else this.#unsent.add(call);
    this.#calls.set(call.id, call);
    this.dueMs = Math.min(this.dueMs, call.dueMs);
    return call;
  }

  #send(call: RpcClientCall, nowMs: number): void {
    const { method, params, key, stream } = call.question;
    const request: RpcRequest = { jsonrpc: "2.0", id: call.id, method };
    if (params !== undefined) request.params = params;
    if (call.dueMs !== Infinity) {
      request.deadline_ms = Math.max(Math.round(call.dueMs - nowMs), 1);
    }
    if (key !== undefined) request.idempotency_key = key;
    if (stream !== undefined) {
      request.stream = stream === Infinity ? true : stream;
    }
    this.#slow = !this.#host.send(request);
    call.sent = true;
    call.refused = undefined;
  }

  /** The server keeps up again: sends what has waited for that. */
  drained(nowMs: number): void {
    this.#slow = false;
    for (const call of this.#unsent) {
      if (!this.#connected || this.#slow) return;
      this.#unsent.delete(call);
      try {
        this.#send(call, nowMs);
      } catch (error) {
        this.#forget(call);
        call.waiter.fail(error);
      }
    }
  }

  /** Whether requests wait until the server keeps up. */
  get isSlow(): boolean {
    return this.#connected && this.#slow;
  }

  /** Sends a notification; false if there is no connection, or to go slower. */
  notify(method: string, params: object | undefined): boolean {
    return this.#connected && this.#host.send(rpcNotification(method, params));
  }

  /** Gives up on a request, and tells the server. */
  cancel(call: RpcClientCall): void {
    if (!this.#forget(call) || !call.sent) return;
    this.notify("$/cancelRequest", { id: call.id });
  }

  /** Lets the server send `count` more items. */
  grant(call: RpcClientCall, count: number): void {
    if (!this.#calls.has(call.id)) return;
    call.credit += count;
    this.notify("$/credit", { id: call.id, count });
  }

  #forget(call: RpcClientCall): boolean {
    this.#unsent.delete(call);
    return this.#calls.delete(call.id);
  }

  /** Takes what has arrived in one frame. */
  receive(message: unknown): void {
    if (Array.isArray(message)) {
      for (const part of message) this.#receiveOne(part);
    } else {
      this.#receiveOne(message);
    }
  }

  #receiveOne(message: unknown): void {
    if (!isObject(message)) return this.#host.stray(message);
    const { method, id, params } = message;
    if (typeof method !== "string") return this.#answered(message);
    if (method === "$/progress" && isObject(params)) {
      const call = this.#calls.get(params.token);
      if (call?.waiter.item !== undefined) return this.#item(call, params);
    }
    if (id === undefined) this.#host.notified(method, params);
    else this.#host.stray(message);
  }

  #item(call: RpcClientCall, { value }: UncheckedRequest): void {
    call.credit--;
    if (call.credit < -OVERDRAFT * call.question.stream!) {
      this.cancel(call);
      const { method, stream } = call.question;
      const reason = `the server sent more items than the ${stream} allowed`;
      call.waiter.fail(
        new RpcError(
          RPC_CODES.invalidRequest,
          `Cannot read the stream of '${method}': ${reason}`,
        ),
      );
    } else {
      call.waiter.item!(value);
    }
  }

  #answered(message: UncheckedRequest): void {
    const call = this.#calls.get(message.id);
    if (call === undefined) return this.#host.stray(message);
    // Some servers send both members, one of them null.
    if (message.error !== undefined && message.error !== null) {
      return this.#refused(call, receivedError(message.error));
    }
    this.#forget(call);
    if (message.result !== undefined) call.waiter.succeed(message.result);
    else call.waiter.fail(noAnswer(call));
  }

  #refused(call: RpcClientCall, error: RpcError): void {
    if (
      error.code === RPC_CODES.shuttingDown && call.question.key !== undefined
    ) {
      call.refused = error;
      return;
    }
    this.#forget(call);
    if (error.code === RPC_CODES.deadlineExceeded) call.waiter.expire(error);
    else call.waiter.fail(error);
  }

  /** Gives up on the requests whose time is over. */
  advance(nowMs: number): void {
    if (nowMs < this.dueMs) return;
    this.dueMs = Infinity;
    for (const call of this.#calls.values()) {
      if (call.dueMs > nowMs) {
        this.dueMs = Math.min(this.dueMs, call.dueMs);
      } else {
        this.cancel(call);
        call.waiter.expire(undefined);
      }
    }
  }

  /** There is a connection: sends the requests with idempotency keys, in their order. */
  connect(nowMs: number): void {
    this.#connected = true;
    this.#unsent = new Set(this.#calls.values());
    this.drained(nowMs);
  }

  /**
   * The connection has ended, because of `cause`. Requests without an idempotency key fail, as they may have been
   * carried out; the others wait for the next connection, unless there will be none.
   */
  disconnect(cause: unknown, final: boolean): void {
    this.#connected = false;
    this.#slow = false;
    if (final) this.#lost ??= { cause };
    for (const call of this.#calls.values()) {
      const { method, key } = call.question;
      if (key !== undefined && !final) continue;
      this.#forget(call);
      const lost = call.refused ??
        new RequestLostError(method, call.sent, cause);
      call.waiter.fail(lost);
    }
  }
}

function noAnswer({ question }: RpcClientCall): RemoteProtocolError {
  return new RemoteProtocolError(
    "invalid_message",
    `Cannot read the answer to '${question.method}': it has neither a result nor an error`,
    { recoverable: true },
  );
}

/** What a server sent as an error, whatever it is made of. */
function receivedError(error: unknown): RpcError {
  const { code, message, data } = isObject(error)
    ? error
    : {} as UncheckedRequest;
  return new RpcError(
    Number.isSafeInteger(code) ? code as number : RPC_CODES.internalError,
    typeof message === "string" ? message : "The server sent no reason",
    { data },
  );
}
