import type { DeflateOptions } from "./deflate.ts";
import { isToken } from "./http_head.ts";

/** One element of `Sec-WebSocket-Extensions` (RFC 6455, 9.1). */
interface Extension {
  name: string;
  /** Parameters; a value is undefined where there is none. */
  parameters: Map<string, string | undefined>;
}

const DEFLATE = "permessage-deflate";

/** What a client of this suite offers: a window is kept for no message longer than it takes. */
export const DEFLATE_OFFER: string =
  `${DEFLATE}; server_no_context_takeover; client_no_context_takeover`;

/** A parameter, a token with an optional value, which may be in quotes. */
const PARAMETER_REGEXP = /^([^=\s"]+)(?:\s*=\s*(?:"([^"\\]*)"|([^"\s]+)))?$/;

/** Reads the field; undefined if it is malformed. Values in use have neither commas nor semicolons, so quotes hide none. */
function readExtensions(value: string): Extension[] | undefined {
  const extensions: Extension[] = [];
  for (const element of value.split(",")) {
    const [name = "", ...rest] = element.split(";").map((part) => part.trim());
    if (!isToken(name)) return undefined;
    const parameters = new Map<string, string | undefined>();
    for (const parameter of rest) {
      const match = PARAMETER_REGEXP.exec(parameter);
      if (match === null || !isToken(match[1]!)) return undefined;
      const [, key, quoted, bare] = match;
      if (parameters.has(key!)) return undefined;
      parameters.set(key!, quoted ?? bare);
    }
    extensions.push({ name, parameters });
  }
  return extensions;
}

/** The bits of a window that a parameter states, 8 to 15 without a leading zero (RFC 7692, 7.1.2); undefined if it is malformed. */
function readBits(value: string | undefined): number | undefined {
  return value !== undefined && /^([89]|1[0-5])$/.test(value)
    ? Number(value)
    : undefined;
}

/** What came of a negotiation. */
export interface DeflateAgreement {
  /** How this side compresses. */
  deflate: Required<DeflateOptions>;
  /** The value of the field that accepts the offer. */
  answer: string;
}

/**
 * Takes the first offer of permessage-deflate that a server with `options` can keep; undefined if there is none. Both
 * sides start each message anew, so that a connection holds no window between messages.
 *
 * @throws {SyntaxError} If the field is malformed.
 */
export function acceptDeflate(
  offers: string | undefined,
  options: Required<DeflateOptions>,
): DeflateAgreement | undefined {
  if (offers === undefined) return undefined;
  const extensions = readExtensions(offers);
  if (extensions === undefined) {
    throw new SyntaxError("The field sec-websocket-extensions is malformed");
  }
  for (const { name, parameters } of extensions) {
    if (name !== DEFLATE) continue;
    const windowBits = bitsForOffer(parameters, options.windowBits);
    if (windowBits === undefined) continue;
    const bits = parameters.has("server_max_window_bits")
      ? `; server_max_window_bits=${windowBits}`
      : "";
    return {
      deflate: { ...options, windowBits },
      answer: DEFLATE_OFFER + bits,
    };
  }
  return undefined;
}

/** The window that an offer leaves to the server; undefined if it must be declined. */
function bitsForOffer(
  parameters: ReadonlyMap<string, string | undefined>,
  mostBits: number,
): number | undefined {
  let windowBits: number | undefined = mostBits;
  for (const [name, value] of parameters) {
    switch (name) {
      case "server_no_context_takeover":
      case "client_no_context_takeover":
        if (value !== undefined) return undefined;
        break;
      case "client_max_window_bits":
        // A hint that needs no answer: any window can be inflated.
        if (value !== undefined && readBits(value) === undefined) {
          return undefined;
        }
        break;
      case "server_max_window_bits": {
        const bits = readBits(value);
        // zlib has no window of 256 bytes.
        if (bits === undefined || bits === 8) return undefined;
        windowBits = Math.min(bits, mostBits);
        break;
      }
      default:
        return undefined;
    }
  }
  return windowBits;
}

/**
 * Checks a server's answer to {@linkcode DEFLATE_OFFER}; undefined if it wants no extension.
 *
 * @throws {SyntaxError} If it answers something else.
 */
export function acceptedDeflate(
  answer: string | undefined,
  options: Required<DeflateOptions> | undefined,
): Required<DeflateOptions> | undefined {
  if (answer === undefined) return undefined;
  const [extension, another] = readExtensions(answer) ?? [];
  if (
    options === undefined || extension?.name !== DEFLATE ||
    another !== undefined
  ) {
    throw new SyntaxError(`An extension was not offered: ${answer}`);
  }
  const { parameters } = extension;
  for (const [name, value] of parameters) {
    const isKnown = name === "server_max_window_bits"
      ? readBits(value) !== undefined
      : name.endsWith("_no_context_takeover") &&
        DEFLATE_OFFER.includes(name) && value === undefined;
    if (!isKnown) {
      throw new SyntaxError(`An extension was not offered so: ${answer}`);
    }
  }
  if (!parameters.has("server_no_context_takeover")) {
    throw new SyntaxError(`The server would keep its window: ${answer}`);
  }
  return options;
}
