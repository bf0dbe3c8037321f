/**
 * The codes of JSON-RPC 2.0, and ours in the range that it leaves to servers. `cancelled` is the Language Server
 * Protocol's.
 */
export const RPC_CODES = {
  /** What came is no JSON, or whatever the codec reads. */
  parseError: -32700,
  /** It is no request. */
  invalidRequest: -32600,
  /** There is no such method. */
  methodNotFound: -32601,
  /** The method does not take such parameters. */
  invalidParams: -32602,
  /** The method failed, and why is not told. */
  internalError: -32603,
  /** The deadline has passed; the call was aborted, and may have been carried out in part. */
  deadlineExceeded: -32000,
  /** The server shuts down; the call was not begun. */
  shuttingDown: -32001,
  /** The window of idempotency keys is full; the call was not begun. */
  windowFull: -32003,
  /** A call with this key was carried out before, but its answer was too large to keep. */
  answerNotKept: -32004,
  /** The caller has cancelled the call, which may have been carried out in part. */
  cancelled: -32800,
} as const;

/** An error as the wire has it. */
export interface RpcErrorObject {
  /** A number that a program can branch on. */
  code: number;
  /** A sentence for a person. */
  message: string;
  /** More about it. */
  data?: unknown;
}

/** Options of {@linkcode RpcError}. */
export interface RpcErrorOptions extends ErrorOptions {
  /** More about it, sent to the caller; whatever the wire's codec can hold. */
  data?: unknown;
}

/**
 * An error that crosses the wire: a method throws it to tell its caller something, and the caller's request rejects
 * with it. Nothing of any other error is told.
 *
 * @example Usage
 * ```ts
 * import { RPC_CODES, RpcError } from "./errors.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new RpcError(RPC_CODES.invalidParams, "Cannot divide by 0");
 * assertEquals(error.toJSON(), {
 *   code: -32602,
 *   message: "Cannot divide by 0",
 * });
 * ```
 */
export class RpcError extends Error {
  /** The name that stack traces show. */
  override readonly name = "RpcError";
  /** One of {@linkcode RPC_CODES}, or of the application's own, outside of -32768 to -32000. */
  readonly code: number;
  /** More about it. */
  readonly data: unknown;

  /**
   * Creates the error.
   *
   * @throws {RangeError} If `code` is not an integer.
   */
  constructor(code: number, message: string, options: RpcErrorOptions = {}) {
    super(message, options);
    if (!Number.isSafeInteger(code)) {
      throw new RangeError(
        `Cannot create an error as its code must be an integer: current value is ${code}`,
      );
    }
    this.code = code;
    this.data = options.data;
  }

  /** The error as the wire has it. */
  toJSON(): RpcErrorObject {
    const { code, message, data } = this;
    return { code, message, ...(data === undefined ? {} : { data }) };
  }
}

/**
 * The connection ended before the answer came, and the request had no idempotency key to be sent again by.
 *
 * @example Usage
 * ```ts
 * import { RequestLostError } from "./errors.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new RequestLostError("pay", true, new Error("reset"));
 * assertEquals(
 *   error.message,
 *   "Cannot get an answer to 'pay': reset; it may have been carried out",
 * );
 * ```
 */
export class RequestLostError extends Error {
  /** The name that stack traces show. */
  override readonly name = "RequestLostError";
  /** Whether the server may have carried it out; if not, it was never sent. */
  readonly mayBeDone: boolean;

  /** Creates the error for a request of `method`; `cause` is why the connection ended. */
  constructor(method: string, mayBeDone: boolean, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(
      `Cannot get an answer to '${method}': ${why}; it ${
        mayBeDone ? "may have been carried out" : "was not sent"
      }`,
      { cause },
    );
    this.mayBeDone = mayBeDone;
  }
}
