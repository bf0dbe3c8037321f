import { CertificateError } from "./certificate_error.ts";
import { formatAlgorithm } from "./read_certificate.ts";
import type { X509Library } from "./x509_library.ts";

type Certificate = InstanceType<X509Library["X509Certificate"]>;

/** Most certificates from a peer's to the root's. */
const MAX_PATH = 8;
const SOUND_HASHES: readonly string[] = ["SHA-256", "SHA-384", "SHA-512"];

/** The certificate, those that lead to a trusted authority, and that authority; each is signed by the next. */
export async function buildPath(
  leaf: Certificate,
  sent: readonly Certificate[],
  trusted: readonly Certificate[],
): Promise<Certificate[]> {
  const between = sent.slice(0, MAX_PATH);
  const path = [leaf];
  while (path.length <= MAX_PATH) {
    const last = path.at(-1)!;
    if (trusted.some((anchor) => anchor.equal(last))) return path;
    const signer = await findSigner(last, trusted) ??
      await findSigner(last, between.filter((other) => !path.includes(other)));
    if (signer === undefined) throw noSigner(last, [...trusted, ...between]);
    path.push(signer);
  }
  throw new CertificateError(
    "unknown authority",
    `there are more than ${MAX_PATH} certificates between ${leaf.subject} and a trusted authority`,
  );
}

async function findSigner(
  certificate: Certificate,
  candidates: readonly Certificate[],
): Promise<Certificate | undefined> {
  for (const candidate of candidates) {
    if (candidate.subject !== certificate.issuer) continue;
    checkSignature(certificate);
    if (await isSignedBy(certificate, candidate)) return candidate;
  }
}

async function isSignedBy(
  certificate: Certificate,
  { publicKey }: Certificate,
): Promise<boolean> {
  try {
    return await certificate.verify({ publicKey, signatureOnly: true });
  } catch {
    // A key of another kind than the signature.
    return false;
  }
}

function noSigner(
  certificate: Certificate,
  candidates: readonly Certificate[],
): CertificateError {
  const { subject, issuer } = certificate;
  if (subject === issuer) {
    return new CertificateError("self-signed", `${subject} vouches for itself`);
  }
  return candidates.some((candidate) => candidate.subject === issuer)
    ? new CertificateError("forged", `${issuer} has not signed ${subject}`)
    : new CertificateError(
      "unknown authority",
      `${subject} is signed by ${issuer}`,
    );
}

function checkSignature({ signatureAlgorithm, subject }: Certificate): void {
  const { name, hash } = signatureAlgorithm as Algorithm & { hash?: Algorithm };
  if (name === "Ed25519" || SOUND_HASHES.includes(hash?.name ?? "")) return;
  throw new CertificateError(
    "weak signature",
    `${subject} is signed with ${formatAlgorithm(signatureAlgorithm)}`,
  );
}
