import { entriesOf, JsonFile } from "./json_file.ts";

/** What is known of the tokens of one subject. */
interface SubjectRevocations {
  /** Tokens issued before are revoked, in milliseconds since 1970. */
  notBeforeMs: number;
  /** When the last token that `notBeforeMs` is about has expired. */
  untilMs: number;
  /** Revoked tokens by `jti`, with the time of their expiry. */
  readonly tokens: Map<string, number>;
}

/** Options of {@linkcode TokenRevocations}. */
export interface TokenRevocationsOptions {
  /**
   * The longest life of a token, in milliseconds: so long a revocation of all tokens of a subject is remembered, and
   * tokens that last longer are refused.
   *
   * @default {2592000000} 30 days.
   */
  maxLifetimeMs?: number;
  /**
   * Subjects that are remembered.
   *
   * @default {100000}
   */
  maxSubjects?: number;
  /**
   * Tokens of one subject that are remembered; one more revokes all of them.
   *
   * @default {64}
   */
  maxTokensPerSubject?: number;
}

/** Options of {@linkcode tokenRevocationsFile}. */
export interface TokenRevocationsFileOptions extends TokenRevocationsOptions {
  /** Called once for each state of the file that cannot be used; the last good one stays in use. */
  onFault?: (error: Error) => void;
}

/** A token, as far as its revocation goes. */
export interface RevocableToken {
  /** Whose it is. */
  readonly sub: string;
  /** Its name. */
  readonly jti: string | undefined;
  /** When it was issued, in milliseconds since 1970. */
  readonly issuedAtMs: number | undefined;
}

/** Where revocations are kept: in memory, or in a file that several processes share. */
export interface TokenRevocationList {
  /** The revocations of this moment. */
  read(): Promise<TokenRevocations>;
  /** Changes them. */
  update(change: (revoked: TokenRevocations) => void): Promise<void>;
}

/**
 * Which tokens were taken back before they expired. Memory is bounded, and nothing is forgotten before it has expired.
 *
 * @example Usage
 * ```ts
 * import { TokenRevocations } from "./token_revocations.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const revoked = new TokenRevocations();
 * revoked.revoke({ sub: "ada", jti: "1", expiresAtMs: 60_000 }, 0);
 * assertEquals(revoked.has({ sub: "ada", jti: "1", issuedAtMs: 0 }), true);
 * assertEquals(revoked.has({ sub: "ada", jti: "2", issuedAtMs: 0 }), false);
 * revoked.revokeAll("ada", 1000);
 * assertEquals(revoked.has({ sub: "ada", jti: "2", issuedAtMs: 0 }), true);
 * ```
 */
export class TokenRevocations implements TokenRevocationList {
  /** The longest life of a token, in milliseconds. */
  readonly maxLifetimeMs: number;
  readonly #maxSubjects: number;
  readonly #maxTokensPerSubject: number;
  readonly #subjects = new Map<string, SubjectRevocations>();

  /** Creates an empty list. */
  constructor(options: TokenRevocationsOptions = {}) {
    this.maxLifetimeMs = options.maxLifetimeMs ?? 30 * 86_400_000;
    this.#maxSubjects = options.maxSubjects ?? 100_000;
    this.#maxTokensPerSubject = options.maxTokensPerSubject ?? 64;
  }

  /** These revocations: a list in memory is its own. */
  read(): Promise<TokenRevocations> {
    return Promise.resolve(this);
  }

  /** Changes these revocations. */
  update(change: (revoked: TokenRevocations) => void): Promise<void> {
    return Promise.try(change, this);
  }

  /** Subjects that are remembered. */
  get size(): number {
    return this.#subjects.size;
  }

  /** Before when all tokens of a subject are revoked, in milliseconds since 1970; 0 if none are. */
  notBeforeMs(sub: string): number {
    return this.#subjects.get(sub)?.notBeforeMs ?? 0;
  }

  /** Whether a token was revoked. */
  has({ sub, jti, issuedAtMs }: RevocableToken): boolean {
    const subject = this.#subjects.get(sub);
    if (subject === undefined) return false;
    return (issuedAtMs ?? 0) < subject.notBeforeMs ||
      jti !== undefined && subject.tokens.has(jti);
  }

  /**
   * Revokes one token.
   *
   * @throws {RangeError} If the list is full.
   */
  revoke(
    { sub, jti, expiresAtMs }: {
      sub: string;
      jti: string;
      expiresAtMs: number;
    },
    nowMs: number,
  ): void {
    const { tokens } = this.#subject(sub, nowMs);
    for (const [name, untilMs] of tokens) {
      if (untilMs <= nowMs) tokens.delete(name);
    }
    tokens.set(jti, expiresAtMs);
    if (tokens.size > this.#maxTokensPerSubject) this.revokeAll(sub, nowMs);
  }

  /**
   * Revokes all tokens of a subject that were issued so far.
   *
   * @throws {RangeError} If the list is full.
   */
  revokeAll(sub: string, nowMs: number): void {
    const subject = this.#subject(sub, nowMs);
    // Tokens bear whole seconds: the next one is later than that of all that were issued.
    const nextSecondMs = Math.floor(nowMs / 1000) * 1000 + 1000;
    subject.notBeforeMs = Math.max(nextSecondMs, subject.notBeforeMs + 1000);
    subject.untilMs = subject.notBeforeMs + this.maxLifetimeMs;
    subject.tokens.clear();
  }

  /** The revocations as a file keeps them. */
  toJSON(): unknown {
    return Object.fromEntries(
      Array.from(
        this.#subjects,
        ([sub, subject]) => [sub, {
          ...subject,
          tokens: Object.fromEntries(subject.tokens),
        }],
      ),
    );
  }

  /**
   * The revocations that a file keeps.
   *
   * @throws {TypeError} If it does not make sense.
   */
  static fromJSON(
    json: unknown,
    options: TokenRevocationsOptions = {},
  ): TokenRevocations {
    const revoked = new TokenRevocations(options);
    for (const [sub, value] of entriesOf(json, "revocations")) {
      const { notBeforeMs, untilMs, tokens } = Object.fromEntries(
        entriesOf(value, `revocations of "${sub}"`),
      );
      const times = entriesOf(tokens, `tokens of "${sub}"`);
      if (
        ![notBeforeMs, untilMs, ...times.map(([, time]) => time)].every(
          Number.isFinite,
        )
      ) {
        throw new TypeError(
          `Cannot read revocations of "${sub}": they must have notBeforeMs, ` +
            "untilMs, and tokens with times",
        );
      }
      revoked.#subjects.set(sub, {
        notBeforeMs: notBeforeMs as number,
        untilMs: untilMs as number,
        tokens: new Map(times as [string, number][]),
      });
    }
    return revoked;
  }

  #subject(sub: string, nowMs: number): SubjectRevocations {
    const known = this.#subjects.get(sub);
    if (known !== undefined) return known;
    if (this.#subjects.size >= this.#maxSubjects) this.#prune(nowMs);
    if (this.#subjects.size >= this.#maxSubjects) {
      throw new RangeError(
        "Cannot revoke a token: the list is full: current size is " +
          `${this.#subjects.size}`,
      );
    }
    const subject = { notBeforeMs: 0, untilMs: 0, tokens: new Map() };
    this.#subjects.set(sub, subject);
    return subject;
  }

  #prune(nowMs: number): void {
    for (const [sub, { untilMs, tokens }] of this.#subjects) {
      const lastMs = Math.max(untilMs, ...tokens.values());
      if (lastMs <= nowMs) this.#subjects.delete(sub);
    }
  }
}

/**
 * Revocations in a JSON file of mode 600, which outlives the process and is read again when it has changed.
 *
 * @throws {Error} If there is a file that cannot be read or does not make sense.
 *
 * @example
 * ```ts
 * import { tokenRevocationsFile } from "./token_revocations.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir({ prefix: "portolan-" });
 * const list = await tokenRevocationsFile(`${folder}/revoked.json`);
 * await list.update((revoked) => revoked.revokeAll("ada", 1000));
 * const sameList = await tokenRevocationsFile(`${folder}/revoked.json`);
 * assertEquals((await sameList.read()).notBeforeMs("ada"), 2000);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function tokenRevocationsFile(
  path: string,
  options: TokenRevocationsFileOptions = {},
): Promise<TokenRevocationList> {
  return await JsonFile.open(path, {
    create: true,
    parse: (json) => TokenRevocations.fromJSON(json, options),
    format: (revoked) => revoked,
    onFault: options.onFault,
  });
}
