import { RPC_CODES, type RpcErrorObject } from "./errors.ts";

/** What ties an answer to its request. */
export type RpcId = string | number | null;

/** A request, or a notification if it has no `id`; the last three members are extensions of ours. */
export interface RpcRequest {
  /** The version of the protocol. */
  jsonrpc: "2.0";
  /** What is to be done; names that begin with `rpc.` or `$/` belong to the protocol. */
  method: string;
  /** Parameters by position or by name. */
  params?: object;
  /** What the answer is known by; without it there is none. */
  id?: RpcId;
  /** Milliseconds that are left until nobody waits for the answer any more. */
  deadline_ms?: number;
  /** Calls with the same key are carried out once. */
  idempotency_key?: string;
  /** Asks for items before the answer: `true`, or how many may be on their way until `$/credit` allows more. */
  stream?: true | number;
}

/** What became of a request. */
export type RpcOutcome = { result: unknown } | { error: RpcErrorObject };

/** The answer to a request. */
export type RpcResponse = { jsonrpc: "2.0"; id: RpcId } & RpcOutcome;

/** What one frame holds. */
export type RpcMessage = RpcRequest | RpcResponse | RpcResponse[];

/** Longest idempotency key, in UTF-16 units. */
export const MAX_KEY_LENGTH = 256;

/** What the members of a request are before anyone has looked. */
export type UncheckedRequest = Readonly<Partial<Record<string, unknown>>>;

/** Whether `value` is an object with members. */
export function isObject(value: unknown): value is UncheckedRequest {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether `value` can be an id. */
export function isId(value: unknown): value is RpcId {
  return typeof value === "number" || typeof value === "string" ||
    value === null;
}

/** Whether `message` answers something; what merely looks like an answer must not be answered itself. */
export function isAnswer(message: UncheckedRequest): boolean {
  return message.method === undefined &&
    (message.result !== undefined || message.error !== undefined);
}

/** What is wrong with a request, in words; undefined if it is sound. */
export function requestFault(message: UncheckedRequest): string | undefined {
  const { id, params, deadline_ms, idempotency_key, stream } = message;
  if (message.jsonrpc !== "2.0") return `'jsonrpc' must be "2.0"`;
  if (typeof message.method !== "string") return "'method' must be a string";
  if (id !== undefined && !isId(id)) {
    return "'id' must be a string, a number or null";
  }
  // Some clients send null where they have no parameters.
  if (params !== undefined && typeof params !== "object") {
    return "'params' must be an array or an object";
  }
  if (
    deadline_ms !== undefined &&
    (typeof deadline_ms !== "number" || Number.isNaN(deadline_ms))
  ) return "'deadline_ms' must be a number";
  if (stream !== undefined && !isStream(stream)) {
    return "'stream' must be true or a number above 0";
  }
  if (idempotency_key !== undefined) {
    return keyFault(idempotency_key, stream);
  }
}

function isStream(value: unknown): boolean {
  return value === true || typeof value === "number" && value > 0;
}

function keyFault(key: unknown, stream: unknown): string | undefined {
  if (typeof key !== "string" || key === "" || key.length > MAX_KEY_LENGTH) {
    return `'idempotency_key' must be a string of 1 to ${MAX_KEY_LENGTH} characters`;
  }
  // Its items would have to be kept as well to be sent again.
  if (stream !== undefined) return "a stream cannot have an 'idempotency_key'";
}

/** The answer with `outcome`. */
export function response(id: RpcId, outcome: RpcOutcome): RpcResponse {
  return "error" in outcome
    ? { jsonrpc: "2.0", error: outcome.error, id }
    // An answer without a result is none; undefined would vanish in JSON.
    : { jsonrpc: "2.0", result: outcome.result ?? null, id };
}

/** The answer to what is no request; `id` is null if it has none that can be told. */
export function invalidRequest(id: unknown, reason: string): RpcResponse {
  return response(isId(id) ? id : null, { error: invalid(reason) });
}

/** The error of what is no request. */
export function invalid(reason: string): RpcErrorObject {
  return {
    code: RPC_CODES.invalidRequest,
    message: "Invalid Request",
    data: reason,
  };
}

/**
 * A message that wants no answer; a server sends it with `peer.send`.
 *
 * @example Usage
 * ```ts
 * import { rpcNotification } from "./messages.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(rpcNotification("moored", { ship: "Ann" }), {
 *   jsonrpc: "2.0",
 *   method: "moored",
 *   params: { ship: "Ann" },
 * });
 * ```
 */
export function rpcNotification(method: string, params?: object): RpcRequest {
  return {
    jsonrpc: "2.0",
    method,
    ...(params === undefined ? {} : { params }),
  };
}
