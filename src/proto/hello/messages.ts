import { json } from "../codec/json.ts";
import { HelloError } from "./error.ts";

/** The largest payload of a frame of the hello, in bytes. */
export const MAX_HELLO_BYTES = 4096;

/** Bytes of a nonce. */
export const NONCE_BYTES = 16;

/** Bytes of a proof: an HMAC-SHA-256. */
export const PROOF_BYTES = 32;

/** The smallest frame limit that can be agreed on. */
export const MIN_FRAME_BYTES = 1024;

const MAX_NAMES = 64;
const MAX_NAME_CHARS = 64;
const MAX_REASON_CHARS = 300;

/** A part of the hello. */
export type HelloKind = "offer" | "choice" | "proof" | "refusal";

/** What a client can do. Names that are not known here are passed over. */
export interface Offer {
  readonly versions: readonly number[];
  readonly codecs: readonly string[];
  readonly compressions: readonly string[];
  readonly checksums: readonly string[];
  readonly maxFrameBytes: number;
}

/** What a server chose. */
export interface Choice {
  readonly version: number;
  readonly codec: string;
  readonly compression: string;
  readonly checksum: string;
  readonly maxFrameBytes: number;
}

/** A part of the hello as it came; fields that are not known are passed over. */
export interface HelloMessage {
  readonly kind: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const START = new TextEncoder().encode("portolan/");
/** What comes before the fields: name and version of the hello, and which part of it this is. */
const HEAD = /^portolan\/(\d{1,9}) ([a-z]{1,16}) /;
const HEAD_BYTES = 40;

const fieldsCodec = json({
  limits: { maxDepth: 8, maxNodes: 1024, maxDecodedBytes: 32 * 1024 },
});
const headDecoder = new TextDecoder();

/** Whether a payload is meant as a part of a hello; no JSON text or MessagePack value starts like that. */
export function isHello(payload: Uint8Array): boolean {
  return payload.length >= START.length &&
    START.every((byte, i) => byte === payload[i]);
}

/** A part of the hello as the payload of a frame. */
export function writeHello(
  kind: HelloKind,
  fields: object,
): Uint8Array<ArrayBuffer> {
  const text = `portolan/1 ${kind} ${JSON.stringify(fields)}`;
  return new TextEncoder().encode(text);
}

/**
 * Reads the payload of a frame.
 *
 * @throws {HelloError} (`malformed`) If it is no part of a hello of this version.
 */
export function readHello(payload: Uint8Array): HelloMessage {
  if (payload.length > MAX_HELLO_BYTES) {
    throw malformed(
      `a hello has at most ${MAX_HELLO_BYTES} bytes: current value is ${payload.length}`,
    );
  }
  const head = HEAD.exec(headDecoder.decode(payload.subarray(0, HEAD_BYTES)));
  if (head === null) throw malformed("what came is not a hello");
  const [{ length }, version, kind = ""] = head;
  if (version !== "1") {
    throw malformed(
      `the version of the hello must be 1: current value is ${version}`,
    );
  }
  let fields: unknown;
  try {
    fields = fieldsCodec.decode(payload.subarray(length));
  } catch (cause) {
    throw malformed(cause instanceof Error ? cause.message : "", cause);
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    throw malformed("the fields of a hello must be an object");
  }
  return { kind, fields: fields as Record<string, unknown> };
}

/** The fields of an offer. */
export function readOffer({ fields }: HelloMessage): Offer {
  bytesField(fields, "nonce", NONCE_BYTES);
  return {
    versions: list(fields, "versions", isCount),
    codecs: list(fields, "codecs", isName),
    compressions: list(fields, "compressions", isName),
    checksums: list(fields, "checksums", isName),
    maxFrameBytes: field(fields, "maxFrameBytes", isFrameLimit),
  };
}

/** The fields of a choice. */
export function readChoice({ fields }: HelloMessage): Choice {
  bytesField(fields, "nonce", NONCE_BYTES);
  return {
    version: field(fields, "version", isCount),
    codec: field(fields, "codec", isName),
    compression: field(fields, "compression", isName),
    checksum: field(fields, "checksum", isName),
    maxFrameBytes: field(fields, "maxFrameBytes", isFrameLimit),
  };
}

/** The bytes of a proof. */
export function readProof({ fields }: HelloMessage): Uint8Array {
  return bytesField(fields, "proof", PROOF_BYTES);
}

/** The error that a peer's refusal stands for. */
export function readRefusal({ fields }: HelloMessage): HelloError {
  const peerCode = isName(fields.code) ? fields.code : "unknown";
  const reason = typeof fields.reason === "string"
    ? fields.reason.slice(0, MAX_REASON_CHARS)
    : "";
  return new HelloError(
    "refused",
    `the peer refused: ${JSON.stringify(peerCode)}: ${JSON.stringify(reason)}`,
    { peerCode },
  );
}

function field<T>(
  fields: HelloMessage["fields"],
  name: string,
  accepts: (value: unknown) => value is T,
): T {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (!accepts(value)) {
    throw malformed(`its field "${name}" is missing or wrong`);
  }
  return value;
}

function list<T>(
  fields: HelloMessage["fields"],
  name: string,
  accepts: (value: unknown) => value is T,
): T[] {
  return field(
    fields,
    name,
    (value): value is T[] =>
      Array.isArray(value) && value.length > 0 && value.length <= MAX_NAMES &&
      value.every(accepts),
  );
}

function bytesField(
  fields: HelloMessage["fields"],
  name: string,
  length: number,
): Uint8Array {
  const digits = field(
    fields,
    name,
    (value): value is string =>
      typeof value === "string" && value.length === 2 * length &&
      /^[0-9a-f]*$/.test(value),
  );
  return Uint8Array.fromHex(digits);
}

/** Whether a value can be a version. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

/** Whether a value can be a name: 1 to 64 visible characters of ASCII. */
export function isName(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_NAME_CHARS &&
    /^[!-~]+$/.test(value);
}

function isFrameLimit(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= MIN_FRAME_BYTES;
}

/** The error for what is no hello. */
export function malformed(reason: string, cause?: unknown): HelloError {
  return new HelloError("malformed", reason, { cause });
}
