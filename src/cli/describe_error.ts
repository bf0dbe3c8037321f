/**
 * Failures in one line.
 *
 * @module
 */

import { EndpointError } from "../io/endpoint_error.ts";
import { sanitize } from "./sanitize.ts";

const MAX_CAUSES = 8;

/**
 * The message of an error and of its causes, in one line that is safe to show.
 * A cause that only repeats what was said is left out.
 *
 * @example
 * ```ts
 * import { describeError } from "./describe_error.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const cause = new Error("No space left on device (os error 28)");
 * const error = new Error('Cannot write "/data/ledger"', { cause });
 * assertEquals(
 *   describeError(error),
 *   'Cannot write "/data/ledger": No space left on device',
 * );
 * ```
 */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let current = error;
  for (let depth = 0; depth < MAX_CAUSES && current !== undefined; depth++) {
    const part = messageOf(current);
    const said = parts.join(": ").toLowerCase();
    if (!said.includes(part.toLowerCase())) parts.push(part);
    // Its message is complete: the runtime's own words are the cause.
    if (current instanceof EndpointError) break;
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(": ");
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    return error.errors.map(describeError).join("; ");
  }
  const text = error instanceof Error
    ? error.message || error.name
    : String(error);
  return sanitize(text.replace(/ \(os error \d+\)/g, "")).trim();
}
