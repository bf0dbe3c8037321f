import type { CertificatePurpose } from "./authority.ts";
import type { X509Library } from "./x509_library.ts";

type Certificate = InstanceType<X509Library["X509Certificate"]>;
type DistinguishedName = InstanceType<X509Library["Name"]>;
type Extension = InstanceType<X509Library["Extension"]>;

/** A day in milliseconds. */
export const DAY_MS = 86_400_000;
/** Most characters that a subject's parts may have (RFC 5280, appendix A.1). */
export const MAX_COMMON_NAME_CHARACTERS = 64;

/** 158 random bits that read as a positive number of 20 bytes, the most that is allowed (RFC 5280, 4.1.2.2). */
export function randomSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(20));
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toHex();
}

export function checkValidMs(validMs: number): void {
  if (!(validMs > 0 && validMs <= 100 * 366 * DAY_MS)) {
    throw new RangeError(
      `Cannot issue a certificate as 'validMs' must be above 0 and at most 100 years: current value is ${validMs}`,
    );
  }
}

/** A distinguished name, from the general to the special. */
export function subjectOf(
  { Name }: X509Library,
  commonName: string,
  organization = "",
): DistinguishedName {
  for (const value of [commonName, organization]) {
    if (value.length > MAX_COMMON_NAME_CHARACTERS || /\p{Cc}/u.test(value)) {
      throw new TypeError(
        `Cannot use a subject of more than ${MAX_COMMON_NAME_CHARACTERS} characters or with control characters: current value is ${
          JSON.stringify(value)
        }`,
      );
    }
  }
  // A plain string would be parsed for quotes and escapes.
  return new Name([
    ...(organization === "" ? [] : [{ O: [{ utf8String: organization }] }]),
    ...(commonName === "" ? [] : [{ CN: [{ utf8String: commonName }] }]),
  ]);
}

export function keyUsages(
  { ExtendedKeyUsage }: X509Library,
  purpose: CertificatePurpose,
): string[] {
  const { serverAuth, clientAuth } = ExtendedKeyUsage;
  if (purpose === "peer") return [serverAuth, clientAuth];
  return [purpose === "server" ? serverAuth : clientAuth];
}

/** Names the authority's key as its own certificate does, whichever way that was made. */
export async function authorityKeyIdentifier(
  x509: X509Library,
  authority: Certificate,
): Promise<Extension> {
  const own = authority.getExtension(x509.SubjectKeyIdentifierExtension);
  return own === null
    ? await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey)
    : new x509.AuthorityKeyIdentifierExtension(own.keyId);
}
