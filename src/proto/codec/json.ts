import { LocalProtocolError, RemoteProtocolError } from "../errors.ts";
import type { Codec } from "./codec.ts";
import { refuseForbiddenKeys } from "./forbidden_keys.ts";
import { parseJson } from "./json_keys.ts";
import { harmlessJsonBytes, mayNestDeeper, scanJson } from "./json_scan.ts";
import { decodeUtf8 } from "./utf8.ts";
import { type Validate, validator } from "./validate.ts";
import { resolveWorkLimits, type WorkLimits } from "./work_limits.ts";

/** Options of {@linkcode json}. */
export interface JsonOptions<In> {
  /** The most work that one frame may cause. @default {DEFAULT_WORK_LIMITS} */
  limits?: WorkLimits;
  /** Turns the decoded value into a message, or throws; a function or a Standard Schema. */
  validate?: Validate<In>;
}

/**
 * Each frame is a JSON text in UTF-8 (RFC 8259). Malformed UTF-8 and byte order marks are refused, and so are objects
 * with a key `__proto__`, or `constructor` with `prototype` in it, which reach for prototypes when objects are merged.
 * All errors are recoverable.
 *
 * @typeParam In What `validate` makes of a value; without it, what the peer is trusted to send.
 * @typeParam Out What this side sends.
 *
 * @example Usage
 * ```ts
 * import { json } from "./json.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const codec = json<{ x: number }>();
 * assertEquals(codec.decode(new TextEncoder().encode('{"x":1}')), { x: 1 });
 * ```
 */
export function json<In = unknown, Out = In>(
  options: JsonOptions<In> = {},
): Codec<In, Out> {
  const limits = resolveWorkLimits(options.limits);
  const harmlessBytes = harmlessJsonBytes(limits);
  const validate = validator(options.validate);

  function decode(frame: Uint8Array, spentBytes = 0): In {
    const text = decodeUtf8(frame);
    if (
      frame.length + spentBytes > harmlessBytes ||
      mayNestDeeper(text, frame.length, limits.maxDepth)
    ) scanJson(frame, limits, spentBytes);
    const value = parse(text);
    // Either key has "proto" in it, or hides that behind an escape.
    if (text.indexOf("proto") >= 0 || text.indexOf("\\u") >= 0) {
      refuseForbiddenKeys(value);
    }
    return validate(value);
  }

  return { name: "json", text: true, decode, encode };
}

const encode: Codec<unknown>["encode"] = (value, writer) => {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw unencodable(cause instanceof Error ? cause.message : "", cause);
  }
  if (text === undefined) throw unencodable(`no JSON for ${typeof value}`);
  writer.utf8(text);
};

/** Where the runtime quotes the text: the message goes to logs, and the text may hold a password. */
const QUOTED_REGEXP = /, (?:\.\.\.)?".*"(?:\.\.\.)? is not valid JSON$/s;

function parse(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    const reason = cause instanceof Error
      ? cause.message.replace(QUOTED_REGEXP, "")
      : "";
    throw new RemoteProtocolError(
      "malformed",
      `Cannot decode JSON: ${reason}`,
      { recoverable: true, cause },
    );
  }
}

function unencodable(reason: string, cause?: unknown): LocalProtocolError {
  return new LocalProtocolError(
    "unencodable",
    `Cannot encode JSON: ${reason}`,
    {
      recoverable: true,
      cause,
    },
  );
}
