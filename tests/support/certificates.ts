/**
 * Certificates that no authority of ours would sign.
 *
 * @module
 */

import "npm:reflect-metadata@0.2.2";
import * as x509 from "npm:@peculiar/x509@2.2.0";

export { x509 };

/** A certificate with its keys, which signs others whether it may or not. */
export interface Signed {
  pem: string;
  certificate: x509.X509Certificate;
  keys: CryptoKeyPair;
}

/** What to put in. */
export interface SignOptions {
  subject: string;
  /** Who signs; by default the certificate itself. */
  by?: Signed;
  keys?: CryptoKeyPair;
  /** Hash of the signature. */
  hash?: string;
  extensions?: x509.Extension[];
  notBefore?: Date;
  notAfter?: Date;
}

/** Signs whatever is asked for. */
export async function sign(options: SignOptions): Promise<Signed> {
  const keys = options.keys ?? await ecKeys();
  const { subject, by } = options;
  const signer = by?.keys ?? keys;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: "4a01",
    subject,
    issuer: by?.certificate.subject ?? subject,
    notBefore: options.notBefore ?? new Date(Date.now() - 60_000),
    notAfter: options.notAfter ?? new Date(Date.now() + 86_400_000),
    publicKey: keys.publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: {
      ...signer.privateKey.algorithm,
      hash: options.hash ?? "SHA-256",
    },
    extensions: options.extensions ?? [],
  });
  return { pem: certificate.toString("pem") + "\n", certificate, keys };
}

/** Makes an authority, with any number of further authorities below it. */
export function signAuthority(
  options: SignOptions & { pathLength?: number },
): Promise<Signed> {
  return sign({
    ...options,
    extensions: [
      new x509.BasicConstraintsExtension(true, options.pathLength, true),
      ...options.extensions ?? [],
    ],
  });
}

export async function ecKeys(): Promise<CryptoKeyPair> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  return await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

export async function rsaKeys(
  modulusLength: number,
  hash: string,
): Promise<CryptoKeyPair> {
  const algorithm = {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength,
    hash,
    publicExponent: new Uint8Array([1, 0, 1]),
  };
  return await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}
