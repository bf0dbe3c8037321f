/** Why a certificate is not trusted. */
export type CertificateFault =
  /** It is no certificate, or a damaged one. */
  | "unreadable"
  /** Its time is over. */
  | "expired"
  /** Its time has not come; mostly a clock is wrong. */
  | "not yet valid"
  /** It is for another name. */
  | "wrong name"
  /** It is for something else: a server's certificate shown by a client, for example. */
  | "wrong purpose"
  /** It vouches for itself, and nobody said to trust it. */
  | "self-signed"
  /** None of the trusted authorities has signed it or what it builds on. */
  | "unknown authority"
  /** It names a trusted authority that did not sign it. */
  | "forged"
  /** It was taken back by its authority. */
  | "revoked"
  /** It is on the deny list. */
  | "denied"
  /** The list of revoked certificates is out of date, or there is none of this authority. */
  | "no revocation list"
  /** RSA with less than 2,048 bits, or a curve that is not known as sound. */
  | "weak key"
  /** It is signed with MD5 or SHA-1. */
  | "weak signature"
  /** A certificate signed others without the right to, or an authority's own certificate is shown as a peer's. */
  | "misused authority"
  /** It has a critical extension that is not understood (RFC 5280, 4.2). */
  | "unknown extension";

/**
 * A certificate or a revocation list is not trusted, and why.
 *
 * @example Usage
 * ```ts
 * import { CertificateError } from "./certificate_error.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new CertificateError("expired", "CN=hub ended yesterday");
 * assertEquals(error.fault, "expired");
 * assertEquals(error.message, "Cannot trust the certificate: expired: CN=hub ended yesterday");
 * ```
 */
export class CertificateError extends Error {
  /** The name that stack traces show. */
  override readonly name = "CertificateError";
  /** Why. */
  readonly fault: CertificateFault;

  /** Creates the error; `detail` says what was found. */
  constructor(
    fault: CertificateFault,
    detail: string,
    options?: ErrorOptions,
  ) {
    super(`Cannot trust the certificate: ${fault}: ${detail}`, options);
    this.fault = fault;
  }
}

/** Runs what parses certificates; whatever it stumbles over is a damaged certificate. */
export async function readingCertificates<T>(
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof CertificateError) throw cause;
    throw new CertificateError("unreadable", "what it holds is damaged", {
      cause,
    });
  }
}
