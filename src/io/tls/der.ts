/** One element of DER (X.690): its tag, and where its content is. */
export interface DerElement {
  /** The identifier octet. */
  readonly tag: number;
  /** What it holds. */
  readonly content: Uint8Array;
  /** All of it, its header included. */
  readonly whole: Uint8Array;
}

/**
 * The elements that `bytes` hold, one after the other.
 *
 * @throws {RangeError} If an element ends beyond `bytes`, or is of a form that DER does not have.
 */
export function readDer(bytes: Uint8Array): DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at]!;
    let from = at + 2;
    let length = bytes[at + 1] ?? NaN;
    if (length >= 0x80) {
      const count = length & 0x7f;
      // More than three bytes of length are more than any certificate; tags of several bytes are in none.
      if (count === 0 || count > 3 || (tag & 0x1f) === 0x1f) length = NaN;
      else {
        length = 0;
        for (let index = 0; index < count; index++) {
          length = length * 256 + (bytes[from++] ?? NaN);
        }
      }
    }
    const to = from + length;
    if (!(to <= bytes.length)) {
      throw new RangeError(
        `Cannot read DER: an element ends beyond its bytes: current value is ${to} of ${bytes.length}`,
      );
    }
    elements.push({
      tag,
      content: bytes.subarray(from, to),
      whole: bytes.subarray(at, to),
    });
    at = to;
  }
  return elements;
}

/** An object identifier in the usual digits and dots. */
export function readObjectId(content: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const [first = 0, ...rest] = arcs;
  const root = Math.min(Math.floor(first / 40), 2);
  return [root, first - root * 40, ...rest].join(".");
}

const decoders: Record<number, string> = {
  0x1e: "utf-16be",
  0x14: "latin1",
};

/** A character string of any of the types that certificates have. */
export function readText({ tag, content }: DerElement): string {
  return new TextDecoder(decoders[tag] ?? "utf-8").decode(content);
}

/** A `UTCTime` or `GeneralizedTime` (RFC 5280, 4.1.2.5). */
export function readTime({ tag, content }: DerElement): Date {
  const digits = new TextDecoder().decode(content);
  const isShort = tag === 0x17;
  const [, year = "", month, day, hour, minute, second] =
    /^(\d\d(?:\d\d)?)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits) ?? [];
  const century = isShort ? (Number(year) < 50 ? "20" : "19") : "";
  return new Date(
    `${century}${year}-${month}-${day}T${hour}:${minute}:${second}Z`,
  );
}
