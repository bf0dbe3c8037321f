import { basename, dirname, join } from "node:path";
import {
  type AuditHead,
  NO_RECORD,
  openRecord,
  TORN_EVENT,
} from "../proto/security/audit_chain.ts";
import { AuditError } from "./audit.ts";
import {
  AuditLog,
  type AuditLogOptions,
  type AuditStore,
  sha256,
} from "./audit_log.ts";

/** Options of {@linkcode openAuditLog}. */
export interface AuditFileOptions extends AuditLogOptions {
  /** Bytes from which on a file is put aside, as `FILE.000001`, and a new one begins. @default {67_108_864} */
  maxFileBytes?: number;
  /** Files put aside to keep; older ones are removed. @default {Infinity} */
  maxFiles?: number;
}

/** The end of a file in which its last record has to be. */
const TAIL_BYTES = 1 << 20;
const LINE_FEED = 10;

/**
 * Opens the audit log in a file of mode 600, or begins it, and goes on with its chain. A line that a crash has torn is
 * left as it is; the next record tells of it.
 *
 * @throws {AuditError} If the file cannot be opened, another program writes it, or its end holds no record.
 *
 * @example Usage
 * ```ts
 * import { openAuditLog } from "./audit_file.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir();
 * {
 *   await using log = await openAuditLog(`${folder}/audit.log`);
 *   await log.record({ event: "logout", who: "ada", source: "192.0.2.7" });
 * }
 * await using log = await openAuditLog(`${folder}/audit.log`);
 * assertEquals(log.head.seq, 1);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function openAuditLog(
  path: string,
  options: AuditFileOptions = {},
): Promise<AuditLog> {
  return new AuditLog(await AuditFile.open(path, options), options);
}

/** The files of an audit log that were put aside, oldest first, then the one that is written. */
export async function auditFiles(path: string): Promise<string[]> {
  const name = basename(path);
  const aside: string[] = [];
  for await (const entry of Deno.readDir(dirname(path))) {
    const rest = entry.name.startsWith(`${name}.`)
      ? entry.name.slice(name.length + 1)
      : "";
    if (/^\d{6,}$/.test(rest)) aside.push(rest);
  }
  aside.sort((a, b) => Number(a) - Number(b));
  return [...aside.map((number) => `${path}.${number}`), path];
}

/** Where the last checkpoint of an audit log is kept. */
export function checkpointPath(path: string): string {
  return `${path}.checkpoint`;
}

class AuditFile implements AuditStore {
  readonly head: AuditHead;
  readonly found: { event: string; [field: string]: unknown }[] = [];
  readonly #path: string;
  readonly #maxFileBytes: number;
  readonly #maxFiles: number;
  #file: Deno.FsFile;
  /** Bytes of the file that are whole lines. */
  #length: number;
  /** A write may have left a part of itself behind. */
  #isTorn = false;

  private constructor(
    path: string,
    file: Deno.FsFile,
    tail: Tail,
    options: AuditFileOptions,
  ) {
    this.#path = path;
    this.#file = file;
    this.#length = tail.length;
    this.#maxFileBytes = options.maxFileBytes ?? 64 << 20;
    this.#maxFiles = options.maxFiles ?? Infinity;
    this.head = tail.head;
    if (tail.torn !== undefined) this.found.push(tail.torn);
  }

  static async open(
    path: string,
    options: AuditFileOptions,
  ): Promise<AuditFile> {
    let file: Deno.FsFile | undefined;
    try {
      file = await lockedFile(path);
      let tail = await readTail(file, path);
      if (tail.head.seq === 0) {
        // A crash came after a file was put aside, before there was a record in the next one.
        const last = (await auditFiles(path)).at(-2);
        if (last !== undefined) tail = { ...tail, head: await headOf(last) };
      }
      const store = new AuditFile(path, file, tail, options);
      await store.#findTruncation();
      syncFolder(path);
      return store;
    } catch (cause) {
      file?.close();
      if (cause instanceof AuditError) throw cause;
      throw new AuditError(`Cannot open the audit log ${path}`, { cause });
    }
  }

  /** A checkpoint that the log does not reach shows that its end was taken away. */
  async #findTruncation(): Promise<void> {
    const line = await readIfThere(checkpointPath(this.#path));
    if (line === undefined) return;
    const record = openRecord(line.trimEnd(), sha256);
    if (typeof record === "string" || record.seq <= this.head.seq) return;
    const detail =
      `record ${record.seq} was signed, and the last one that is there is ${this.head.seq}`;
    this.found.push({ event: "records missing", detail });
  }

  async append(lines: string): Promise<void> {
    await this.#mend();
    if (this.#length > 0 && this.#length >= this.#maxFileBytes) {
      await this.#rotate();
    }
    const bytes = new TextEncoder().encode(lines);
    this.#isTorn = true;
    try {
      for (let at = 0; at < bytes.length;) {
        at += await this.#file.write(bytes.subarray(at));
      }
    } catch (error) {
      // Now if possible, as a crash would leave it there.
      await this.#mend().catch(() => {});
      throw error;
    }
    this.#length += bytes.length;
    this.#isTorn = false;
  }

  /** Takes back the part of a write that a full disk has left. */
  async #mend(): Promise<void> {
    if (!this.#isTorn) return;
    await this.#file.truncate(this.#length);
    this.#isTorn = false;
  }

  async #rotate(): Promise<void> {
    const path = this.#path;
    await this.#file.sync();
    const aside = (await auditFiles(path)).slice(0, -1);
    const last = aside.at(-1)?.slice(path.length + 1) ?? "0";
    const next = String(Number(last) + 1).padStart(6, "0");
    await Deno.rename(path, `${path}.${next}`);
    let file: Deno.FsFile;
    try {
      file = await lockedFile(path);
    } catch (error) {
      await Deno.rename(`${path}.${next}`, path);
      throw error;
    }
    this.#file.close();
    this.#file = file;
    this.#length = 0;
    syncFolder(path);
    const excess = aside.length + 1 - this.#maxFiles;
    for (const old of aside.slice(0, Math.max(excess, 0))) {
      await Deno.remove(old);
    }
  }

  async sync(): Promise<void> {
    await this.#file.syncData();
  }

  async keepCheckpoint(line: string): Promise<void> {
    const path = checkpointPath(this.#path);
    const temporary = `${path}.new`;
    const options = { write: true, create: true, truncate: true, mode: 0o600 };
    {
      using file = await Deno.open(temporary, options);
      await file.write(new TextEncoder().encode(line));
      await file.sync();
    }
    await Deno.rename(temporary, path);
    syncFolder(path);
  }

  close(): Promise<void> {
    this.#file.close();
    return Promise.resolve();
  }
}

/** Opens a file for this program alone to append to. */
async function lockedFile(path: string): Promise<Deno.FsFile> {
  const options = { read: true, append: true, create: true, mode: 0o600 };
  const file = await Deno.open(path, options);
  try {
    const { isFile, mode } = await file.stat();
    if (!isFile) {
      throw new AuditError(`Cannot open the audit log ${path}: it is no file`);
    }
    if (mode !== null && (mode & 0o077) !== 0) await Deno.chmod(path, 0o600);
    if (await file.tryLock(true)) return file;
    throw new AuditError(
      `Cannot open the audit log ${path}: another program writes it`,
    );
  } catch (error) {
    file.close();
    throw error;
  }
}

interface Tail {
  head: AuditHead;
  /** Bytes that are there. */
  length: number;
  /** What to tell of the torn line. */
  torn?: { event: string; [field: string]: unknown };
}

/** Finds the last record of a file; ends a torn line, so that the next one begins where a line begins. */
async function readTail(file: Deno.FsFile, path: string): Promise<Tail> {
  const { size } = await file.stat();
  if (size === 0) return { head: NO_RECORD, length: 0 };
  const from = Math.max(size - TAIL_BYTES, 0);
  await file.seek(from, Deno.SeekMode.Start);
  const bytes = new Uint8Array(size - from);
  for (let at = 0; at < bytes.length;) {
    at += await file.read(bytes.subarray(at)) ?? bytes.length;
  }
  const isWhole = bytes.at(-1) === LINE_FEED;
  const text = new TextDecoder("utf-8", { ignoreBOM: true })
    .decode(isWhole ? bytes.subarray(0, -1) : bytes);
  const lines = text.split("\n");
  let last = lines.length - 1;
  let head: AuditHead | undefined;
  while (last >= 0 && head === undefined) {
    const record = openRecord(lines[last]!, sha256);
    if (typeof record === "string") last--;
    else head = { seq: record.seq, hash: record.hash };
  }
  if (head === undefined && from > 0) {
    throw new AuditError(
      `Cannot open the audit log ${path}: there is no record in its last ${TAIL_BYTES} bytes: put the file aside`,
    );
  }
  const torn = lines.slice(last + 1);
  if (torn.length === 0) return { head: head!, length: size };
  if (!isWhole) await file.write(Uint8Array.of(LINE_FEED));
  const damage = torn.join("\n");
  const sum = sha256(damage);
  return {
    head: head ?? NO_RECORD,
    length: size + (isWhole ? 0 : 1),
    torn: {
      event: TORN_EVENT,
      sha256: sum,
      count: new TextEncoder().encode(damage).length,
    },
  };
}

async function headOf(path: string): Promise<AuditHead> {
  using file = await Deno.open(path);
  return (await readTail(file, path)).head;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Makes sure that a name survives a crash; not every system can. */
function syncFolder(path: string): void {
  try {
    using folder = Deno.openSync(join(dirname(path)));
    folder.syncSync();
  } catch {
    // The records themselves are safe, which is what counts.
  }
}
