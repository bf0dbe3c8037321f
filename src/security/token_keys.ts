import {
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from "npm:jose@6.2.17";
import { entriesOf, JsonFile } from "./json_file.ts";

/** How a token is signed: Ed25519 (RFC 8037) or ECDSA on P-256 with SHA-256 (RFC 7518). */
export type TokenAlgorithm = "EdDSA" | "ES256";

/** A key that tokens are verified with, and perhaps signed. */
export interface TokenKey {
  /** What the header of a token calls it. */
  readonly kid: string;
  /** The one algorithm that it is for. */
  readonly algorithm: TokenAlgorithm;
  /** What verifies. */
  readonly publicKey: CryptoKey;
  /** What signs; undefined where others sign. */
  readonly privateKey: CryptoKey | undefined;
}

/** The keys of an issuer. The first one that can sign does; all of them verify, so that keys can be rotated. */
export interface TokenKeys {
  /** The keys of this moment. */
  read(): Promise<readonly TokenKey[]>;
}

/** Options of {@linkcode tokenKeysFile}. */
export interface TokenKeysFileOptions {
  /** Called once for each state of the file that cannot be used; the last good keys stay in use. */
  onFault?: (error: Error) => void;
}

/** Keys of one set; more are a fault. */
const MAX_KEYS = 100;

/**
 * Keys from a JSON Web Key Set (RFC 7517) in a file, which is read again when it has changed.
 *
 * @throws {Error} If the file cannot be read, has a key that is not for EdDSA or ES256, or holds private keys while
 * everybody may read it.
 *
 * @example
 * ```ts
 * import { createTokenKey, tokenKeysFile } from "./token_keys.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile({ prefix: "portolan-" });
 * const key = await createTokenKey("EdDSA");
 * await Deno.writeTextFile(path, JSON.stringify({ keys: [key] }));
 * const keys = await tokenKeysFile(path);
 * assertEquals((await keys.read())[0]?.kid, key.kid);
 * await Deno.remove(path);
 * ```
 */
export async function tokenKeysFile(
  path: string,
  options: TokenKeysFileOptions = {},
): Promise<TokenKeys> {
  const file = await JsonFile.open(path, {
    ...options,
    parse: checkJwks,
    format: (keys) => ({ keys }),
    secret: isPrivate,
  });
  let from: readonly JWK[] = [];
  let keys: Promise<readonly TokenKey[]> = Promise.resolve([]);
  const read = async (): Promise<readonly TokenKey[]> => {
    const jwks = await file.read();
    if (jwks !== from) {
      from = jwks;
      const before = keys;
      keys = importKeys(jwks).catch((error) => {
        options.onFault?.(error);
        return before;
      });
    }
    return await keys;
  };
  from = await file.read();
  const first = await importKeys(from);
  keys = Promise.resolve(first);
  return { read };
}

/**
 * Keys from a JSON Web Key Set that does not change.
 *
 * @throws {TypeError} If a key is not for EdDSA or ES256.
 *
 * @example
 * ```ts
 * import { createTokenKey, tokenKeys } from "./token_keys.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const keys = await tokenKeys({ keys: [await createTokenKey("ES256")] });
 * assertEquals((await keys.read())[0]?.algorithm, "ES256");
 * ```
 */
export async function tokenKeys(jwks: unknown): Promise<TokenKeys> {
  const keys = await importKeys(checkJwks(jwks));
  return { read: () => Promise.resolve(keys) };
}

/**
 * Makes a new private key as a JSON Web Key; its `kid` is its thumbprint (RFC 7638).
 *
 * @example
 * ```ts
 * import { createTokenKey } from "./token_keys.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const { kty, crv, alg } = await createTokenKey("EdDSA");
 * assertEquals([kty, crv, alg], ["OKP", "Ed25519", "EdDSA"]);
 * ```
 */
export async function createTokenKey(
  algorithm: TokenAlgorithm,
): Promise<Record<string, unknown>> {
  const { privateKey } = await generateKeyPair(algorithm, {
    extractable: true,
  });
  const jwk = await exportJWK(privateKey);
  const kid = await calculateJwkThumbprint(jwk);
  return { kid, alg: algorithm, use: "sig", ...jwk };
}

/**
 * Puts a new private key first into a key set in a file, of mode 600, and makes the file if there is none. Older keys
 * go on verifying the tokens that they have signed, and sign no more: their private parts are removed. Returns the
 * `kid` of the new key.
 *
 * @throws {Error} If the file is at fault, or has 100 keys.
 *
 * @example
 * ```ts
 * import { rotateTokenKey, tokenKeysFile } from "./token_keys.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir({ prefix: "portolan-" });
 * const path = `${folder}/token_keys.json`;
 * const older = await rotateTokenKey(path, "ES256");
 * const newer = await rotateTokenKey(path, "EdDSA");
 * const keys = await (await tokenKeysFile(path)).read();
 * assertEquals(keys.map(({ kid }) => kid), [newer, older]);
 * assertEquals(keys.map(({ privateKey }) => privateKey !== undefined), [true, false]);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function rotateTokenKey(
  path: string,
  algorithm: TokenAlgorithm,
): Promise<string> {
  const key = await createTokenKey(algorithm);
  const file = await JsonFile.open(path, {
    create: true,
    parse: (json) => ({ keys: isEmpty(json) ? [] : checkJwks(json) }),
    format: (jwks) => jwks,
  });
  await file.update((jwks) => {
    jwks.keys = checkJwks({
      keys: [key, ...jwks.keys.map((older) => publicTokenKey({ ...older }))],
    });
  });
  return `${key["kid"]}`;
}

function isEmpty(json: unknown): boolean {
  return entriesOf(json, "a key set").length === 0;
}

/**
 * The part of a key that others may have: what verifies.
 *
 * @example
 * ```ts
 * import { createTokenKey, publicTokenKey } from "./token_keys.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const key = await createTokenKey("EdDSA");
 * assertEquals("d" in key, true);
 * assertEquals("d" in publicTokenKey(key), false);
 * ```
 */
export function publicTokenKey(
  jwk: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { kid, alg, use, kty, crv, x, y } = jwk;
  return { kid, alg, use, kty, crv, x, ...(y === undefined ? {} : { y }) };
}

function checkJwks(json: unknown): readonly JWK[] {
  const { keys } = Object.fromEntries(entriesOf(json, "a key set"));
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > MAX_KEYS) {
    throw new TypeError(
      `Cannot read a key set: "keys" must be a list of 1 to ${MAX_KEYS} keys`,
    );
  }
  const names = new Set<unknown>();
  for (const key of keys) {
    const { kid } = Object.fromEntries(entriesOf(key, "a key"));
    if (typeof kid !== "string" || kid === "" || names.has(kid)) {
      throw new TypeError('Cannot read a key: it must have a "kid" of its own');
    }
    names.add(kid);
    algorithmOf(key);
  }
  return keys;
}

function isPrivate(keys: readonly JWK[]): boolean {
  return keys.some(({ d }) => d !== undefined);
}

/** The key alone decides: a token that could choose would choose a weak one. */
function algorithmOf({ kty, crv, alg, kid, use }: JWK): TokenAlgorithm {
  const algorithm = kty === "OKP" && crv === "Ed25519"
    ? "EdDSA"
    : kty === "EC" && crv === "P-256"
    ? "ES256"
    : undefined;
  const named = alg === "Ed25519" ? "EdDSA" : alg ?? algorithm;
  if (
    algorithm === undefined || named !== algorithm || (use ?? "sig") !== "sig"
  ) {
    throw new TypeError(
      `Cannot use key "${kid}": it must be an Ed25519 or P-256 key for ` +
        `signatures: current values are kty ${kty}, crv ${crv}, alg ${alg}`,
    );
  }
  return algorithm;
}

async function importKeys(jwks: readonly JWK[]): Promise<TokenKey[]> {
  return await Promise.all(jwks.map(async (jwk) => {
    const algorithm = algorithmOf(jwk);
    const load = (key: JWK) => importJWK(key, algorithm) as Promise<CryptoKey>;
    try {
      return {
        kid: `${jwk.kid}`,
        algorithm,
        publicKey: await load(publicTokenKey({ ...jwk }) as JWK),
        privateKey: jwk.d === undefined ? undefined : await load(jwk),
      };
    } catch {
      // The runtime's error may quote the key.
      throw new TypeError(`Cannot use key "${jwk.kid}": its value is no key`);
    }
  }));
}
