/** The first line and the fields of an HTTP/1.1 message (RFC 9112). */
export interface HttpHead {
  /** The request line or the status line. */
  readonly line: string;
  /** Field values by lower-case name; those of a repeated field are joined by a comma. */
  readonly fields: ReadonlyMap<string, string>;
}

/** A request line taken apart, and the fields. */
export interface HttpRequestHead extends HttpHead {
  /** The method, such as `GET`. */
  readonly method: string;
  /** What is asked for: a path and perhaps a query. */
  readonly target: string;
}

/** A request is turned away with `status`; the message is told to the peer. */
export class HttpRefusal extends Error {
  /** The name that stack traces show. */
  override readonly name = "HttpRefusal";
  /** The status of the answer. */
  readonly status: number;
  /** Fields of the answer, beside the usual. */
  readonly fields: readonly (readonly [string, string])[];

  /** Creates the error. */
  constructor(
    status: number,
    reason: string,
    fields: readonly (readonly [string, string])[] = [],
  ) {
    super(reason);
    this.status = status;
    this.fields = fields;
  }
}

const TOKEN_REGEXP = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const REQUEST_LINE_REGEXP = /^([A-Z]{1,16}) (\/[\x21-\x7e]*) HTTP\/1\.([01])$/;
/** Anything but control characters, tabs excepted. */
const VALUE_REGEXP = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Fields that say one thing: a second one is a trick, and not a list. */
const SINGLE_FIELDS = new Set([
  "content-length",
  "host",
  "origin",
  "sec-websocket-accept",
  "sec-websocket-key",
  "sec-websocket-version",
]);

/** Whether `text` is a token (RFC 9110, 5.6.2). */
export function isToken(text: string): boolean {
  return TOKEN_REGEXP.test(text);
}

/** Whether `text` may be the value of a field. */
export function isFieldValue(text: string): boolean {
  return VALUE_REGEXP.test(text);
}

/** The offset after the blank line that ends a head, looked for from `from` on; -1 if it is not there yet. */
export function endOfHead(bytes: Uint8Array, from: number, to: number): number {
  for (let at = Math.max(from, 3); at < to; at++) {
    if (
      bytes[at] === 0x0a && bytes[at - 1] === 0x0d &&
      bytes[at - 2] === 0x0a && bytes[at - 3] === 0x0d
    ) return at + 1;
  }
  return -1;
}

/**
 * Reads a head, the blank line included; each character is a byte.
 *
 * @throws {HttpRefusal} If it is none.
 */
export function readHead(text: string): HttpHead {
  const [line = "", ...rest] = text.slice(0, -4).split("\r\n");
  const fields = new Map<string, string>();
  for (const field of rest) {
    const colon = field.indexOf(":");
    const name = field.slice(0, Math.max(colon, 0)).toLowerCase();
    const value = field.slice(colon + 1).replace(/^[\t ]+|[\t ]+$/g, "");
    if (!isToken(name) || !isFieldValue(value)) {
      throw new HttpRefusal(400, "A header field is malformed");
    }
    const before = fields.get(name);
    if (before !== undefined && SINGLE_FIELDS.has(name)) {
      throw new HttpRefusal(400, `The field ${name} is there twice`);
    }
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return { line, fields };
}

/**
 * Reads the head of a request.
 *
 * @throws {HttpRefusal} If it is none.
 */
export function readRequestHead(text: string): HttpRequestHead {
  const head = readHead(text);
  const match = REQUEST_LINE_REGEXP.exec(head.line);
  if (match === null) {
    throw new HttpRefusal(400, "The request line is no HTTP/1.1");
  }
  const [, method, target, minor] = match;
  if (minor !== "1") throw new HttpRefusal(505, "HTTP/1.1 is needed");
  if ((head.fields.get("host") ?? "") === "") {
    throw new HttpRefusal(400, "The field host is missing");
  }
  return { ...head, method: method!, target: target! };
}

/** The items of a comma-separated list (RFC 9110, 5.6.1). */
export function listItems(value: string | undefined): string[] {
  if (value === undefined) return [];
  return value.split(",").map((item) => item.trim()).filter((item) =>
    item !== ""
  );
}

/** Whether a list of tokens has `token`, in any case. */
export function hasToken(value: string | undefined, token: string): boolean {
  return listItems(value).some((item) => item.toLowerCase() === token);
}

/** Writes a head: bytes, each character one. */
export function writeHead(
  line: string,
  fields: Iterable<readonly [string, string]>,
): Uint8Array<ArrayBuffer> {
  let text = `${line}\r\n`;
  for (const [name, value] of fields) text += `${name}: ${value}\r\n`;
  text += "\r\n";
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
