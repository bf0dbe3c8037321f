/** A string of JSON, and the colon that makes it a key. */
const STRING_REGEXP = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?/g;

/**
 * `JSON.parse`, without the fault of V8 15 that takes one key for another: once an object had a key with a backslash
 * in it, such as `{"\\":1}`, an object whose key at the same place is spelled with an escape, such as `{"\n":1}`, is
 * given the old key, as V8 compares the old key with the escape unread. One peer could so change what another is
 * understood to say. Every key that is wrongly given has a backslash; where there is one, the text is parsed again
 * with numbers for keys.
 *
 * @throws {SyntaxError} If `text` is not JSON.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return text.indexOf("\\") >= 0 && hasBackslashKey(value)
    ? parseNumbered(text)
    : value;
}

function hasBackslashKey(root: unknown): boolean {
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) pending.push(value[i]);
    } else if (typeof value === "object" && value !== null) {
      for (const key in value) {
        if (key.indexOf("\\") >= 0) return true;
        pending.push((value as Record<string, unknown>)[key]);
      }
    }
  }
  return false;
}

/** Parses sound JSON with its keys replaced by their numbers, and puts the keys back. */
function parseNumbered(text: string): unknown {
  const keys: string[] = [];
  const numbered = text.replaceAll(
    STRING_REGEXP,
    (token: string, key: string, colon: string | undefined) => {
      if (colon === undefined) return token;
      keys.push(JSON.parse(key));
      return `"${keys.length - 1}":`;
    },
  );
  return JSON.parse(
    numbered,
    (_, value: unknown) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.fromEntries(
          Object.entries(value).map(([i, item]) => [keys[Number(i)], item]),
        )
        : value,
  );
}
