import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  sign,
  timingSafeEqual,
  verify,
} from "node:crypto";

/** Signs the checkpoints of an audit log. */
export interface CheckpointKey {
  /** How. */
  readonly algorithm: "hmac-sha256" | "ed25519";
  /** The signature of a text, in base64. */
  sign(text: string): string;
}

/** Tells whether a checkpoint was signed by the key. */
export type CheckpointVerifier = (text: string, signature: string) => boolean;

/** The least bytes of a secret for checkpoints. */
export const MIN_CHECKPOINT_SECRET_BYTES = 32;

/**
 * Signs checkpoints: with an Ed25519 private key if `key` is one in PEM, else by HMAC-SHA256 with `key` as the secret.
 * Only the first can be verified without being able to sign.
 *
 * @throws {TypeError} If the key is of another kind, or the secret is shorter than 32 bytes.
 *
 * @example Usage
 * ```ts
 * import { checkpointKey, checkpointVerifier } from "./checkpoint.ts";
 * import { assert } from "@std/assert";
 *
 * const secret = "0123456789abcdef0123456789abcdef";
 * const signature = checkpointKey(secret).sign("records 1 to 7");
 * assert(checkpointVerifier(secret)("records 1 to 7", signature));
 * assert(!checkpointVerifier(secret)("records 1 to 6", signature));
 * ```
 */
export function checkpointKey(key: string): CheckpointKey {
  if (isPem(key)) {
    const privateKey = read(key, createPrivateKey);
    return {
      algorithm: "ed25519",
      sign: (text) => sign(null, utf8(text), privateKey).toString("base64"),
    };
  }
  const secret = secretOf(key);
  return {
    algorithm: "hmac-sha256",
    sign: (text) => createHmac("sha256", secret).update(text).digest("base64"),
  };
}

/**
 * Verifies checkpoints: with an Ed25519 public or private key in PEM, or with the secret of the HMAC.
 *
 * @throws {TypeError} If the key is of another kind, or the secret is shorter than 32 bytes.
 *
 * @example Usage
 * ```ts
 * import { checkpointVerifier } from "./checkpoint.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const verify = checkpointVerifier("0123456789abcdef0123456789abcdef");
 * assertEquals(verify("records 1 to 7", "no signature"), false);
 * ```
 */
export function checkpointVerifier(key: string): CheckpointVerifier {
  if (isPem(key)) {
    const publicKey = read(key, createPublicKey);
    return (text, signature) =>
      verify(null, utf8(text), publicKey, base64(signature));
  }
  const signer = checkpointKey(key);
  return (text, signature) => {
    const expected = base64(signer.sign(text));
    const given = base64(signature);
    return expected.length === given.length && timingSafeEqual(expected, given);
  };
}

function isPem(key: string): boolean {
  return key.includes("-----BEGIN");
}

function read<Key extends { asymmetricKeyType?: string | undefined }>(
  pem: string,
  create: (pem: string) => Key,
): Key {
  let key: Key;
  try {
    key = create(pem);
  } catch (cause) {
    throw new TypeError(
      "Cannot use the key for checkpoints: its PEM is broken",
      {
        cause,
      },
    );
  }
  if (key.asymmetricKeyType === "ed25519") return key;
  throw new TypeError(
    `Cannot use the key for checkpoints: it must be Ed25519: current value is ${key.asymmetricKeyType}`,
  );
}

function secretOf(key: string): Uint8Array {
  const secret = utf8(key.trim());
  if (secret.length >= MIN_CHECKPOINT_SECRET_BYTES) return secret;
  throw new TypeError(
    `Cannot use the secret for checkpoints: it must have ${MIN_CHECKPOINT_SECRET_BYTES} bytes: current length is ${secret.length}`,
  );
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function base64(text: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return new Uint8Array(0);
  }
}
