import { crc32c } from "../../bytes/crc32c.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { parseIp } from "../ip.ts";
import {
  ADDRESS_BYTES,
  FIELD,
  HEADER_BYTES,
  MAX_UNIQUE_ID_BYTES,
  type ProxyAddress,
  type ProxyHeader,
  type ProxyTls,
  SIGNATURE,
  TLS_CLIENT,
  TLS_FIELD,
} from "./header.ts";

/** Options of {@linkcode writeProxyHeader}. */
export interface WriteProxyHeaderOptions {
  /** Whether version 2 carries a checksum of the whole header. @default {false} */
  checksum?: boolean;
}

/**
 * Writes a PROXY header; send it in one write, before anything else. A version 1 line says addresses alone, and says
 * `UNKNOWN` for what it cannot name.
 *
 * @throws {RangeError} If an address is no IP address, both are not of one family, or a field is too long.
 *
 * @example Usage
 * ```ts
 * import { writeProxyHeader } from "./write.ts";
 * import { readProxyHeader } from "./read.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = writeProxyHeader({
 *   version: 2,
 *   command: "proxy",
 *   transport: "stream",
 *   source: { hostname: "2001:db8::1", port: 4242 },
 *   destination: { hostname: "2001:db8::2", port: 443 },
 *   authority: "harbour.example",
 * }, { checksum: true });
 * assertEquals(readProxyHeader(bytes)?.header.authority, "harbour.example");
 * ```
 */
export function writeProxyHeader(
  header: ProxyHeader,
  options: WriteProxyHeaderOptions = {},
): Uint8Array<ArrayBuffer> {
  if (header.version === 1) return new TextEncoder().encode(line(header));
  const writer = new ByteWriter();
  writer.set(SIGNATURE);
  writer.u8(0x20 | (header.command === "proxy" ? 1 : 0));
  const addresses = addressBlock(header);
  writer.u8(addresses.family << 4 | PROTOCOLS[header.transport]);
  writer.u16(0);
  writer.set(addresses.bytes);
  writeFields(writer, header);
  const sumAt = options.checksum ? writer.length + 3 : undefined;
  if (sumAt !== undefined) writeField(writer, FIELD.CRC32C, new Uint8Array(4));
  const bytes = writer.bytes.slice(0, writer.length);
  const view = new DataView(bytes.buffer);
  const length = bytes.length - HEADER_BYTES;
  if (length > 65535) throw tooLong("the header", length, 65535);
  view.setUint16(14, length);
  if (sumAt !== undefined) view.setUint32(sumAt, crc32c(bytes));
  return bytes;
}

const PROTOCOLS = { unknown: 0, stream: 1, datagram: 2 } as const;

function tooLong(what: string, bytes: number, most: number): RangeError {
  return new RangeError(
    `Cannot write PROXY header: ${what} may have ${most} bytes: current value is ${bytes}`,
  );
}

function line({ source, destination, transport }: ProxyHeader): string {
  if (
    transport !== "stream" || source === undefined ||
    destination === undefined || "path" in source || "path" in destination
  ) return "PROXY UNKNOWN\r\n";
  const family = ipPair(source, destination).family === 1 ? 4 : 6;
  return `PROXY TCP${family} ${source.hostname} ${destination.hostname} ${source.port} ${destination.port}\r\n`;
}

/** Both addresses as bytes, which must be of one family: 1 is IPv4, 2 is IPv6. */
function ipPair(
  source: Extract<ProxyAddress, { hostname: string }>,
  destination: Extract<ProxyAddress, { hostname: string }>,
): { family: number; from: Uint8Array; to: Uint8Array } {
  const from = parseIp(source.hostname);
  const to = parseIp(destination.hostname);
  if (from === undefined || from.length !== to?.length) {
    throw new RangeError(
      `Cannot write PROXY header: two IP addresses of one family are needed: current value is "${source.hostname}" and "${destination.hostname}"`,
    );
  }
  return { family: from.length === 4 ? 1 : 2, from, to };
}

function addressBlock(
  { source, destination, transport }: ProxyHeader,
): { family: number; bytes: Uint8Array } {
  if (
    transport === "unknown" || source === undefined || destination === undefined
  ) return { family: 0, bytes: new Uint8Array() };
  if ("path" in source || "path" in destination) {
    const bytes = new Uint8Array(ADDRESS_BYTES[3]!);
    for (const [index, address] of [source, destination].entries()) {
      const path = new TextEncoder().encode(
        "path" in address ? address.path : "",
      );
      if (path.length > 108) throw tooLong("a path", path.length, 108);
      bytes.set(path, index * 108);
    }
    return { family: 3, bytes };
  }
  const { family, from, to } = ipPair(source, destination);
  const bytes = new Uint8Array(ADDRESS_BYTES[family]!);
  bytes.set(from);
  bytes.set(to, from.length);
  const ports = new DataView(bytes.buffer, from.length * 2);
  ports.setUint16(0, source.port);
  ports.setUint16(2, destination.port);
  return { family, bytes };
}

function writeField(writer: ByteWriter, type: number, value: Uint8Array): void {
  if (value.length > 65535) throw tooLong("a field", value.length, 65535);
  writer.u8(type);
  writer.u16(value.length);
  writer.set(value);
}

function writeFields(writer: ByteWriter, header: ProxyHeader): void {
  const { alpn, authority, uniqueId, tls, namespace, others = [] } = header;
  const write = (type: number, value: Uint8Array | string | undefined) => {
    if (value === undefined) return;
    const bytes = typeof value === "string"
      ? new TextEncoder().encode(value)
      : value;
    writeField(writer, type, bytes);
  };
  if (uniqueId !== undefined && uniqueId.length > MAX_UNIQUE_ID_BYTES) {
    throw tooLong("the unique id", uniqueId.length, MAX_UNIQUE_ID_BYTES);
  }
  write(FIELD.ALPN, alpn);
  write(FIELD.AUTHORITY, authority);
  write(FIELD.UNIQUE_ID, uniqueId);
  write(FIELD.SSL, tls && tlsField(tls));
  write(FIELD.NETNS, namespace);
  for (const { type, value } of others) write(type, value);
}

function tlsField(tls: ProxyTls): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(
    (tls.isTls ? TLS_CLIENT.SSL : 0) |
      (tls.certificateOnConnection ? TLS_CLIENT.CERT_CONN : 0) |
      (tls.certificateInSession ? TLS_CLIENT.CERT_SESS : 0),
  );
  writer.u32(tls.isVerified ? 0 : 1);
  for (
    const [type, value] of [
      [TLS_FIELD.VERSION, tls.version],
      [TLS_FIELD.CN, tls.commonName],
      [TLS_FIELD.CIPHER, tls.cipher],
      [TLS_FIELD.SIG_ALG, tls.signatureAlgorithm],
      [TLS_FIELD.KEY_ALG, tls.keyAlgorithm],
    ] as const
  ) {
    if (value === undefined) continue;
    writeField(writer, type, new TextEncoder().encode(value));
  }
  return writer.view();
}
