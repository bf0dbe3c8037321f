import { EndpointError } from "../io/endpoint_error.ts";
import { ConnectionEndedError } from "../io/peer.ts";
import { LocalProtocolError } from "../proto/errors.ts";
import type { OutcomeKind } from "../proto/resilience/health.ts";
import { PoolFullError, PoolTimeoutError } from "./pool_errors.ts";
import { RequestTimeoutError } from "./requests.ts";

/** What the error of an attempt says about the server. */
export interface Verdict {
  /** Whether the server did its part: true for an error that is the caller's fault. */
  ok: boolean;
  /** How the attempt ended. */
  kind: OutcomeKind;
  /**
   * Whether another attempt makes sense. Unless told: yes after `refused`, after `timed out` and `connection lost` if the
   * request may be carried out twice, else no.
   */
  retry?: boolean;
  /** The server asked not to be bothered for so many milliseconds. */
  retryAfterMs?: number;
}

type ErrorType = abstract new (...args: never[]) => Error;

const KINDS: readonly (readonly [OutcomeKind, readonly ErrorType[]])[] = [
  ["timed out", [RequestTimeoutError, Deno.errors.TimedOut]],
  [
    "connection lost",
    [
      ConnectionEndedError,
      Deno.errors.ConnectionReset,
      Deno.errors.ConnectionAborted,
      Deno.errors.BrokenPipe,
      Deno.errors.UnexpectedEof,
    ],
  ],
  [
    "refused",
    [
      EndpointError,
      PoolTimeoutError,
      PoolFullError,
      Deno.errors.ConnectionRefused,
    ],
  ],
  // The message never left: that says nothing about the server.
  ["cancelled", [LocalProtocolError]],
];

/**
 * What the errors of this library and of the runtime say about the server. Any other error counts as an answer that is the
 * server's fault and is not worth a second attempt.
 *
 * @example Usage
 * ```ts
 * import { classifyError } from "./classify.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new Deno.errors.ConnectionRefused();
 * assertEquals(classifyError(error), { ok: false, kind: "refused" });
 * ```
 */
export function classifyError(error: unknown): Verdict {
  const found = KINDS.find(([, types]) =>
    types.some((type) => error instanceof type)
  );
  if (found !== undefined) return { ok: false, kind: found[0] };
  const name = error instanceof DOMException ? error.name : "";
  if (name === "TimeoutError") return { ok: false, kind: "timed out" };
  if (name === "AbortError") return { ok: false, kind: "cancelled" };
  return { ok: false, kind: "answered" };
}
