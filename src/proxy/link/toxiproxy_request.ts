import { ToxicError } from "../../proto/link/toxics.ts";
import { endpointOf } from "./toxic_proxy.ts";

/** The longest request. */
const MAX_BODY_BYTES = 1024 * 1024;

/** A request whose body was read. */
export interface Asked {
  /** The method. */
  readonly method: string;
  /** The body. */
  readonly text: string;
}

/** What a proxy shall be. */
export interface WantedProxy {
  /** Its name. */
  name: string;
  /** Where to listen: `HOST:PORT`. */
  listen: string;
  /** Where connections go: `HOST:PORT`. */
  upstream: string;
  /** Whether it listens. */
  enabled: boolean;
}

/**
 * Reads what a proxy shall be.
 *
 * @throws {ToxicError} If that makes no sense.
 */
export function readProxy(body: unknown): WantedProxy {
  const { name, listen = ":0", upstream, enabled = true } = Object(body);
  for (const [field, value] of Object.entries({ name, upstream })) {
    if (value === undefined || value === "") {
      throw new ToxicError(400, `Missing required field: ${field}`);
    }
  }
  for (const value of [name, listen, upstream]) {
    if (typeof value !== "string") {
      throw new ToxicError(400, "Bad request body: a string is expected");
    }
  }
  if (typeof enabled !== "boolean") {
    throw new ToxicError(400, "Bad request body: enabled is true or false");
  }
  endpointOf(listen);
  endpointOf(upstream);
  return { name, listen, upstream, enabled };
}

/**
 * Reads the body of a request.
 *
 * @throws {ToxicError} If it is too long.
 */
export async function readText(request: Request): Promise<string> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) {
      throw new ToxicError(
        413,
        `Bad request body: it has more than ${MAX_BODY_BYTES} bytes`,
      );
    }
    chunks.push(chunk);
  }
  return await new Blob(chunks).text();
}

/**
 * Reads a body as JSON.
 *
 * @throws {ToxicError} If it is none.
 */
export function readBody({ text }: Asked): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ToxicError(400, `Bad request body: ${reason}`);
  }
}
