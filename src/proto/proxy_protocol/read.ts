import { crc32c } from "../../bytes/crc32c.ts";
import { RemoteProtocolError } from "../errors.ts";
import { formatIp, parseIp } from "../ip.ts";
import {
  ADDRESS_BYTES,
  FIELD,
  HEADER_BYTES,
  MAX_LINE_BYTES,
  MAX_UNIQUE_ID_BYTES,
  type ProxyAddress,
  type ProxyHeader,
  type ProxyTls,
  SIGNATURE,
  TLS_CLIENT,
  TLS_FIELD,
} from "./header.ts";

const LINE_START = new TextEncoder().encode("PROXY ");

/** Options of {@linkcode readProxyHeader}. */
export interface ReadProxyHeaderOptions {
  /** Longest header of version 2 to accept, in bytes. @default {4096} */
  maxBytes?: number;
}

/** A header, and how many bytes it had. */
export interface ReadProxyHeader {
  /** What it says. */
  readonly header: ProxyHeader;
  /** Bytes up to its end; the connection's own begin there. */
  readonly length: number;
}

/**
 * Reads the PROXY header that a connection begins with, version 1 or 2, as HAProxy's `proxy-protocol.txt` (2026-04-27)
 * describes it. Whether a header is to be expected is for the caller to know, by the address of the proxy: a connection
 * without one is refused, never guessed at.
 *
 * @returns The header, or undefined if more bytes are needed.
 * @throws {RemoteProtocolError} If the bytes are no header; `frame_too_large` if it is too long.
 *
 * @example Usage
 * ```ts
 * import { readProxyHeader } from "./read.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const line = "PROXY TCP4 192.0.2.7 198.51.100.1 4242 443\r\nGET /";
 * const read = readProxyHeader(new TextEncoder().encode(line));
 * assertEquals(read?.header.source, { hostname: "192.0.2.7", port: 4242 });
 * assertEquals(read?.length, 44);
 * ```
 */
export function readProxyHeader(
  bytes: Uint8Array,
  options: ReadProxyHeaderOptions = {},
): ReadProxyHeader | undefined {
  if (begins(bytes, LINE_START)) return readLine(bytes);
  if (begins(bytes, SIGNATURE)) {
    return readBinary(bytes, options.maxBytes ?? 4096);
  }
  throw invalid("there is none");
}

/** Whether `bytes` begin with `start`, as far as they go. */
function begins(bytes: Uint8Array, start: Uint8Array): boolean {
  const length = Math.min(bytes.length, start.length);
  for (let index = 0; index < length; index++) {
    if (bytes[index] !== start[index]) return false;
  }
  return true;
}

function invalid(reason: string): RemoteProtocolError {
  return new RemoteProtocolError(
    "invalid_frame",
    `Cannot read PROXY header: ${reason}`,
  );
}

function readLine(bytes: Uint8Array): ReadProxyHeader | undefined {
  const end = bytes.subarray(0, MAX_LINE_BYTES).indexOf(0x0a);
  if (end < 0) {
    if (bytes.length < MAX_LINE_BYTES) return undefined;
    throw invalid(`no end of line within ${MAX_LINE_BYTES} bytes`);
  }
  const line = String.fromCharCode(...bytes.subarray(0, end + 1));
  const length = end + 1;
  // What follows the word UNKNOWN is for nobody.
  if (/^PROXY UNKNOWN(?: [^\r]*)?\r\n$/.test(line)) {
    const header = {
      version: 1,
      command: "proxy",
      transport: "unknown",
    } as const;
    return { header, length };
  }
  const match =
    /^PROXY TCP([46]) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r\n$/
      .exec(line);
  if (match === null) throw invalid("the line is no line of version 1");
  const [, family, source, destination, sourcePort, destinationPort] = match;
  const wanted = family === "4" ? 4 : 16;
  const read = (text: string, port: string): ProxyAddress => {
    const address = text.includes("%") ? undefined : parseIp(text);
    if (address?.length !== wanted || Number(port) > 65535) {
      throw invalid("the line has a wrong address");
    }
    return { hostname: formatIp(address), port: Number(port) };
  };
  return {
    header: {
      version: 1,
      command: "proxy",
      transport: "stream",
      source: read(source!, sourcePort!),
      destination: read(destination!, destinationPort!),
    },
    length,
  };
}

function readBinary(
  bytes: Uint8Array,
  maxBytes: number,
): ReadProxyHeader | undefined {
  const versionCommand = bytes[12];
  if (versionCommand === undefined) return undefined;
  if (versionCommand >> 4 !== 2) {
    throw invalid(`the version is ${versionCommand >> 4}`);
  }
  const command = versionCommand & 15;
  if (command > 1) throw invalid(`the command is ${command}`);
  if (bytes.length < HEADER_BYTES) return undefined;
  const length = HEADER_BYTES + (bytes[14]! << 8 | bytes[15]!);
  if (length > maxBytes) {
    throw new RemoteProtocolError(
      "frame_too_large",
      `Cannot read PROXY header: it has ${length} bytes, maximum is ${maxBytes}`,
    );
  }
  if (bytes.length < length) return undefined;
  const block = bytes.subarray(HEADER_BYTES, length);
  const family = bytes[13]! >> 4;
  const protocol = bytes[13]! & 15;
  if (family > 3 || protocol > 2) {
    // Skipped by its length: the real addresses of the connection count.
    return { header: described(command, "unknown"), length };
  }
  const addressBytes = ADDRESS_BYTES[family]!;
  if (block.length < addressBytes) {
    throw invalid(`${block.length} bytes are too few for its addresses`);
  }
  const fields = readFields(bytes, block.subarray(addressBytes), length);
  const isTold = family > 0 && protocol > 0;
  const transport = protocol === 1 ? "stream" : "datagram";
  return {
    header: {
      ...described(command, isTold ? transport : "unknown"),
      ...(isTold && command === 1 ? readAddresses(block, family) : {}),
      ...fields,
    },
    length,
  };
}

function described(
  command: number,
  transport: ProxyHeader["transport"],
): ProxyHeader {
  return { version: 2, command: command === 0 ? "local" : "proxy", transport };
}

function readAddresses(
  block: Uint8Array,
  family: number,
): { source: ProxyAddress; destination: ProxyAddress } {
  if (family === 3) {
    const path = (from: number): ProxyAddress => {
      const bytes = block.subarray(from, from + 108);
      const end = bytes.indexOf(0);
      return { path: text(end < 0 ? bytes : bytes.subarray(0, end)) };
    };
    return { source: path(0), destination: path(108) };
  }
  const size = family === 1 ? 4 : 16;
  const address = (from: number, portAt: number): ProxyAddress => ({
    hostname: formatIp(block.subarray(from, from + size)),
    port: block[portAt]! << 8 | block[portAt + 1]!,
  });
  return {
    source: address(0, size * 2),
    destination: address(size, size * 2 + 2),
  };
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

type Fields = Partial<Record<keyof ProxyHeader, unknown>> & {
  others?: { type: number; value: Uint8Array }[];
};

function readFields(
  bytes: Uint8Array,
  block: Uint8Array,
  length: number,
): Partial<ProxyHeader> {
  const fields: Fields = {};
  for (const { type, value, at } of eachField(block)) {
    switch (type) {
      case FIELD.ALPN:
        fields.alpn = value.slice();
        break;
      case FIELD.AUTHORITY:
        fields.authority = text(value);
        break;
      case FIELD.CRC32C:
        checkSum(bytes.subarray(0, length), length - block.length + at, value);
        break;
      case FIELD.NOOP:
        break;
      case FIELD.UNIQUE_ID:
        if (value.length > MAX_UNIQUE_ID_BYTES) {
          throw invalid(`its unique id has ${value.length} bytes`);
        }
        fields.uniqueId = value.slice();
        break;
      case FIELD.SSL:
        fields.tls = readTls(value);
        break;
      case FIELD.NETNS:
        fields.namespace = text(value);
        break;
      default:
        (fields.others ??= []).push({ type, value: value.slice() });
    }
  }
  return fields as Partial<ProxyHeader>;
}

/** Fields of a type, a length and a value; `at` is where the value begins. */
function* eachField(
  block: Uint8Array,
): Generator<{ type: number; value: Uint8Array; at: number }> {
  for (let from = 0; from < block.length;) {
    const at = from + 3;
    const end = at + (block[from + 1]! << 8 | block[from + 2]!);
    // Written so that a length that is cut off, and so NaN, fails too.
    if (!(at <= block.length && end <= block.length)) {
      throw invalid("a field is longer than what holds it");
    }
    yield { type: block[from]!, value: block.subarray(at, end), at };
    from = end;
  }
}

/** Checks the sum of the whole header, counted with zeros in the sum's own place. */
function checkSum(header: Uint8Array, at: number, value: Uint8Array): void {
  if (value.length !== 4) throw invalid("its checksum is not of 4 bytes");
  const told = new DataView(value.buffer, value.byteOffset).getUint32(0);
  const zeroed = header.slice();
  zeroed.fill(0, at, at + 4);
  if (crc32c(zeroed) !== told) throw invalid("its checksum is wrong");
}

function readTls(value: Uint8Array): ProxyTls {
  if (value.length < 5) throw invalid("its TLS field is too short");
  const client = value[0]!;
  const verify = new DataView(value.buffer, value.byteOffset).getUint32(1);
  const fields = new Map<number, string>();
  for (const field of eachField(value.subarray(5))) {
    fields.set(field.type, text(field.value));
  }
  return {
    isTls: (client & TLS_CLIENT.SSL) !== 0,
    certificateOnConnection: (client & TLS_CLIENT.CERT_CONN) !== 0,
    certificateInSession: (client & TLS_CLIENT.CERT_SESS) !== 0,
    isVerified: verify === 0 &&
      (client & (TLS_CLIENT.CERT_CONN | TLS_CLIENT.CERT_SESS)) !== 0,
    version: fields.get(TLS_FIELD.VERSION),
    commonName: fields.get(TLS_FIELD.CN),
    cipher: fields.get(TLS_FIELD.CIPHER),
    signatureAlgorithm: fields.get(TLS_FIELD.SIG_ALG),
    keyAlgorithm: fields.get(TLS_FIELD.KEY_ALG),
  };
}
