import { dirname, join } from "node:path";

/** Only the owner may look: keys, and the folder they lie in. */
const KEY_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** What {@linkcode writePair} writes. */
export interface Pair {
  /** Where the certificate goes. */
  certPath: string;
  /** The certificate. */
  certPem: string;
  /** Where the key goes. */
  keyPath: string;
  /** The key. */
  keyPem: string;
}

/** Makes a folder that nobody else may look into, and those above it; one that is there stays as it is. */
export async function makeKeyFolder(path: string): Promise<void> {
  const parent = dirname(path);
  if (parent !== path) await Deno.mkdir(parent, { recursive: true });
  try {
    await Deno.mkdir(path, { mode: FOLDER_MODE });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

/** Waits until no other program writes to the folder; dispose what it returns to let the next one in. */
export async function lockFolder(folder: string): Promise<Disposable> {
  const file = await Deno.open(join(folder, ".lock"), {
    write: true,
    create: true,
    mode: KEY_MODE,
  });
  await file.lock(true);
  return file;
}

/**
 * Writes a certificate and its key. Without `force`, a file that is there is not touched.
 *
 * @throws {Deno.errors.AlreadyExists} If one of them is there.
 */
export async function writePair(pair: Pair, force = false): Promise<void> {
  if (!force) {
    for (const path of [pair.keyPath, pair.certPath]) {
      if (await exists(path)) throw alreadyThere(path);
    }
  }
  await writeFile(pair.keyPath, pair.keyPem, { mode: KEY_MODE, force });
  await writeFile(pair.certPath, pair.certPem, { force });
}

/**
 * Writes a file, whole or not at all, with a mode (0o600 for a key) from its first moment.
 *
 * @throws {Deno.errors.AlreadyExists} If it is there and `force` is not set.
 */
export async function writeFile(
  path: string,
  content: string | Uint8Array,
  options: { mode?: number; force?: boolean } = {},
): Promise<void> {
  const { mode = 0o644, force = false } = options;
  // Replacing is one step for those who read; what is new nobody reads yet.
  const target = force ? `${path}.${crypto.randomUUID()}` : path;
  const data = typeof content === "string"
    ? new TextEncoder().encode(content)
    : content;
  let created = false;
  try {
    using file = await Deno.open(target, {
      write: true,
      createNew: true,
      mode,
    });
    created = true;
    for (let at = 0; at < data.length;) {
      at += await file.write(data.subarray(at));
    }
    await file.sync();
    if (force) await Deno.rename(target, path);
  } catch (cause) {
    if (created) await Deno.remove(target).catch(() => {});
    if (cause instanceof Deno.errors.AlreadyExists) throw alreadyThere(path);
    throw new Error(`Cannot write "${path}"`, { cause });
  }
}

function alreadyThere(path: string): Error {
  return new Deno.errors.AlreadyExists(
    `Cannot write "${path}": it is there already`,
  );
}

/** Tells whether there is a file. */
export async function exists(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(ignoreMissing)) !== undefined;
}

/** The text of a file, or nothing if there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(path).catch(ignoreMissing);
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
