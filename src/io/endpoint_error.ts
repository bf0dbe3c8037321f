import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { TlsError } from "./tls/tls_error.ts";

/**
 * An endpoint could not be listened on or connected to. The message is one line for a person, such as
 * `Cannot listen on tcp://127.0.0.1:9999: address in use`; `cause` is the runtime's error.
 *
 * @example Usage
 * ```ts
 * import { connect, EndpointError, lines, text } from "../../mod.ts";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(
 *   () => connect({ to: "memory:nobody", wire: lines(text()) }),
 *   EndpointError,
 *   "Cannot connect to memory:nobody: connection refused",
 * );
 * ```
 */
export class EndpointError extends Error {
  /** The name that stack traces show. */
  override readonly name = "EndpointError";
  /** The endpoint as a URL. */
  readonly endpoint: string;
  /** What went wrong, in a few words. */
  readonly reason: string;

  /** Creates the error for `action`, such as `listen on` or `connect to`. */
  constructor(action: string, endpoint: Endpoint, cause: unknown) {
    const url = formatEndpoint(endpoint);
    const reason = explain(cause);
    super(`Cannot ${action} ${url}: ${reason}`, { cause });
    this.endpoint = url;
    this.reason = reason;
  }
}

const REASONS: [new (message: string) => Error, string][] = [
  [Deno.errors.AddrInUse, "address in use"],
  [Deno.errors.AddrNotAvailable, "address not available on this machine"],
  [Deno.errors.ConnectionRefused, "connection refused"],
  [Deno.errors.ConnectionReset, "connection reset"],
  [Deno.errors.PermissionDenied, "permission denied by the system"],
  [Deno.errors.TimedOut, "timed out"],
];

function explain(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause instanceof TlsError) return cause.reason;
  if (cause instanceof Deno.errors.NotCapable) {
    const flag = /--[a-z-]+/.exec(cause.message)?.[0] ?? "--allow-net";
    return `permission denied, run again with ${flag} for it`;
  }
  if (
    /failed to lookup address|Name or service not known/.test(cause.message)
  ) {
    return "no such host";
  }
  if (cause instanceof Deno.errors.NotFound) return "no such file";
  const known = REASONS.find(([type]) => cause instanceof type);
  return known?.[1] ?? cause.message.replace(/ \(os error \d+\)$/, "");
}
