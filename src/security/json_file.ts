import { dirname } from "node:path";

/** Options of {@linkcode JsonFile.open}. */
export interface JsonFileOptions<T> {
  /** Makes the value of what the file says; throws an error that says what is wrong. */
  parse: (json: unknown) => T;
  /** Makes what the file says of the value. */
  format: (value: T) => unknown;
  /** Whether a value holds secrets in the clear: such a file is refused while everybody may read it. */
  secret?: (value: T) => boolean;
  /**
   * Begins with an empty object when there is no file.
   *
   * @default {false}
   */
  create?: boolean;
  /** Called once for each state of the file that cannot be used; the last good one stays in use. */
  onFault?: ((error: Error) => void) | undefined;
}

/**
 * A JSON file with mode 600 that is read again when it has changed, and is replaced in one step. Programs that change
 * it at the same time wait for each other.
 *
 * @example Usage
 * ```ts
 * import { JsonFile } from "./json_file.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir({ prefix: "portolan-" });
 * const file = await JsonFile.open(`${folder}/ports.json`, {
 *   create: true,
 *   parse: (json) => new Map(Object.entries(json as Record<string, number>)),
 *   format: (ports) => Object.fromEntries(ports),
 * });
 * await file.update((ports) => ports.set("hub", 8080));
 * assertEquals((await file.read()).get("hub"), 8080);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export class JsonFile<T> {
  /** The path of the file. */
  readonly path: string;
  readonly #options: JsonFileOptions<T>;
  #value: T;
  #state: string;
  /** It held something: when it is empty, somebody is at work. */
  #wasFull: boolean;

  private constructor(
    path: string,
    options: JsonFileOptions<T>,
    { value, state, isFull }: Loaded<T>,
  ) {
    this.path = path;
    this.#options = options;
    this.#value = value;
    this.#state = state;
    this.#wasFull = isFull;
  }

  /**
   * Reads the file.
   *
   * @throws {Error} If it cannot be read or does not make sense.
   */
  static async open<T>(
    path: string,
    options: JsonFileOptions<T>,
  ): Promise<JsonFile<T>> {
    return new JsonFile(path, options, await load(path, options));
  }

  /** The value; that of the last good state if the file is at fault. */
  async read(): Promise<T> {
    let state = "";
    try {
      state = stateOf(await Deno.stat(this.path));
      if (state === this.#state) return this.#value;
      const loaded = await this.#load();
      this.#value = loaded.value;
      this.#state = loaded.state;
      this.#wasFull = loaded.isFull;
    } catch (error) {
      if (state !== this.#state) this.#options.onFault?.(error as Error);
      this.#state = state;
    }
    return this.#value;
  }

  /**
   * Changes the newest value and writes it, with all changes or none of them.
   *
   * @throws {Error} If the file is at fault or cannot be written; then nothing has changed.
   */
  async update<R>(change: (value: T) => R): Promise<R> {
    using _lock = await lock(this.path);
    const { value } = await this.#load();
    const result = change(value);
    await replace(this.path, this.#options.format(value));
    await this.read();
    return result;
  }

  /** An empty file that was full once would, for example, revoke nothing. */
  async #load(): Promise<Loaded<T>> {
    const loaded = await load(this.path, this.#options);
    if (loaded.isFull || !this.#wasFull) return loaded;
    throw about(`Cannot use "${this.path}"`, new Error("It is empty"));
  }
}

/** What a file held. */
interface Loaded<T> {
  readonly value: T;
  readonly state: string;
  readonly isFull: boolean;
}

/**
 * Creates a file with mode 600.
 *
 * @throws {Deno.errors.AlreadyExists} If there is one.
 *
 * @example
 * ```ts
 * import { writeSecret } from "./json_file.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir({ prefix: "portolan-" });
 * await writeSecret(`${folder}/key.json`, "{}");
 * assertEquals((await Deno.stat(`${folder}/key.json`)).mode! & 0o777, 0o600);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function writeSecret(path: string, text: string): Promise<void> {
  using file = await Deno.open(path, {
    write: true,
    createNew: true,
    mode: 0o600,
  });
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) {
    at += await file.write(bytes.subarray(at));
  }
  await file.sync();
}

/**
 * The entries of an object of a file.
 *
 * @throws {TypeError} If it is no object.
 *
 * @example
 * ```ts
 * import { entriesOf } from "./json_file.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(entriesOf({ a: 1 }, "it"), [["a", 1]]);
 * assertThrows(() => entriesOf([], "it"), TypeError, "it must be an object");
 * ```
 */
export function entriesOf(json: unknown, what: string): [string, unknown][] {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new TypeError(`Cannot read ${what}: it must be an object`);
  }
  return Object.entries(json);
}

async function load<T>(
  path: string,
  options: JsonFileOptions<T>,
): Promise<Loaded<T>> {
  try {
    using file = await Deno.open(path, { read: true });
    const stat = await file.stat();
    const text = await new Response(file.readable).text();
    const value = options.parse(text === "" ? {} : parseJson(text));
    if (((stat.mode ?? 0) & 0o007) !== 0 && options.secret?.(value)) {
      throw new Error(
        "It holds secrets, and everybody may use it: run chmod 600: current " +
          `mode is ${(stat.mode! & 0o777).toString(8)}`,
      );
    }
    return { value, state: stateOf(stat), isFull: text !== "" };
  } catch (cause) {
    if (options.create && cause instanceof Deno.errors.NotFound) {
      return { value: options.parse({}), state: "", isFull: false };
    }
    throw about(`Cannot use "${path}"`, cause);
  }
}

/** Says why in its message, too: who is told of a fault may see no more. */
function about(what: string, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : `${cause}`;
  return new Error(`${what}: ${why}`, { cause });
}

/** Without the runtime's words, which quote the text: it may hold secrets. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SyntaxError("Cannot parse it as JSON");
  }
}

/** Other after every change: a replacement is another file. */
function stateOf({ ino, mtime, size }: Deno.FileInfo): string {
  return `${ino} ${mtime?.getTime()} ${size}`;
}

/** Locks the file that has the path once the lock is held: it may have been replaced meanwhile. */
async function lock(path: string): Promise<Disposable> {
  while (true) {
    const file = await Deno.open(path, {
      read: true,
      write: true,
      create: true,
      mode: 0o600,
    });
    await file.lock(true);
    const named = await Deno.stat(path).catch(() => undefined);
    if (named?.ino === (await file.stat()).ino) return file;
    file.close();
  }
}

async function replace(path: string, json: unknown): Promise<void> {
  const target = await Deno.realPath(path);
  const temporary = `${target}.${crypto.randomUUID()}.tmp`;
  try {
    await writeSecret(temporary, JSON.stringify(json, null, 2) + "\n");
    await Deno.rename(temporary, target);
  } catch (cause) {
    await Deno.remove(temporary).catch(() => {});
    throw about(`Cannot write "${path}"`, cause);
  }
  using folder = await Deno.open(dirname(target));
  await folder.sync();
}
