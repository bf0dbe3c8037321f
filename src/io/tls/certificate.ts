import { createHash } from "node:crypto";
import type { PeerCertificate } from "../peer_identity.ts";
import {
  type DerElement,
  readDer,
  readObjectId,
  readText,
  readTime,
} from "./der.ts";

/** What TLS has to know of a certificate to tell why it is refused. */
export interface TlsCertificateFacts extends PeerCertificate {
  /** Whether the server or the client may show it. */
  readonly purposes: { readonly server: boolean; readonly client: boolean };
  /** Bits of an RSA key; undefined for other kinds. */
  readonly rsaBits: number | undefined;
  /** Whether it is signed with MD5 or SHA-1. */
  readonly isWeaklySigned: boolean;
}

/** The short names of RFC 4514, 3, and those that are in use beside them. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.6": "C",
  "2.5.4.9": "STREET",
  "0.9.2342.19200300.100.1.25": "DC",
  "0.9.2342.19200300.100.1.1": "UID",
  "1.2.840.113549.1.9.1": "E",
};
const RSA = "1.2.840.113549.1.1.1";
const MD5_OR_SHA1 = new Set([
  "1.2.840.113549.1.1.4",
  "1.2.840.113549.1.1.5",
  "1.2.840.10045.4.1",
]);
const ALTERNATIVE_NAMES = "2.5.29.17";
const KEY_PURPOSES = "2.5.29.37";
const SERVER = "1.3.6.1.5.5.7.3.1";
const CLIENT = "1.3.6.1.5.5.7.3.2";
const ANY = "2.5.29.37.0";

/**
 * Reads a certificate (RFC 5280, 4.1). It was verified by the engine or is about to be refused: nothing is verified here.
 *
 * @throws {RangeError} If it is no certificate.
 */
export function readTlsCertificate(raw: Uint8Array): TlsCertificateFacts {
  const [certificate] = readDer(raw);
  const [body, algorithm] = readDer(certificate?.content ?? raw);
  const fields = readDer(body?.content ?? raw);
  // The version is left out of version 1.
  if (fields[0]?.tag === 0xa0) fields.shift();
  const [serial, , issuer, validity, subject, publicKey] = fields;
  if (publicKey === undefined || algorithm === undefined) {
    throw new RangeError("Cannot read the certificate: it lacks fields");
  }
  const [notBefore, notAfter] = readDer(validity!.content);
  const extensions = readExtensions(fields);
  const purposes = readDer(
    readDer(extensions.get(KEY_PURPOSES) ?? new Uint8Array())[0]?.content ??
      new Uint8Array(),
  ).map(({ content }) => readObjectId(content));
  const allows = (purpose: string) =>
    !extensions.has(KEY_PURPOSES) || purposes.includes(purpose) ||
    purposes.includes(ANY);
  return {
    subject: readName(subject!),
    commonName: attributes(subject!).flat()
      .findLast(([type]) => type === "CN")?.[1],
    issuer: readName(issuer!),
    serialNumber: readSerial(serial!.content),
    names: readAlternativeNames(extensions.get(ALTERNATIVE_NAMES)),
    fingerprint: createHash("sha256").update(raw).digest("hex"),
    publicKeyPin: createHash("sha256").update(publicKey.whole).digest("base64"),
    notBefore: readTime(notBefore!),
    notAfter: readTime(notAfter!),
    raw,
    purposes: { server: allows(SERVER), client: allows(CLIENT) },
    rsaBits: readRsaBits(publicKey),
    isWeaklySigned: MD5_OR_SHA1.has(
      readObjectId(readDer(algorithm.content)[0]!.content),
    ),
  };
}

/** The certificates in PEM, in DER. */
export function pemCertificates(pem: string): Uint8Array[] {
  const blocks = pem.matchAll(
    /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g,
  );
  return [...blocks].map(([, base64 = ""]) =>
    Uint8Array.from(atob(base64.replaceAll(/\s/g, "")), (c) => c.charCodeAt(0))
  );
}

/** What the extensions hold, by their object identifiers. */
function readExtensions(fields: DerElement[]): Map<string, Uint8Array> {
  const wrapped = fields.find(({ tag }) => tag === 0xa3);
  const found = new Map<string, Uint8Array>();
  if (wrapped === undefined) return found;
  for (const { content } of readDer(readDer(wrapped.content)[0]!.content)) {
    const [id, ...rest] = readDer(content);
    const value = rest.at(-1);
    if (value !== undefined) {
      found.set(readObjectId(id!.content), value.content);
    }
  }
  return found;
}

function readSerial(content: Uint8Array): string {
  const digits = [...content].map((byte) => byte.toString(16).padStart(2, "0"));
  return digits.join("").toUpperCase().replace(/^(00)+(?=..)/, "");
}

/** Types and values of a distinguished name: those of one level together. */
function attributes({ content }: DerElement): [string, string][][] {
  return readDer(content).map((level) =>
    readDer(level.content).map((attribute) => {
      const [type, value] = readDer(attribute.content);
      const id = readObjectId(type!.content);
      return [ATTRIBUTES[id] ?? id, readText(value!)];
    })
  );
}

/** A distinguished name as RFC 4514 writes it: the last level first. */
function readName(name: DerElement): string {
  return attributes(name).toReversed().map((level) =>
    level.map(([type, value]) => `${type}=${escapeValue(value)}`).join("+")
  ).join(",");
}

function escapeValue(value: string): string {
  return value.replaceAll(/["+,;<>\\]/g, "\\$&").replaceAll("\0", "\\00")
    .replace(/^[ #]/, "\\$&").replace(/ $/, "\\ ");
}

/** The names in a `subjectAltName`, by kind (RFC 5280, 4.2.1.6). */
function readAlternativeNames(
  extension: Uint8Array | undefined,
): PeerCertificate["names"] {
  const [names] = extension === undefined ? [] : readDer(extension);
  const found = names === undefined ? [] : readDer(names.content);
  const ofKind = (kind: number) => found.filter(({ tag }) => tag === kind);
  return {
    dns: ofKind(0x82).map(readText),
    ip: ofKind(0x87).map(({ content }) => formatIp(content)),
    uri: ofKind(0x86).map(readText),
    email: ofKind(0x81).map(readText),
  };
}

function formatIp(content: Uint8Array): string {
  if (content.length === 4) return content.join(".");
  const groups = Array.from(
    { length: content.length / 2 },
    (_, at) => ((content[2 * at]! << 8) | content[2 * at + 1]!).toString(16),
  );
  return content.length === 16
    ? new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1)
    : groups.join(":");
}

function readRsaBits({ content }: DerElement): number | undefined {
  const [algorithm, key] = readDer(content);
  if (readObjectId(readDer(algorithm!.content)[0]!.content) !== RSA) {
    return undefined;
  }
  // The first byte of a bit string counts the bits at the end that are none.
  const [numbers] = readDer(key!.content.subarray(1));
  const [modulus] = readDer(numbers!.content);
  const from = modulus!.content.findIndex((byte) => byte !== 0);
  return (modulus!.content.length - from) * 8;
}
