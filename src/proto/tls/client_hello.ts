import { RemoteProtocolError } from "../errors.ts";

/** What a TLS client asks for before anything is encrypted. */
export interface ClientHello {
  /** Host name that it wants (SNI, RFC 6066, section 3), in lower case. */
  readonly serverName: string | undefined;
  /** Protocols that it can speak inside (ALPN, RFC 7301), the best first. */
  readonly alpn: readonly string[];
}

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const ALPN = 16;
const RECORD_HEADER_BYTES = 5;
const MAX_RECORD_BYTES = 1 << 14;

/** Longest ClientHello that is put together from records; browsers send less than 2 KiB, with post-quantum keys too. */
const MAX_HELLO_BYTES = 1 << 15;

/**
 * Reads the ClientHello that a TLS connection begins with (RFC 8446, section 4.1.2; the same in TLS 1.0 to 1.2), over as
 * many records as it takes.
 *
 * @returns What it asks for, or undefined if more bytes are needed.
 * @throws {RemoteProtocolError} (`invalid_frame`) If the bytes are no ClientHello.
 *
 * @example Usage
 * ```ts
 * import { readClientHello } from "./client_hello.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(readClientHello(new Uint8Array([22, 3, 1])), undefined);
 * assertThrows(() => readClientHello(new TextEncoder().encode("GET /")));
 * ```
 */
export function readClientHello(bytes: Uint8Array): ClientHello | undefined {
  const message = joinRecords(bytes);
  if (message === undefined) return undefined;
  const reader = new Reader(message);
  reader.skip(4); // Type and length of the message.
  reader.skip(2 + 32); // Version and random.
  reader.vector(1); // Session.
  reader.vector(2); // Cipher suites.
  reader.vector(1); // Compression methods.
  let serverName: string | undefined;
  let alpn: string[] = [];
  // Clients of long ago send no extensions at all.
  const extensions = new Reader(reader.isEmpty ? EMPTY : reader.vector(2));
  while (!extensions.isEmpty) {
    const type = extensions.number(2);
    const data = new Reader(extensions.vector(2));
    if (type === SERVER_NAME) serverName = readServerName(data);
    else if (type === ALPN) alpn = readAlpn(data);
  }
  return { serverName, alpn };
}

const EMPTY = new Uint8Array();

function invalid(reason: string): RemoteProtocolError {
  return new RemoteProtocolError(
    "invalid_frame",
    `Cannot read ClientHello: ${reason}`,
  );
}

/** The first handshake message, without the headers of the records that carry it; undefined if it is not whole. */
function joinRecords(bytes: Uint8Array): Uint8Array | undefined {
  let message: Uint8Array = EMPTY;
  for (let at = 0;;) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE) {
      throw invalid(`a record has the type ${bytes[at]}: this is no TLS`);
    }
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) {
      throw invalid(`a record has the version ${bytes[at + 1]}`);
    }
    const start = at + RECORD_HEADER_BYTES;
    if (start > bytes.length) return undefined;
    const length = bytes[at + 3]! << 8 | bytes[at + 4]!;
    if (length === 0 || length > MAX_RECORD_BYTES) {
      throw invalid(`a record has ${length} bytes`);
    }
    const part = bytes.subarray(start, start + length);
    message = message.length === 0 ? part : concat(message, part);
    if (message.length > 0 && message[0] !== CLIENT_HELLO) {
      throw invalid(`the first message has the type ${message[0]}`);
    }
    if (message.length >= 4) {
      const wanted = 4 + (message[1]! << 16 | message[2]! << 8 | message[3]!);
      if (wanted > MAX_HELLO_BYTES) throw invalid(`it has ${wanted} bytes`);
      if (message.length >= wanted) return message.subarray(0, wanted);
    }
    if (part.length < length) return undefined;
    at = start + length;
  }
}

function concat(left: Uint8Array, right: Uint8Array): Uint8Array {
  const joined = new Uint8Array(left.length + right.length);
  joined.set(left);
  joined.set(right, left.length);
  return joined;
}

function readServerName(data: Reader): string | undefined {
  const names = new Reader(data.vector(2));
  while (!names.isEmpty) {
    const type = names.number(1);
    const name = names.vector(2);
    if (type === 0) return new TextDecoder().decode(name).toLowerCase();
  }
  return undefined;
}

function readAlpn(data: Reader): string[] {
  const names = new Reader(data.vector(2));
  const protocols: string[] = [];
  while (!names.isEmpty) {
    protocols.push(new TextDecoder().decode(names.vector(1)));
  }
  return protocols;
}

/** Takes numbers and length-prefixed vectors off the front of bytes. */
class Reader {
  #rest: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#rest = bytes;
  }

  get isEmpty(): boolean {
    return this.#rest.length === 0;
  }

  skip(count: number): Uint8Array {
    if (count > this.#rest.length) throw invalid("a field is cut off");
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }

  number(bytes: number): number {
    return this.skip(bytes).reduce((sum, byte) => sum << 8 | byte, 0);
  }

  vector(lengthBytes: number): Uint8Array {
    return this.skip(this.number(lengthBytes));
  }
}
