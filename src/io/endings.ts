import { RemoteProtocolError } from "../proto/errors.ts";
import { type Ending, Refusal } from "./peer.ts";
import { tlsError } from "./tls/tls_error.ts";
import type { Conn } from "./transport.ts";

/** The ending of a connection whose handler threw. */
export function handlerFailure(error: unknown): Ending {
  if (error instanceof Refusal) {
    return { cause: "local closed", reason: error.message };
  }
  // A handler that receives passes on what the peer did.
  if (error instanceof RemoteProtocolError) return brokenProtocol(error);
  return { cause: "failed", error };
}

/** The ending of a connection that could not be written to: the peer is gone, or does not answer any more. */
export function writeFailure(error: unknown): Ending {
  return error instanceof Deno.errors.TimedOut
    ? { cause: "timed out", reason: error.message, error }
    : { cause: "peer closed", reason: "reset", error };
}

/** The ending of a connection whose peer broke the protocol. */
export function brokenProtocol(error: RemoteProtocolError): Ending {
  return error.code === "truncated"
    ? { cause: "peer closed", reason: "in the middle of a frame", error }
    : { cause: "limit", reason: error.message, error };
}

/** The ending of a connection whose peer sends no more. */
export function peerClosed({ peerReason: reason }: Conn): Ending {
  return { cause: "peer closed", ...(reason === undefined ? {} : { reason }) };
}

/** The ending of a connection that could not be read. */
export function readFailure(error: unknown): Ending {
  // Some roads look into what they carry, and watch over the peer.
  if (error instanceof RemoteProtocolError) return brokenProtocol(error);
  if (error instanceof Deno.errors.TimedOut) {
    return { cause: "timed out", reason: error.message, error };
  }
  const reset = error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.UnexpectedEof;
  // A peer that refuses our certificate, or what is no TLS.
  if (error instanceof Deno.errors.InvalidData) {
    const { reason } = tlsError(error, "peer");
    return { cause: "limit", reason: `broken TLS: ${reason}`, error };
  }
  return reset
    ? { cause: "peer closed", reason: "reset", error }
    : { cause: "failed", error };
}
