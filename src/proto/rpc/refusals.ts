import { RPC_CODES, type RpcErrorObject } from "./errors.ts";
import type { RpcOutcome } from "./messages.ts";

/** There is no such method. */
export const METHOD_NOT_FOUND: RpcErrorObject = {
  code: RPC_CODES.methodNotFound,
  message: "Method not found",
};
/** The time of the call is over. */
export const DEADLINE: RpcErrorObject = {
  code: RPC_CODES.deadlineExceeded,
  message: "The deadline has passed",
};
/** The caller does not want the answer any more. */
export const CANCELLED: RpcErrorObject = {
  code: RPC_CODES.cancelled,
  message: "The call was cancelled",
};
/** The caller has gone. */
export const DISCONNECTED: RpcErrorObject = {
  code: RPC_CODES.cancelled,
  message: "The connection ended",
};
/** The server takes no more calls. */
export const SHUTTING_DOWN: RpcErrorObject = {
  code: RPC_CODES.shuttingDown,
  message: "The server shuts down; the call was not begun",
};
/** There is no room to remember the call. */
export const WINDOW_FULL: RpcErrorObject = {
  code: RPC_CODES.windowFull,
  message: "Too many idempotency keys are in use; the call was not begun",
};
/** The method failed; why is not told. */
export const FAILED: RpcOutcome = {
  error: { code: RPC_CODES.internalError, message: "Internal error" },
};
