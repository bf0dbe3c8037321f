import { DAY_MS } from "./certificate_fields.ts";
import { CertificateError, readingCertificates } from "./certificate_error.ts";
import { signatureOf } from "./certificate_key.ts";
import {
  formatName,
  normalizeSerial,
  parseCertificates,
} from "./read_certificate.ts";
import { encodePem, pemBlocks } from "./pem.ts";
import { loadX509, type X509Library } from "./x509_library.ts";

type Extension = InstanceType<X509Library["Extension"]>;

const CRL_NUMBER = "2.5.29.20";
const ISSUING_DISTRIBUTION_POINT = "2.5.29.28";
const AUTHORITY_KEY_IDENTIFIER = "2.5.29.35";

/** Why a certificate was taken back (RFC 5280, 5.3.1). */
export type RevocationReason =
  | "unspecified"
  | "keyCompromise"
  | "affiliationChanged"
  | "superseded"
  | "cessationOfOperation";

/** Every reason for which a certificate is taken back. */
export const REVOCATION_REASONS: readonly RevocationReason[] = [
  "unspecified",
  "keyCompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
];

/** A certificate that is taken back. */
export interface RevokedCertificate {
  /** Its serial number in hexadecimal. */
  readonly serialNumber: string;
  /** When it was taken back, in milliseconds since 1970; by default with this list. */
  readonly revokedAtMs?: number | undefined;
  /** Why. @default {"unspecified"} */
  readonly reason?: RevocationReason | undefined;
}

/** Options of {@linkcode Authority.createRevocationList}. */
export interface CreateRevocationListOptions {
  /** How long the list counts, in milliseconds: there must be a new one by then. @default {7_776_000_000} */
  validMs?: number | undefined;
  /** The time, in milliseconds since 1970; also the list's number, so that a later list has a higher one. @default {Date.now()} */
  nowMs?: number | undefined;
}

/** A list of revoked certificates whose signature was verified. */
export interface RevocationList {
  /** Distinguished name of the authority. */
  readonly issuer: string;
  /** When it was signed. */
  readonly thisUpdate: Date;
  /** Until when it counts; undefined if it does not say. */
  readonly nextUpdate: Date | undefined;
  /** Serial numbers of the revoked certificates, as {@linkcode PeerCertificate} writes them. */
  readonly serialNumbers: ReadonlySet<string>;
}

/** What {@linkcode signRevocationList} needs of the authority. */
interface Signer {
  nowMs: number;
  issuer: InstanceType<X509Library["Name"]>;
  key: CryptoKey;
  keyIdentifier: Extension;
}

/** Makes and signs a list; for {@linkcode Authority}. */
export async function signRevocationList(
  revoked: readonly RevokedCertificate[],
  options: CreateRevocationListOptions & Signer,
): Promise<string> {
  const { nowMs, validMs = 90 * DAY_MS, key } = options;
  const { Extension, X509CrlGenerator, X509CrlReason } = await loadX509();
  const entries = revoked.map((entry) => {
    if (!/^[\dA-F]{2,40}$/.test(normalizeSerial(entry.serialNumber))) {
      throw new TypeError(
        `Cannot revoke a serial number that is not 1 to 20 bytes in hexadecimal: current value is ${
          JSON.stringify(entry.serialNumber)
        }`,
      );
    }
    const { revokedAtMs = nowMs, reason = "unspecified" } = entry;
    return {
      serialNumber: integerHex(normalizeSerial(entry.serialNumber)),
      revocationDate: new Date(revokedAtMs),
      // The entry shall be absent rather than say nothing (RFC 5280, 5.3.1).
      ...(reason === "unspecified" ? {} : { reason: X509CrlReason[reason] }),
    };
  });
  const crl = await X509CrlGenerator.create({
    issuer: options.issuer,
    thisUpdate: new Date(nowMs),
    nextUpdate: new Date(nowMs + validMs),
    // No list is written where it would be empty (RFC 5280, 5.1.2.6).
    ...(entries.length === 0 ? {} : { entries }),
    extensions: [
      options.keyIdentifier,
      new Extension(CRL_NUMBER, false, derInteger(Math.floor(nowMs))),
    ],
    signingAlgorithm: signatureOf(key),
    signingKey: key,
  });
  return encodePem("X509 CRL", crl.rawData);
}

/**
 * Reads a list of revoked certificates, PEM or DER, and verifies that the authority has signed it. Whether it is out of
 * date is decided when it is used.
 *
 * @throws {CertificateError} If it is unreadable, or of none of the authorities in `ca`.
 *
 * @example Usage
 * ```ts
 * import { createCa } from "./authority.ts";
 * import { readRevocationList } from "./revocation_list.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const ca = await createCa();
 * const pem = await ca.createRevocationList([{ serialNumber: "2A" }]);
 * const list = await readRevocationList(pem, ca.certPem);
 * assertEquals([...list.serialNumbers], ["2A"]);
 * ```
 */
export async function readRevocationList(
  pemOrDer: string | Uint8Array,
  ca: string | Uint8Array,
): Promise<RevocationList> {
  return await readingCertificates(() => readList(pemOrDer, ca));
}

async function readList(
  pemOrDer: string | Uint8Array,
  ca: string | Uint8Array,
): Promise<RevocationList> {
  const { X509Crl } = await loadX509();
  const [der] = pemBlocks(pemOrDer, "X509 CRL");
  const crl = new X509Crl(der!);
  const issuer = formatName(crl.issuerName.toJSON());
  const authorities = (await parseCertificates(ca)).filter((authority) =>
    formatName(authority.subjectName.toJSON()) === issuer
  );
  if (authorities.length === 0) {
    throw new CertificateError(
      "unknown authority",
      `the revocation list is of ${issuer}`,
    );
  }
  // A list for a part of the certificates alone would pass for the whole one.
  const strange = crl.extensions.find(({ critical, type }) =>
    critical && type !== AUTHORITY_KEY_IDENTIFIER ||
    type === ISSUING_DISTRIBUTION_POINT
  );
  if (strange !== undefined) {
    throw new CertificateError(
      "unknown extension",
      `the revocation list has ${strange.type}`,
    );
  }
  for (const authority of authorities) {
    const publicKey = await authority.publicKey.export().catch(() => undefined);
    if (publicKey === undefined || !await isSigned(crl, publicKey)) continue;
    return {
      issuer,
      thisUpdate: crl.thisUpdate,
      nextUpdate: crl.nextUpdate,
      serialNumbers: new Set(
        crl.entries.map(({ serialNumber }) => normalizeSerial(serialNumber)),
      ),
    };
  }
  throw new CertificateError(
    "forged",
    `${issuer} has not signed this revocation list`,
  );
}

async function isSigned(
  crl: InstanceType<X509Library["X509Crl"]>,
  publicKey: CryptoKey,
): Promise<boolean> {
  try {
    return await crl.verify({ publicKey });
  } catch {
    // A key of another kind than the signature.
    return false;
  }
}

/** A positive number in DER has a zero byte before a set highest bit. */
function integerHex(hex: string): string {
  return /^[89A-F]/.test(hex) ? `00${hex}` : hex;
}

function derInteger(value: number): Uint8Array<ArrayBuffer> {
  const hex = value.toString(16);
  const bytes = Uint8Array.fromHex(
    integerHex((hex.length % 2 === 0 ? hex : `0${hex}`).toUpperCase()),
  );
  return new Uint8Array([0x02, bytes.length, ...bytes]);
}
