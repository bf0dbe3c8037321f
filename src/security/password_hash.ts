import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { AuthenticationError } from "./authentication.ts";

/** What guessing a password costs (RFC 7914). */
export interface PasswordCost {
  /** Binary logarithm of N: memory and time. */
  readonly logN: number;
  /** Block size r; a hash takes 128 · N · r bytes of memory. */
  readonly blockSize: number;
  /** Parallelism p: how often it is done. */
  readonly parallelism: number;
}

/**
 * 16 MiB, five times: what OWASP asks of scrypt where memory counts; as hard to guess as their argon2id with 19 MiB.
 */
export const DEFAULT_PASSWORD_COST: PasswordCost = {
  logN: 14,
  blockSize: 8,
  parallelism: 5,
};

/** The most bytes that a password may have in UTF-8. */
export const MAX_PASSWORD_BYTES = 1024;

/** Computes a hash of `bytes` bytes. */
export type DeriveKey = (
  password: string,
  salt: Uint8Array,
  cost: PasswordCost,
  bytes: number,
) => Promise<Uint8Array>;

/** Options of {@linkcode PasswordHasher}. */
export interface PasswordHasherOptions {
  /**
   * What new hashes cost.
   *
   * @default {DEFAULT_PASSWORD_COST}
   */
  cost?: PasswordCost;
  /**
   * How many hashes are computed at the same time, each on a thread of its own.
   *
   * @default {2}
   */
  maxConcurrent?: number;
  /**
   * How many may wait for that; one more is refused.
   *
   * @default {64}
   */
  maxWaiting?: number;
  /**
   * Computes the hash.
   *
   * @default {scrypt} of `node:crypto`, beside the event loop.
   */
  derive?: DeriveKey;
}

/** Options of one hash. */
export interface PasswordHashOptions {
  /** Ends the waiting. */
  signal?: AbortSignal | undefined;
  /**
   * Goes before those that are not urgent: somebody who is known should not wait for guessers.
   *
   * @default {false}
   */
  urgent?: boolean;
}

/** What a hash says. */
export interface StoredHash {
  /** What it cost. */
  readonly cost: PasswordCost;
  /** What sets it apart from hashes of the same password. */
  readonly salt: Uint8Array;
  /** The hash. */
  readonly hash: Uint8Array;
}

const SALT_BYTES = 16;
const HASH_BYTES = 32;
const MAX_HASH_MEMORY = 2 ** 30;
const PHC_REGEXP =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/**
 * Hashes passwords with scrypt and checks them in constant time. A hash is a PHC string that names its cost:
 * `$scrypt$ln=14,r=8,p=5$salt$hash`. The event loop goes on meanwhile.
 *
 * @example Usage
 * ```ts
 * import { PasswordHasher } from "./password_hash.ts";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const hasher = new PasswordHasher({
 *   cost: { logN: 10, blockSize: 8, parallelism: 1 }, // For examples alone.
 * });
 * const stored = await hasher.hash("correct horse");
 * assert(await hasher.verify("correct horse", stored));
 * assertEquals(await hasher.verify("Correct horse", stored), false);
 * assertEquals(hasher.needsRehash(stored), false);
 * assertEquals(new PasswordHasher().needsRehash(stored), true);
 * ```
 */
export class PasswordHasher {
  /** What new hashes cost. */
  readonly cost: PasswordCost;
  /** A hash of the same cost that no password fits: who is not known costs as much as who is. */
  readonly decoy: string;
  readonly #maxConcurrent: number;
  readonly #maxWaiting: number;
  readonly #derive: DeriveKey;
  readonly #urgent: (() => void)[] = [];
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** Creates a hasher. */
  constructor(options: PasswordHasherOptions = {}) {
    this.cost = options.cost ?? DEFAULT_PASSWORD_COST;
    this.#maxConcurrent = options.maxConcurrent ?? 2;
    this.#maxWaiting = options.maxWaiting ?? 64;
    this.#derive = options.derive ?? deriveWithScrypt;
    this.decoy = formatHash({
      cost: this.cost,
      salt: randomBytes(SALT_BYTES),
      hash: randomBytes(HASH_BYTES),
    });
    parsePasswordHash(this.decoy);
  }

  /**
   * Hashes a password with a new salt.
   *
   * @throws {RangeError} If nobody can have this password: see {@linkcode normalizePassword}.
   * @throws {AuthenticationError} If too many wait.
   */
  async hash(
    password: string,
    options: PasswordHashOptions = {},
  ): Promise<string> {
    const normal = normalizePassword(password);
    const salt = randomBytes(SALT_BYTES);
    const { cost } = this;
    const hash = await this.#run(
      () => this.#derive(normal, salt, cost, HASH_BYTES),
      options,
    );
    return formatHash({ cost, salt, hash });
  }

  /**
   * Tells whether the password is that of a hash.
   *
   * @throws {SyntaxError} If `stored` is no hash of ours.
   * @throws {AuthenticationError} If too many wait.
   */
  async verify(
    password: string,
    stored: string,
    options: PasswordHashOptions = {},
  ): Promise<boolean> {
    const { cost, salt, hash } = parsePasswordHash(stored);
    let normal: string;
    try {
      normal = normalizePassword(password);
    } catch {
      return false;
    }
    const computed = await this.#run(
      () => this.#derive(normal, salt, cost, hash.length),
      options,
    );
    return timingSafeEqual(computed, hash);
  }

  /** Whether a hash costs less than new ones do in any respect. */
  needsRehash(stored: string): boolean {
    const { cost } = parsePasswordHash(stored);
    return cost.logN < this.cost.logN ||
      cost.blockSize < this.cost.blockSize ||
      cost.parallelism < this.cost.parallelism;
  }

  async #run<T>(
    job: () => Promise<T>,
    options: PasswordHashOptions,
  ): Promise<T> {
    if (this.#running >= this.#maxConcurrent) await this.#wait(options);
    else this.#running++;
    try {
      options.signal?.throwIfAborted();
      return await job();
    } finally {
      const next = this.#urgent.shift() ?? this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  /** Waits until another is done, whose place it takes. */
  #wait({ signal, urgent = false }: PasswordHashOptions): Promise<void> {
    const queue = urgent ? this.#urgent : this.#waiting;
    if (queue.length >= this.#maxWaiting) {
      throw new AuthenticationError(
        "too_many_tries",
        `${queue.length} passwords wait to be checked`,
        { retryAfterMs: 1000 },
      );
    }
    return new Promise<void>((resolve, reject) => {
      const start = (): void => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        queue.splice(queue.indexOf(start), 1);
        reject(signal!.reason);
      };
      signal?.throwIfAborted();
      signal?.addEventListener("abort", leave, { once: true });
      queue.push(start);
    });
  }
}

/**
 * A password as it is compared, however a keyboard composes it: RFC 8265, OpaqueString. Spaces of all kinds are the
 * space, and composed characters are one.
 *
 * @throws {RangeError} If it is empty, has more than {@linkcode MAX_PASSWORD_BYTES}, or has control characters or
 * halves of characters.
 *
 * @example
 * ```ts
 * import { normalizePassword } from "./password_hash.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(normalizePassword("cafe\u0301\u00a0"), "caf\u00e9 ");
 * assertThrows(() => normalizePassword("bell\x07"), RangeError);
 * ```
 */
export function normalizePassword(password: string): string {
  const refuse = (why: string): never => {
    throw new RangeError(`Cannot use this password: ${why}`);
  };
  if (password === "") refuse("it must not be empty");
  const tooLong = `it must have ${MAX_PASSWORD_BYTES} bytes at most`;
  if (password.length > MAX_PASSWORD_BYTES) refuse(tooLong);
  if (/[\p{Cc}\p{Cs}]/u.test(password)) {
    refuse("it must have no control characters");
  }
  const normal = password.replaceAll(/\p{Zs}/gu, " ").normalize("NFC");
  if (new TextEncoder().encode(normal).length > MAX_PASSWORD_BYTES) {
    refuse(tooLong);
  }
  return normal;
}

/**
 * Reads a PHC string of scrypt.
 *
 * @throws {SyntaxError} If it is none, or costs more than a gibibyte.
 *
 * @example
 * ```ts
 * import { parsePasswordHash } from "./password_hash.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const stored = "$scrypt$ln=14,r=8,p=5$" + "A".repeat(22) + "$" + "A".repeat(43);
 * const { logN, parallelism } = parsePasswordHash(stored).cost;
 * assertEquals([logN, parallelism], [14, 5]);
 * ```
 */
export function parsePasswordHash(stored: string): StoredHash {
  const [, logN, blockSize, parallelism, salt, hash] =
    PHC_REGEXP.exec(stored) ?? [];
  const cost = {
    logN: Number(logN),
    blockSize: Number(blockSize),
    parallelism: Number(parallelism),
  };
  const possible = cost.logN >= 1 && cost.blockSize >= 1 &&
    cost.parallelism >= 1 && memoryOf(cost) <= MAX_HASH_MEMORY;
  if (salt === undefined || hash === undefined || !possible) {
    throw new SyntaxError(
      "Cannot read a password hash: it must be $scrypt$ln=…,r=…,p=…$salt$hash",
    );
  }
  return {
    cost,
    salt: Uint8Array.fromBase64(salt),
    hash: Uint8Array.fromBase64(hash),
  };
}

function formatHash({ cost, salt, hash }: StoredHash): string {
  const { logN, blockSize, parallelism } = cost;
  return `$scrypt$ln=${logN},r=${blockSize},p=${parallelism}$${
    phcBase64(salt)
  }$${phcBase64(hash)}`;
}

/** PHC strings have no padding. */
function phcBase64(bytes: Uint8Array): string {
  return bytes.toBase64({ omitPadding: true });
}

function memoryOf({ logN, blockSize }: PasswordCost): number {
  return 128 * 2 ** logN * blockSize;
}

const deriveWithScrypt: DeriveKey = (password, salt, cost, bytes) => {
  const options = {
    N: 2 ** cost.logN,
    r: cost.blockSize,
    p: cost.parallelism,
    maxmem: 2 * memoryOf(cost) + 2 ** 20,
  };
  return new Promise((resolve, reject) =>
    scrypt(
      password,
      salt,
      bytes,
      options,
      (error, key) => error === null ? resolve(key) : reject(error),
    )
  );
};
