import { entriesOf, JsonFile } from "./json_file.ts";
import { checkName, checkRoles, normalizeName } from "./names.ts";
import { parsePasswordHash } from "./password_hash.ts";

/** Somebody who may log in with a password. */
export interface Account {
  /** The name of the account. */
  readonly name: string;
  /** The hash of the password. */
  readonly password: string;
  /** What it may be. */
  readonly roles: readonly string[];
  /** When the account got another password, in milliseconds since 1970; undefined if it never did. */
  readonly passwordChangedMs?: number | undefined;
}

/** Where accounts are kept. */
export interface Users {
  /** The account of a name. */
  find(name: string): Promise<Account | undefined>;
  /** Puts another hash in the place of the one that `account` had; does nothing if it has changed since. */
  replacePassword(account: Account, password: string): Promise<void>;
}

/** Options of {@linkcode UsersFile.open}. */
export interface UsersFileOptions {
  /**
   * Begins without accounts when there is no file.
   *
   * @default {false}
   */
  create?: boolean;
  /** Called once for each state of the file that cannot be used; the last good one stays in use. */
  onFault?: (error: Error) => void;
}

/**
 * Accounts in a JSON file of mode 600: `{"ada": {"password": "$scrypt$…", "roles": ["admin"]}}`. A change of the file
 * is seen by the next login.
 *
 * @example Usage
 * ```ts
 * import { PasswordHasher } from "./password_hash.ts";
 * import { UsersFile } from "./users.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir({ prefix: "portolan-" });
 * const users = await UsersFile.open(`${folder}/users.json`, { create: true });
 * const hash = await new PasswordHasher().hash("correct horse");
 * await users.add({ name: "ada", password: hash, roles: ["admin"] });
 * assertEquals((await users.find("ada"))?.roles, ["admin"]);
 * assertEquals(await users.find("eve"), undefined);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export class UsersFile implements Users {
  readonly #file: JsonFile<Map<string, Account>>;

  private constructor(file: JsonFile<Map<string, Account>>) {
    this.#file = file;
  }

  /**
   * Reads the file.
   *
   * @throws {Error} If it cannot be read or does not make sense.
   */
  static async open(
    path: string,
    options: UsersFileOptions = {},
  ): Promise<UsersFile> {
    return new UsersFile(
      await JsonFile.open(path, {
        ...options,
        parse: parseAccounts,
        format: formatAccounts,
      }),
    );
  }

  /** The account of a name. */
  async find(name: string): Promise<Account | undefined> {
    return (await this.#file.read()).get(normalizeName(name));
  }

  /** All accounts. */
  async list(): Promise<Account[]> {
    return [...(await this.#file.read()).values()];
  }

  /**
   * Adds an account, or gives one another password and other roles.
   *
   * @throws {TypeError} If a name or role has characters that it must not have.
   */
  async add(account: Account): Promise<void> {
    const name = checkName(account.name, "user name");
    parsePasswordHash(account.password);
    const roles = checkRoles(account.roles, name);
    await this.#file.update((accounts) => {
      const passwordChangedMs = accounts.has(name) ? Date.now() : undefined;
      accounts.set(name, { ...account, name, roles, passwordChangedMs });
    });
  }

  /** Removes an account; returns whether there was one. */
  async remove(name: string): Promise<boolean> {
    return await this.#file.update((accounts) =>
      accounts.delete(normalizeName(name))
    );
  }

  /** Gives an account other roles; returns whether there is one. */
  async setRoles(name: string, roles: readonly string[]): Promise<boolean> {
    checkRoles(roles, name);
    return await this.#file.update((accounts) => {
      const account = accounts.get(normalizeName(name));
      if (account === undefined) return false;
      accounts.set(account.name, { ...account, roles });
      return true;
    });
  }

  /** Puts another hash in the place of the one that `account` had; does nothing if it has changed since. */
  async replacePassword(account: Account, password: string): Promise<void> {
    parsePasswordHash(password);
    await this.#file.update((accounts) => {
      const current = accounts.get(account.name);
      if (current?.password !== account.password) return;
      accounts.set(account.name, { ...current, password });
    });
  }
}

function parseAccounts(json: unknown): Map<string, Account> {
  return new Map(
    entriesOf(json, "the accounts").map(([key, value]) => {
      const name = checkName(key, "user name");
      const { password, roles = [], passwordChangedMs } = Object.fromEntries(
        entriesOf(value, `account "${name}"`),
      );
      if (typeof password !== "string") {
        throw new TypeError(
          `Cannot read account "${name}": its password must be a hash`,
        );
      }
      parsePasswordHash(password);
      const account = { name, password, roles: checkRoles(roles, name) };
      if (passwordChangedMs === undefined) return [name, account];
      if (typeof passwordChangedMs !== "number") {
        throw new TypeError(
          `Cannot read account "${name}": passwordChangedMs must be a number`,
        );
      }
      return [name, { ...account, passwordChangedMs }];
    }),
  );
}

function formatAccounts(accounts: ReadonlyMap<string, Account>): unknown {
  return Object.fromEntries(
    Array.from(
      accounts.values(),
      ({ name, ...account }) => [name, account],
    ),
  );
}
