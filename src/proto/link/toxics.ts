import {
  completeImpairments,
  type Impairments,
  MAX_MS,
} from "./impairments.ts";

/** A toxic, as toxiproxy's HTTP API tells it. */
export interface Toxic {
  /** Its name, unique in its proxy. */
  readonly name: string;
  /** One of {@linkcode TOXIC_ATTRIBUTES}. */
  readonly type: string;
  /** `upstream` is what the client sends. */
  readonly stream: "upstream" | "downstream";
  /** Share of the connections that it holds for. */
  readonly toxicity: number;
  /** Its attributes, all of them. */
  readonly attributes: Readonly<Record<string, number>>;
}

/** A toxic on one connection, and how far that was when it began. */
export interface AppliedToxic {
  /** The toxic. */
  readonly toxic: Toxic;
  /** The connection's age, in milliseconds. */
  readonly sinceMs: number;
  /** Bytes that it had carried. */
  readonly sinceBytes: number;
}

/** The attributes of each type of toxic, with their defaults; `down` is a proxy that is not enabled. */
export const TOXIC_ATTRIBUTES: Readonly<
  Record<string, Readonly<Record<string, number>>>
> = {
  latency: { latency: 0, jitter: 0 },
  bandwidth: { rate: 0 },
  slow_close: { delay: 0 },
  timeout: { timeout: 0 },
  reset_peer: { timeout: 0 },
  slicer: { average_size: 0, size_variation: 0, delay: 0 },
  limit_data: { bytes: 0 },
};

/** A toxic that cannot be; the message is the one of toxiproxy. */
export class ToxicError extends Error {
  /** The name that stack traces show. */
  override readonly name = "ToxicError";
  /** The HTTP status that says it. */
  readonly status: number;

  /** Takes the HTTP status, and the message. */
  constructor(status: number, reason: string) {
    super(reason);
    this.status = status;
  }
}

function refuse(reason: string): never {
  throw new ToxicError(400, `Bad request body: ${reason}`);
}

/**
 * Reads a toxic that is to be made.
 *
 * @throws {ToxicError} If it is none.
 *
 * @example Usage
 * ```ts
 * import { readToxic } from "./toxics.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(readToxic({ type: "latency", attributes: { latency: 100 } }), {
 *   name: "latency_downstream",
 *   type: "latency",
 *   stream: "downstream",
 *   toxicity: 1,
 *   attributes: { latency: 100, jitter: 0 },
 * });
 * ```
 */
export function readToxic(body: unknown): Toxic {
  const { name, type, stream, toxicity, attributes } = readObject(body);
  const direction = stream ?? "downstream";
  if (direction !== "upstream" && direction !== "downstream") {
    throw new ToxicError(
      400,
      "Stream was invalid, can be either upstream or downstream",
    );
  }
  if (typeof type !== "string" || !Object.hasOwn(TOXIC_ATTRIBUTES, type)) {
    throw new ToxicError(400, "Invalid toxic type");
  }
  if (name !== undefined && typeof name !== "string") {
    refuse("name must be a string");
  }
  return {
    name: name || `${type}_${direction}`,
    type,
    stream: direction,
    toxicity: readToxicity(toxicity, 1),
    attributes: readAttributes(attributes, TOXIC_ATTRIBUTES[type]!),
  };
}

/**
 * Reads what is to change of a toxic: its attributes and its toxicity.
 *
 * @throws {ToxicError} If that makes no sense.
 */
export function changeToxic(toxic: Toxic, body: unknown): Toxic {
  const { toxicity, attributes } = readObject(body);
  return {
    ...toxic,
    toxicity: readToxicity(toxicity, toxic.toxicity),
    attributes: readAttributes(attributes, toxic.attributes),
  };
}

function readObject(body: unknown): Record<string, unknown> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    refuse("an object is expected");
  }
  return body as Record<string, unknown>;
}

function readToxicity(value: unknown, usual: number): number {
  if (value === undefined) return usual;
  if (typeof value !== "number" || !(value >= 0 && value <= 1)) {
    refuse("toxicity must be 0 to 1");
  }
  return value;
}

function readAttributes(
  given: unknown,
  usual: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const attributes = { ...usual };
  for (const [name, value] of Object.entries(readObject(given ?? {}))) {
    // Toxiproxy passes over what it does not know, too.
    if (!Object.hasOwn(usual, name)) continue;
    if (typeof value !== "number" || !(value >= 0 && value <= MAX_MS)) {
      refuse(`${name} must be a number from 0 to ${MAX_MS}`);
    }
    attributes[name] = value;
  }
  return attributes;
}

/**
 * What the toxics of one direction of a connection come to. Those of the same type add up, or the narrowest counts.
 *
 * @example Usage
 * ```ts
 * import { impairmentsOf, readToxic } from "./toxics.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const toxic = readToxic({ type: "bandwidth", attributes: { rate: 64 } });
 * const { bytesPerSecond } = impairmentsOf([
 *   { toxic, sinceMs: 0, sinceBytes: 0 },
 * ]);
 * assertEquals(bytesPerSecond, 64_000);
 * ```
 */
export function impairmentsOf(
  applied: Iterable<AppliedToxic>,
): Required<Impairments> {
  const all = completeImpairments({});
  for (const { toxic, sinceMs, sinceBytes } of applied) {
    const of = (name: string) => toxic.attributes[name] ?? 0;
    switch (toxic.type) {
      case "latency": {
        const least = Math.max(0, of("latency") - of("jitter"));
        all.latencyMs += least;
        all.jitterMs += of("latency") + of("jitter") - least;
        break;
      }
      case "bandwidth":
        // Kilobytes per second; 0 is no limit.
        if (of("rate") === 0) break;
        all.bytesPerSecond = Math.min(all.bytesPerSecond, of("rate") * 1000);
        break;
      case "slow_close":
        all.slowCloseMs += of("delay");
        break;
      case "timeout":
        all.blackHole = true;
        if (of("timeout") === 0) break;
        all.closeAfterMs = Math.min(all.closeAfterMs, sinceMs + of("timeout"));
        break;
      case "reset_peer":
        all.resetAfterMs = Math.min(all.resetAfterMs, sinceMs + of("timeout"));
        break;
      case "slicer":
        all.sliceBytes = Math.floor(of("average_size"));
        all.sliceVariationBytes = Math.min(
          Math.floor(of("size_variation")),
          all.sliceBytes,
        );
        // Microseconds.
        all.sliceDelayMs += of("delay") / 1000;
        break;
      case "limit_data":
        all.limitBytes = Math.min(all.limitBytes, sinceBytes + of("bytes"));
        break;
    }
  }
  all.latencyMs = Math.min(all.latencyMs, MAX_MS);
  return all;
}
