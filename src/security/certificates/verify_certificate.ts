import type { PeerCertificate } from "../../io/peer_identity.ts";
import type { CertificatePurpose } from "./authority.ts";
import { CertificateError, readingCertificates } from "./certificate_error.ts";
import {
  matchesCertificateName,
  parseCertificateName,
} from "./certificate_names.ts";
import { buildPath } from "./certificate_path.ts";
import {
  describeCertificate,
  formatAlgorithm,
  parseCertificates,
} from "./read_certificate.ts";
import type { RevocationList } from "./revocation_list.ts";
import { loadX509, type X509Library } from "./x509_library.ts";

type Certificate = InstanceType<X509Library["X509Certificate"]>;

const MIN_RSA_BITS = 2048;
const SOUND_CURVES: readonly string[] = ["P-256", "P-384", "P-521"];
const ANY_PURPOSE = "2.5.29.37.0";
/** Basic constraints, usages, names, key identifiers; policies, which nobody asks for here. */
const KNOWN_EXTENSIONS: readonly string[] = [
  "2.5.29.14",
  "2.5.29.15",
  "2.5.29.17",
  "2.5.29.19",
  "2.5.29.32",
  "2.5.29.35",
  "2.5.29.37",
];
const NAME_CONSTRAINTS = "2.5.29.30";

/** Options of {@linkcode verifyCertificate}. */
export interface VerifyCertificateOptions {
  /** The authorities to trust, PEM or DER. */
  readonly ca: string | Uint8Array;
  /** The name that was dialled. Left out for clients, whose names say who they are. */
  readonly name?: string | undefined;
  /** What it is used for; left out, for anything. */
  readonly purpose?: CertificatePurpose | undefined;
  /** The time, in milliseconds since 1970. @default {Date.now()} */
  readonly nowMs?: number | undefined;
  /** Lists of revoked certificates. With any, there must be one of the authority that signed the certificate. */
  readonly revocationLists?: readonly RevocationList[] | undefined;
  /** Serial numbers, fingerprints or public key pins of those not to trust whoever signed them. */
  readonly denied?: ReadonlySet<string> | undefined;
}

/**
 * Verifies a certificate as a TLS peer does (RFC 5280, 6; RFC 9525), and returns what it says. `pemOrDer` may be a
 * chain: the certificate, then what leads to a trusted authority.
 *
 * @throws {CertificateError} If it is not to be trusted: `fault` says why.
 * @throws {TypeError} If `name` is no name.
 *
 * @example Usage
 * ```ts
 * import { createCa } from "./authority.ts";
 * import { CertificateError, readingCertificates } from "./certificate_error.ts";
 * import { verifyCertificate } from "./verify_certificate.ts";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const ca = await createCa();
 * const { certPem } = await ca.issue({ names: ["localhost"], purpose: "server" });
 * const options = { ca: ca.certPem, purpose: "server" } as const;
 * await verifyCertificate(certPem, { ...options, name: "localhost" });
 * const error = await assertRejects(
 *   () => verifyCertificate(certPem, { ...options, name: "example.org" }),
 *   CertificateError,
 * );
 * assertEquals(error.fault, "wrong name");
 * ```
 */
export async function verifyCertificate(
  pemOrDer: string | Uint8Array,
  options: VerifyCertificateOptions,
): Promise<PeerCertificate> {
  // The caller's mistake is no fault of the certificate.
  if (options.name !== undefined) parseCertificateName(options.name);
  return await readingCertificates(() => verify(pemOrDer, options));
}

async function verify(
  pemOrDer: string | Uint8Array,
  options: VerifyCertificateOptions,
): Promise<PeerCertificate> {
  const nowMs = options.nowMs ?? Date.now();
  const x509 = await loadX509();
  const [leaf, ...between] = await parseCertificates(pemOrDer);
  const described = await describeCertificate(leaf!);
  checkDenied(described, options.denied);
  const path = await buildPath(
    leaf!,
    between,
    await parseCertificates(options.ca),
  );
  path.forEach((certificate, depth) => {
    checkKey(certificate);
    checkExtensions(certificate);
    checkRole(x509, certificate, depth);
    checkTime(certificate, nowMs);
    if (options.purpose !== undefined) {
      checkPurpose(x509, certificate, options.purpose, depth);
    }
  });
  checkRevoked(described, options.revocationLists ?? [], nowMs);
  if (
    options.name !== undefined &&
    !matchesCertificateName(described.names, options.name)
  ) {
    const { dns, ip, uri, email } = described.names;
    const names = [...dns, ...ip, ...uri, ...email].join(", ");
    throw new CertificateError(
      "wrong name",
      `it is for ${names || "no name"} and not for ${options.name}`,
    );
  }
  return described;
}

function checkDenied(
  { serialNumber, fingerprint, publicKeyPin, subject }: PeerCertificate,
  denied: ReadonlySet<string> | undefined,
): void {
  const found = [serialNumber, fingerprint, publicKeyPin].find((id) =>
    denied?.has(id)
  );
  if (found !== undefined) {
    throw new CertificateError(
      "denied",
      `${subject} is on the deny list as ${found}`,
    );
  }
}

function checkKey({ publicKey, subject }: Certificate): void {
  const { name, namedCurve, modulusLength } = publicKey
    .algorithm as Partial<EcKeyAlgorithm & RsaKeyAlgorithm>;
  const isSound = modulusLength === undefined
    ? name === "Ed25519" || SOUND_CURVES.includes(namedCurve ?? "")
    : modulusLength >= MIN_RSA_BITS;
  if (isSound) return;
  throw new CertificateError(
    "weak key",
    `${subject} has ${formatAlgorithm(publicKey.algorithm)}`,
  );
}

function checkExtensions({ extensions, subject }: Certificate): void {
  const strange = extensions.find(({ type, critical }) =>
    type === NAME_CONSTRAINTS || critical && !KNOWN_EXTENSIONS.includes(type)
  );
  if (strange === undefined) return;
  throw new CertificateError(
    "unknown extension",
    `${subject} has ${strange.type}`,
  );
}

/** The first of a path must not be an authority, the others must, and may allow but few below them. */
function checkRole(
  { BasicConstraintsExtension, KeyUsagesExtension, KeyUsageFlags }: X509Library,
  certificate: Certificate,
  depth: number,
): void {
  const constraints = certificate.getExtension(BasicConstraintsExtension);
  const usages = certificate.getExtension(KeyUsagesExtension)?.usages;
  const { subject } = certificate;
  if (depth === 0) {
    if (constraints?.ca !== true) return;
    throw new CertificateError(
      "misused authority",
      `${subject} is an authority and no peer`,
    );
  }
  const maySign = constraints?.ca === true &&
    (usages === undefined || (usages & KeyUsageFlags.keyCertSign) !== 0);
  if (!maySign) {
    throw new CertificateError(
      "misused authority",
      `${subject} may not sign others`,
    );
  }
  if (depth - 1 > (constraints.pathLength ?? Infinity)) {
    throw new CertificateError(
      "misused authority",
      `${subject} may not sign further authorities`,
    );
  }
}

function checkTime(
  { notBefore, notAfter, subject }: Certificate,
  nowMs: number,
): void {
  if (nowMs < notBefore.getTime()) {
    throw new CertificateError(
      "not yet valid",
      `${subject} begins ${notBefore.toISOString()}`,
    );
  }
  if (nowMs > notAfter.getTime()) {
    throw new CertificateError(
      "expired",
      `${subject} ended ${notAfter.toISOString()}`,
    );
  }
}

function checkPurpose(
  x509: X509Library,
  certificate: Certificate,
  purpose: CertificatePurpose,
  depth: number,
): void {
  const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
  const allowed = certificate.getExtension(x509.ExtendedKeyUsageExtension)
    ?.usages.map(String);
  const allows = (usage: string) =>
    allowed === undefined || allowed.includes(usage) ||
    allowed.includes(ANY_PURPOSE);
  const usages = certificate.getExtension(x509.KeyUsagesExtension)?.usages;
  const signs = depth > 0 || usages === undefined ||
    (usages & x509.KeyUsageFlags.digitalSignature) !== 0;
  const isGood = signs && (purpose === "server" || allows(clientAuth)) &&
    (purpose === "client" || allows(serverAuth));
  if (isGood) return;
  throw new CertificateError(
    "wrong purpose",
    `${certificate.subject} is no certificate of a ${purpose}`,
  );
}

function checkRevoked(
  { issuer, serialNumber, subject }: PeerCertificate,
  lists: readonly RevocationList[],
  nowMs: number,
): void {
  if (lists.length === 0) return;
  const own = lists.filter((list) => list.issuer === issuer);
  if (own.some((list) => list.serialNumbers.has(serialNumber))) {
    throw new CertificateError(
      "revoked",
      `${subject} with serial number ${serialNumber} was taken back`,
    );
  }
  const isCurrent = own.some(({ thisUpdate, nextUpdate }) =>
    thisUpdate.getTime() <= nowMs &&
    nowMs <= (nextUpdate?.getTime() ?? Infinity)
  );
  if (isCurrent) return;
  const ended = own[0]?.nextUpdate?.toISOString();
  throw new CertificateError(
    "no revocation list",
    ended === undefined
      ? `there is none of ${issuer}`
      : `the one of ${issuer} counts until ${ended}`,
  );
}
