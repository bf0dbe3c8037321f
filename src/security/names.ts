/** The most characters in the name of an account, a device or a role. */
const MAX_NAME_LENGTH = 64;
const NAME_REGEXP = /^[\p{L}\p{M}\p{N}_.@:+/-]+$/u;

/**
 * A name as it is compared: composed characters are one (NFC). Capital letters are other letters. What is too long for
 * a name is cut, and still too long.
 *
 * @example
 * ```ts
 * import { normalizeName } from "./names.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(normalizeName("Zoe\u0308"), "Zo\u00eb");
 * ```
 */
export function normalizeName(name: string): string {
  return name.slice(0, 4 * MAX_NAME_LENGTH).normalize("NFC")
    .slice(0, MAX_NAME_LENGTH + 1);
}

/**
 * Returns the normalized name of an account, a device or a role.
 *
 * @throws {TypeError} If it has characters that it must not have, none, or more than 64.
 *
 * @example
 * ```ts
 * import { checkName } from "./names.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(checkName("ada@example.org", "user name"), "ada@example.org");
 * assertThrows(() => checkName("ada lovelace", "user name"), TypeError);
 * ```
 */
export function checkName(name: string, what: string): string {
  const normal = normalizeName(name);
  if (normal.length > MAX_NAME_LENGTH || !NAME_REGEXP.test(normal)) {
    throw new TypeError(
      `Cannot use a ${what}: it must be 1 to ${MAX_NAME_LENGTH} letters, ` +
        `digits and _.@:+/-: current value is ${JSON.stringify(normal)}`,
    );
  }
  return normal;
}

/**
 * Returns the roles of `owner`.
 *
 * @throws {TypeError} If they are no list of names.
 *
 * @example
 * ```ts
 * import { checkRoles } from "./names.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(checkRoles(["admin"], "ada"), ["admin"]);
 * ```
 */
export function checkRoles(roles: unknown, owner: string): string[] {
  if (
    !Array.isArray(roles) || roles.some((role) => typeof role !== "string")
  ) {
    throw new TypeError(
      `Cannot use the roles of "${owner}": they must be a list of names`,
    );
  }
  return roles.map((role: string) => checkName(role, "role"));
}
