import { type Codec, json } from "../../mod.ts";
import type { FromHub, ToHub } from "./messages.ts";

/** Puts JSON text into JSON as it is; not in the compiler's library yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
const TIMESTAMP_REGEXP = /"timestamp"\s*:\s*(-?\d+)/g;

/**
 * JSON in which a ping's timestamp stays as it was written: nanoseconds since 1970 have more digits than a number of the
 * runtime holds, and the client that sent them compares.
 */
export function hubJson(): Codec<ToHub, FromHub> {
  const inner = json<ToHub, FromHub>();
  return {
    ...inner,
    decode(frame, ...rest) {
      const message = inner.decode(frame, ...rest);
      if (message?.type === "ping" && isInexact(message["timestamp"])) {
        message.timestamp = exact(frame, message["timestamp"]);
      }
      return message;
    },
  };
}

function isInexact(value: unknown): value is number {
  return Number.isInteger(value) && !Number.isSafeInteger(value);
}

/** The digits that were read as `rounded`. */
function exact(frame: Uint8Array, rounded: number): unknown {
  const text = new TextDecoder().decode(frame);
  for (const [, digits] of text.matchAll(TIMESTAMP_REGEXP)) {
    if (Number(digits) === rounded) return rawJSON(digits!);
  }
  return rounded;
}
