import { createPrivateKey, X509Certificate } from "node:crypto";
import { CertificateError } from "./certificate_error.ts";
import { encodePem } from "./pem.ts";

/** Kinds of keys that certificates are made with. */
export type KeyAlgorithm =
  /** ECDSA on the curve P-256: small, fast, and every program knows it. */
  | "ecdsa-p256"
  /** ECDSA on the curve P-384. */
  | "ecdsa-p384"
  /** Ed25519 (RFC 8410): browsers refuse it in certificates. */
  | "ed25519"
  /** RSA with 3,072 bits, for programs that know nothing newer. */
  | "rsa-3072"
  /** RSA with 4,096 bits. */
  | "rsa-4096";

/** Every kind of key that certificates are made with. */
export const KEY_ALGORITHMS: readonly KeyAlgorithm[] = [
  "ecdsa-p256",
  "ecdsa-p384",
  "ed25519",
  "rsa-3072",
  "rsa-4096",
];

function rsa(modulusLength: number): RsaHashedKeyGenParams {
  return {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength,
    publicExponent: new Uint8Array([1, 0, 1]),
  };
}

const GENERATED: Readonly<
  Record<KeyAlgorithm, Algorithm | EcKeyGenParams | RsaHashedKeyGenParams>
> = {
  "ecdsa-p256": { name: "ECDSA", namedCurve: "P-256" } as EcKeyGenParams,
  "ecdsa-p384": { name: "ECDSA", namedCurve: "P-384" } as EcKeyGenParams,
  "ed25519": { name: "Ed25519" },
  "rsa-3072": rsa(3072),
  "rsa-4096": rsa(4096),
};

/** Makes a pair of keys that can be written to files. */
export async function generateKeys(
  algorithm: KeyAlgorithm,
): Promise<CryptoKeyPair> {
  const keys = await crypto.subtle.generateKey(GENERATED[algorithm], true, [
    "sign",
    "verify",
  ]);
  return keys as CryptoKeyPair;
}

/** What a signature with `key` is made with: a hash as strong as the key. */
export function signatureOf(key: CryptoKey): Algorithm | EcdsaParams {
  const { name, namedCurve } = key.algorithm as EcKeyAlgorithm;
  if (name !== "ECDSA") return key.algorithm;
  return { name, hash: namedCurve === "P-384" ? "SHA-384" : "SHA-256" };
}

/** Reads a private key in any form that PEM has (PKCS #8, SEC 1, PKCS #1), for signing. */
export async function importPrivateKey(pem: string): Promise<CryptoKey> {
  const key = createPrivateKey(pem);
  const der = key.export({ format: "der", type: "pkcs8" });
  return await crypto.subtle.importKey(
    "pkcs8",
    new Uint8Array(der),
    importParams(key.asymmetricKeyType, key.asymmetricKeyDetails?.namedCurve),
    true,
    ["sign"],
  );
}

function importParams(
  type: string | undefined,
  curve: string | undefined,
): Algorithm | EcKeyImportParams | RsaHashedImportParams {
  if (type === "ed25519") return { name: "Ed25519" };
  if (type === "rsa") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  if (curve === "prime256v1" || curve === "P-256") {
    return { name: "ECDSA", namedCurve: "P-256" };
  }
  if (curve === "secp384r1" || curve === "P-384") {
    return { name: "ECDSA", namedCurve: "P-384" };
  }
  throw new RangeError(
    `Cannot sign with this key as it must be P-256, P-384, Ed25519 or RSA: current value is ${
      curve ?? type
    }`,
  );
}

/** Writes a private key as PEM (PKCS #8). */
export async function exportPrivateKey(key: CryptoKey): Promise<string> {
  const der = await crypto.subtle.exportKey("pkcs8", key);
  return encodePem("PRIVATE KEY", der);
}

/**
 * Tells whether a private key belongs to a certificate, both in PEM; of a chain, to the first one.
 *
 * @throws {TypeError} If the key is damaged or encrypted.
 * @throws {CertificateError} If the certificate is unreadable.
 *
 * @example Usage
 * ```ts
 * import { createCa } from "./authority.ts";
 * import { isKeyOf } from "./certificate_key.ts";
 * import { assert, assertFalse } from "@std/assert";
 *
 * const [one, other] = [await createCa(), await createCa()];
 * assert(isKeyOf(one.keyPem, one.certPem));
 * assertFalse(isKeyOf(other.keyPem, one.certPem));
 * ```
 */
export function isKeyOf(keyPem: string, certPem: string): boolean {
  let key: ReturnType<typeof createPrivateKey>;
  try {
    key = createPrivateKey(keyPem);
  } catch (cause) {
    throw new TypeError(
      "Cannot read the private key: it is no unencrypted key in PEM",
      { cause },
    );
  }
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(certPem);
  } catch (cause) {
    throw new CertificateError("unreadable", "what it holds is damaged", {
      cause,
    });
  }
  return certificate.checkPrivateKey(key);
}
