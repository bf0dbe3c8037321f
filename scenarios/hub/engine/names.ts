/**
 * What clients and rooms may be called.
 *
 * @module
 */

const NAME_REGEXP =
  /^[\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_.\- ]{0,30}[\p{L}\p{M}\p{N}_.\-])?$/u;

/** Whether a client or a room may be called so. */
export function isName(name: string): boolean {
  return NAME_REGEXP.test(name);
}

/** What a client without an account is called begins so, so that nobody takes it for an account. */
export const GUEST_PREFIX = "guest";

/** Names that differ only in case or in the way they are encoded are one. */
export function nameKey(name: string): string {
  return name.normalize("NFKC").toLowerCase();
}
