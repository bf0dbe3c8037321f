import type { TransferEntry } from "../proto/transfer/entry.ts";
import { RESERVED_NAME } from "../proto/transfer/path.ts";

/** An entry of a tree, and where it is on this machine. */
export interface ScannedEntry {
  /** The entry. */
  readonly entry: TransferEntry;
  /** Its path on this machine. */
  readonly local: string;
}

/** Something that cannot be sent. */
export interface ScanProblem {
  /** Its path on this machine. */
  readonly local: string;
  /** Why not, in words for a person. */
  readonly reason: string;
}

/**
 * Lists what is to be sent of `paths`, each directory before what is in it. A path that ends with a slash, or is
 * `.`, stands for what is in the directory, as with rsync. Links are sent as links; a receiver's own folder is left out.
 */
export function* scanTree(
  paths: readonly string[],
): Generator<ScannedEntry | ScanProblem> {
  for (const path of paths) {
    const local = path.replace(/(?<=.)\/+$/, "");
    if (local !== path || /(^|\/)\.{0,2}$/.test(local)) {
      yield* scanDirectory(local, "");
    } else {
      yield* scan(local, local.slice(local.lastIndexOf("/") + 1));
    }
  }
}

function* scan(
  local: string,
  path: string,
): Generator<ScannedEntry | ScanProblem> {
  let scanned: TransferEntry | undefined;
  try {
    scanned = describe(local, path);
  } catch (error) {
    yield problem(local, error);
    return;
  }
  if (scanned === undefined) {
    yield { local, reason: "it is no file, directory or link" };
    return;
  }
  yield { entry: scanned, local };
  if (scanned.kind === "directory") yield* scanDirectory(local, `${path}/`);
}

function* scanDirectory(
  local: string,
  prefix: string,
): Generator<ScannedEntry | ScanProblem> {
  let names: string[];
  try {
    names = Array.from(Deno.readDirSync(local), ({ name }) => name);
  } catch (error) {
    yield problem(local, error);
    return;
  }
  for (const name of names.sort()) {
    if (name === RESERVED_NAME) continue;
    yield* scan(`${local}/${name}`, `${prefix}${name}`);
  }
}

/** What is at `local`; undefined for a device, a pipe or a socket. */
function describe(local: string, path: string): TransferEntry | undefined {
  const info = Deno.lstatSync(local);
  const kind = info.isFile
    ? "file"
    : info.isDirectory
    ? "directory"
    : info.isSymlink
    ? "symlink"
    : undefined;
  if (kind === undefined) return undefined;
  return {
    path,
    kind,
    mode: (info.mode ?? 0o644) & 0o7777,
    mtimeMs: info.mtime?.getTime() ?? 0,
    size: kind === "file" ? info.size : 0,
    ...(kind === "symlink" ? { target: Deno.readLinkSync(local) } : {}),
  };
}

function problem(local: string, error: unknown): ScanProblem {
  if (!(error instanceof Error)) throw error;
  return { local, reason: error.message.replace(/ \(os error \d+\).*$/, "") };
}
