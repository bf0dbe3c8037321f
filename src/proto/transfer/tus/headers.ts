import { pathFault } from "../path.ts";

/** Why a request is refused. */
export class TusError extends Error {
  /** The name that stack traces show. */
  override readonly name = "TusError";
  /** The HTTP status that says so. */
  readonly status: number;

  /** Refuses by `status`; `message` is the body of the response. */
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The request headers that are read; a `Headers` object has this shape. */
export interface TusHeaders {
  /** The value of a header, `null` without it. */
  get(name: string): string | null;
}

/** The checksum of a request's body. */
export interface TusChecksum {
  /** How it is computed. */
  readonly algorithm: TusAlgorithm;
  /** What it must be. */
  readonly digest: Uint8Array;
}

/** Checksums that are taken, with their bytes. */
export const TUS_ALGORITHMS = { sha1: 20, sha256: 32 } as const;

/** A name of {@linkcode TUS_ALGORITHMS}. */
export type TusAlgorithm = keyof typeof TUS_ALGORITHMS;

/** What an upload is to others. */
export type TusConcat =
  /** It will be a part of another one. */
  | { readonly type: "partial" }
  /** It is made of others. */
  | {
    readonly type: "final";
    /** The header, as the client sent it. */
    readonly value: string;
    /** URLs of its parts, in order. */
    readonly parts: readonly string[];
  };

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** Printable ASCII without space and comma. */
const KEY = /^[!-+\--~]+$/;

/** Reads a number of bytes; undefined without the header. */
export function readSize(
  headers: TusHeaders,
  name: string,
): number | undefined {
  const value = headers.get(name);
  if (value === null) return undefined;
  const size = Number(value);
  if (!/^\d{1,16}$/.test(value) || !Number.isSafeInteger(size)) {
    throw new TusError(
      400,
      `Cannot read ${name}: a number of bytes is expected: current value is "${value}"`,
    );
  }
  return size;
}

/**
 * Reads `Upload-Metadata`: values by key, still as bytes.
 *
 * @throws {TusError} If it is malformed, or longer than `maxBytes`.
 *
 * @example Usage
 * ```ts
 * import { readMetadata } from "./headers.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const metadata = readMetadata("filename YS50eHQ=,secret", 100);
 * assertEquals(metadata.get("filename"), new TextEncoder().encode("a.txt"));
 * assertEquals(metadata.get("secret")?.length, 0);
 * ```
 */
export function readMetadata(
  value: string,
  maxBytes: number,
): Map<string, Uint8Array> {
  if (value.length > maxBytes) {
    throw new TusError(
      431,
      `Cannot take metadata of more than ${maxBytes} bytes: current value has ${value.length}`,
    );
  }
  const metadata = new Map<string, Uint8Array>();
  for (const pair of value.split(",")) {
    const [key = "", text = "", ...more] = pair.trim().split(" ");
    if (!KEY.test(key) || more.length > 0 || metadata.has(key)) {
      throw badMetadata(`"${pair}" is no new key and value`);
    }
    metadata.set(key, readBase64(text) ?? fail(key));
  }
  return metadata;
}

function fail(key: string): never {
  throw badMetadata(`the value of "${key}" is not base64`);
}

function badMetadata(reason: string): TusError {
  return new TusError(400, `Cannot read Upload-Metadata: ${reason}`);
}

function readBase64(text: string): Uint8Array | undefined {
  if (!BASE64.test(text)) return undefined;
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return undefined;
  }
}

/**
 * The path that metadata asks for by `filename`; undefined without it.
 *
 * @throws {TusError} If no file can have it.
 */
export function readPath(
  metadata: ReadonlyMap<string, Uint8Array>,
): string | undefined {
  const bytes = metadata.get("filename");
  if (bytes === undefined) return undefined;
  let path: string;
  try {
    path = decoder.decode(bytes);
  } catch {
    throw badMetadata("the file name is not UTF-8");
  }
  const fault = pathFault(path);
  if (fault === undefined) return path;
  throw new TusError(400, `Cannot take file name "${path}": ${fault}`);
}

/**
 * Reads `Upload-Checksum`; undefined without it.
 *
 * @throws {TusError} If it is malformed, or of an unknown algorithm.
 */
export function readChecksum(headers: TusHeaders): TusChecksum | undefined {
  const value = headers.get("upload-checksum");
  if (value === null) return undefined;
  const [name = "", text = "", ...more] = value.split(" ");
  if (!isAlgorithm(name)) {
    throw new TusError(
      400,
      `Cannot check by "${name}": allowed are ${
        Object.keys(TUS_ALGORITHMS).join(", ")
      }`,
    );
  }
  const digest = readBase64(text);
  if (digest?.length !== TUS_ALGORITHMS[name] || more.length > 0) {
    throw new TusError(
      400,
      `Cannot read Upload-Checksum: ${
        TUS_ALGORITHMS[name]
      } bytes in base64 are expected: current value is "${value}"`,
    );
  }
  return { algorithm: name, digest };
}

function isAlgorithm(name: string): name is TusAlgorithm {
  return Object.hasOwn(TUS_ALGORITHMS, name);
}

/**
 * Reads `Upload-Concat`; undefined without it.
 *
 * @throws {TusError} If it is malformed.
 */
export function readConcat(headers: TusHeaders): TusConcat | undefined {
  const value = headers.get("upload-concat");
  if (value === null) return undefined;
  if (value === "partial") return { type: "partial" };
  const parts = /^final;(.+)$/.exec(value)?.[1]?.trim().split(/ +/);
  if (parts === undefined) {
    throw new TusError(
      400,
      `Cannot read Upload-Concat: current value is "${value}"`,
    );
  }
  return { type: "final", value, parts };
}

/**
 * Reads `Upload-Defer-Length`: whether the length comes later.
 *
 * @throws {TusError} If it is anything but 1.
 */
export function readDefer(headers: TusHeaders): boolean {
  const value = headers.get("upload-defer-length");
  if (value === null || value === "1") return value !== null;
  throw new TusError(
    400,
    `Cannot read Upload-Defer-Length: 1 is expected: current value is "${value}"`,
  );
}
