import { RemoteProtocolError } from "../errors.ts";

/**
 * Refuses values that could change a prototype when they are merged into another object: a key `__proto__` anywhere, or
 * a key `constructor` whose value has a key `prototype`. Walks the decoded value, where escapes cannot hide a key;
 * iterative, so that depth costs no stack.
 *
 * @throws {RemoteProtocolError} (`forbidden_key`, recoverable) If such a key is found.
 */
export function refuseForbiddenKeys(root: unknown): void {
  if (!isObject(root)) return;
  const pending: object[] = [root];
  let value: object | undefined;
  while ((value = pending.pop()) !== undefined) {
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        const item: unknown = value[i];
        if (isObject(item)) pending.push(item);
      }
    } else if (!ArrayBuffer.isView(value)) {
      refuseOwnKeys(value as Record<string, unknown>, pending);
    }
  }
}

/** Refuses the keys of one object and appends its objects to `pending`. */
function refuseOwnKeys(
  value: Record<string, unknown>,
  pending: object[],
): void {
  for (const key in value) {
    if (key === "__proto__") throw forbiddenKey(key);
    const item = value[key];
    if (isObject(item)) {
      if (key === "constructor" && Object.hasOwn(item, "prototype")) {
        throw forbiddenKey("constructor.prototype");
      }
      pending.push(item);
    }
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** The error for a key that reaches for a prototype. */
export function forbiddenKey(key: string): RemoteProtocolError {
  return new RemoteProtocolError(
    "forbidden_key",
    `Cannot decode message: key '${key}' is not allowed`,
    { recoverable: true },
  );
}
