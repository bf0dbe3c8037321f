import { createHash } from "node:crypto";
import type { PeerCertificate } from "../../io/peer_identity.ts";
import { readingCertificates } from "./certificate_error.ts";
import { pemBlocks } from "./pem.ts";
import { loadX509, type X509Library } from "./x509_library.ts";

type Certificate = InstanceType<X509Library["X509Certificate"]>;
type DistinguishedName = ReturnType<Certificate["subjectName"]["toJSON"]>;

const PURPOSES: Readonly<Record<string, string>> = {
  "1.3.6.1.5.5.7.3.1": "server",
  "1.3.6.1.5.5.7.3.2": "client",
  "1.3.6.1.5.5.7.3.3": "code",
  "1.3.6.1.5.5.7.3.4": "mail",
};

/**
 * Reads a certificate, PEM or DER; of a chain, the first one. It is not verified: {@linkcode verifyCertificate} does that.
 *
 * @throws {CertificateError} If it holds no certificate: `unreadable`.
 *
 * @example Usage
 * ```ts
 * import { createCa } from "./authority.ts";
 * import { readCertificate } from "./read_certificate.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const ca = await createCa();
 * const { certPem } = await ca.issue({ names: ["localhost", "::1"], purpose: "server" });
 * const certificate = await readCertificate(certPem);
 * assertEquals(certificate.subject, "CN=localhost");
 * assertEquals(certificate.names.ip, ["::1"]);
 * ```
 */
export async function readCertificate(
  pemOrDer: string | Uint8Array,
): Promise<PeerCertificate> {
  return await readingCertificates(async () => {
    const [certificate] = await parseCertificates(pemOrDer);
    return await describeCertificate(certificate!);
  });
}

/** What a certificate says beside what identifies its holder. */
export interface CertificateDetails extends PeerCertificate {
  /** Kind of its key: `ECDSA P-256`. */
  readonly key: string;
  /** How it is signed: `ECDSA SHA-256`. */
  readonly signature: string;
  /** What it is good for, such as `server` and `client`, or object identifiers; empty if it does not say. */
  readonly purposes: readonly string[];
  /** Whether it may sign others. */
  readonly authority: boolean;
}

/**
 * Reads every certificate of a file, PEM or DER, in order, with all that people look for in one.
 *
 * @throws {CertificateError} If it holds no certificate: `unreadable`.
 *
 * @example Usage
 * ```ts
 * import { createCa } from "./authority.ts";
 * import { inspectCertificates } from "./read_certificate.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const ca = await createCa({ algorithm: "ed25519" });
 * const [certificate] = await inspectCertificates(ca.certPem);
 * assertEquals([certificate?.key, certificate?.authority], ["Ed25519", true]);
 * ```
 */
export async function inspectCertificates(
  pemOrDer: string | Uint8Array,
): Promise<CertificateDetails[]> {
  const x509 = await loadX509();
  const details = async (certificate: Certificate) => ({
    ...await describeCertificate(certificate),
    key: formatAlgorithm(certificate.publicKey.algorithm),
    signature: formatAlgorithm(certificate.signatureAlgorithm),
    purposes: Array.from(
      certificate.getExtension(x509.ExtendedKeyUsageExtension)?.usages ?? [],
      (usage) => PURPOSES[String(usage)] ?? String(usage),
    ),
    authority:
      certificate.getExtension(x509.BasicConstraintsExtension)?.ca === true,
  });
  return await readingCertificates(async () =>
    Promise.all((await parseCertificates(pemOrDer)).map(details))
  );
}

/** An algorithm, and what makes it strong or weak. */
export function formatAlgorithm(algorithm: Algorithm): string {
  const { name, namedCurve, modulusLength, hash } = algorithm as
    & Algorithm
    & { namedCurve?: string; modulusLength?: number; hash?: Algorithm };
  return [name, namedCurve ?? modulusLength ?? hash?.name]
    .filter((part) => part !== undefined).join(" ");
}

/** The certificates of a file in their order: at least one. What is damaged throws any error. */
export async function parseCertificates(
  pemOrDer: string | Uint8Array,
): Promise<Certificate[]> {
  const { X509Certificate } = await loadX509();
  return pemBlocks(pemOrDer, "CERTIFICATE").map((block) =>
    new X509Certificate(block)
  );
}

/** What the suite tells of a certificate. */
export async function describeCertificate(
  certificate: Certificate,
): Promise<PeerCertificate> {
  const { SubjectAlternativeNameExtension } = await loadX509();
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names
    .items ?? [];
  const raw = new Uint8Array(certificate.rawData);
  const ofType = (type: string) =>
    names.filter((name) => name.type === type).map(({ value }) => value);
  return {
    subject: formatName(certificate.subjectName.toJSON()),
    commonName: certificate.subjectName.getField("CN").at(-1),
    issuer: formatName(certificate.issuerName.toJSON()),
    serialNumber: normalizeSerial(certificate.serialNumber),
    names: {
      dns: ofType("dns"),
      ip: ofType("ip"),
      uri: ofType("url"),
      email: ofType("email"),
    },
    fingerprint: createHash("sha256").update(raw).digest("hex"),
    publicKeyPin: createHash("sha256")
      .update(new Uint8Array(certificate.publicKey.rawData)).digest("base64"),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    raw,
  };
}

/** A serial number as the suite writes it: whole bytes in upper case, without separators and zero bytes at the left. */
export function normalizeSerial(serialNumber: string): string {
  const digits = serialNumber.replaceAll(/[\s:]/g, "").toUpperCase();
  const bytes = digits.length % 2 === 0 ? digits : `0${digits}`;
  return bytes.replace(/^(00)+(?=..)/, "");
}

/** A distinguished name as RFC 4514 writes it: the part that was written last comes first. */
export function formatName(name: DistinguishedName): string {
  return name.toReversed().map((part) =>
    Object.entries(part).flatMap(([type, values]) =>
      values.map((value) => `${type}=${escapeValue(value)}`)
    ).join("+")
  ).join(",");
}

function escapeValue(value: string): string {
  return value.replaceAll(/["+,;<>\\]/g, "\\$&").replaceAll("\0", "\\00")
    .replace(/^[ #]/, "\\$&").replace(/ $/, "\\ ");
}
