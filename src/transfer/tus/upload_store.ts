import { nextTurn } from "../../io/turn.ts";
import { RESERVED_NAME } from "../../proto/transfer/path.ts";
import { TusError } from "../../proto/transfer/tus/headers.ts";
import type { TusBeginning } from "../../proto/transfer/tus/log.ts";
import {
  isComplete,
  type TusCreation,
} from "../../proto/transfer/tus/protocol.ts";
import { lookAt } from "../disk.ts";
import type { DiskStore } from "../disk_store.ts";
import { parentOf, PlaceError, SafeTree } from "../safe_tree.ts";
import { UploadFile } from "./upload_file.ts";

/** What unfinished uploads may cost. */
export interface UploadLimits {
  /** Uploads that are not at their place. @default {1_000} */
  readonly maxUploads?: number;
  /** Of them, those from one source: an IPv4 address, or a network of IPv6. @default {100} */
  readonly maxUploadsPerSource?: number;
  /** Bytes of them, those still to come included where the length is known. @default {2 ** 41} */
  readonly maxUnfinishedBytes?: number;
  /** Milliseconds after the last request until an upload is removed; one at its place is forgotten. @default {86_400_000} */
  readonly expireMs?: number;
}

/** The defaults of {@linkcode UploadLimits}. */
export const DEFAULT_UPLOAD_LIMITS: Required<UploadLimits> = {
  maxUploads: 1_000,
  maxUploadsPerSource: 100,
  maxUnfinishedBytes: 2 ** 41,
  expireMs: 86_400_000,
};

/** Parts that were made into a file are still there this long, for a client that missed the answer. */
const JOINED_EXPIRE_MS = 600_000;
/** Uploads at their place that are remembered, for clients that missed the answer. */
const MAX_STORED = 10_000;
/** Uploads that were removed and are remembered as such. */
const MAX_GONE = 10_000;
const ID = /^[0-9a-f]{32}$/;

/** The uploads of a folder: those under way, and for a while those at their place. */
export class UploadStore {
  /** Those that are not at their place. */
  readonly #uploads = new Map<string, UploadFile>();
  /** Those that are, the oldest first. */
  readonly #stored = new Map<string, UploadFile>();
  readonly #gone = new Set<string>();
  readonly #store: DiskStore;
  readonly #folder: string;
  readonly #limits: Required<UploadLimits>;
  readonly #wallMs: () => number;

  /** Finds the uploads that were not finished; `wallMs` tells milliseconds since 1970. */
  constructor(
    store: DiskStore,
    limits: UploadLimits = {},
    wallMs: () => number = Date.now,
  ) {
    this.#store = store;
    this.#limits = { ...DEFAULT_UPLOAD_LIMITS, ...limits };
    this.#wallMs = wallMs;
    this.#folder = `${store.directory}/${RESERVED_NAME}/tus`;
    const info = lookAt(this.#folder);
    if (info === undefined) store.disk.makeDirectory(this.#folder, 0o700);
    else if (!info.isDirectory) {
      throw new Error(`Cannot use ${this.#folder}: it is no directory`);
    }
    this.#load();
  }

  #load(): void {
    const names = Array.from(Deno.readDirSync(this.#folder), (it) => it.name);
    for (const name of names) {
      const id = name.replace(/\.log$/, "");
      if (id === name || !ID.test(id)) continue;
      const upload = UploadFile.load(this.#folder, id, this.#store.disk);
      if (upload === undefined) continue;
      (upload.isStored ? this.#stored : this.#uploads).set(id, upload);
    }
    for (const name of names) {
      const id = name.replace(/\.log$/, "");
      if (this.#uploads.has(id) || this.#stored.has(id)) continue;
      this.#store.removeQuietly(`${this.#folder}/${name}`);
    }
  }

  /** An upload; `"gone"` for one that was removed not long ago. */
  find(id: string): UploadFile | "gone" | undefined {
    const upload = this.#uploads.get(id) ?? this.#stored.get(id);
    if (upload !== undefined && !this.#hasExpired(upload)) return upload;
    if (upload !== undefined) this.remove(upload);
    return this.#gone.has(id) ? "gone" : undefined;
  }

  #hasExpired({ expiresMs, busy }: UploadFile): boolean {
    return expiresMs <= this.#wallMs() && busy === undefined;
  }

  /** Removes what has expired. */
  expire(): void {
    for (const uploads of [this.#uploads, this.#stored]) {
      for (const upload of uploads.values()) {
        if (this.#hasExpired(upload)) this.remove(upload);
      }
    }
  }

  /** Removes an upload; what is at its place stays. */
  remove(upload: UploadFile): void {
    this.#uploads.delete(upload.id);
    this.#stored.delete(upload.id);
    upload.remove();
    this.#gone.add(upload.id);
    if (this.#gone.size <= MAX_GONE) return;
    for (const oldest of this.#gone.keys().take(1)) this.#gone.delete(oldest);
  }

  /**
   * Makes an upload.
   *
   * @throws {TusError} If there are too many, or its place cannot be taken.
   */
  create(creation: TusCreation, source: string): UploadFile {
    this.#admit(creation.length ?? 0, source);
    const id = crypto.randomUUID().replaceAll("-", "");
    const isPart = creation.concat?.type === "partial";
    const path = isPart ? undefined : creation.path ?? id;
    const beginning: TusBeginning = { ...creation, path, source };
    if (path !== undefined) this.#checkPlace(path);
    const { disk } = this.#store;
    const upload = UploadFile.create(this.#folder, id, beginning, disk);
    this.#uploads.set(id, upload);
    this.touch(upload);
    return upload;
  }

  #admit(bytes: number, source: string): void {
    const { maxUploads, maxUploadsPerSource, maxUnfinishedBytes } =
      this.#limits;
    if (this.#uploads.size >= maxUploads) this.expire();
    const waiting = this.#unfinished();
    if (waiting.length >= maxUploads) {
      throw new TusError(503, `Cannot take more than ${maxUploads} uploads`);
    }
    const own = waiting.filter((it) => it.beginning.source === source);
    if (own.length >= maxUploadsPerSource) {
      throw new TusError(
        429,
        `Cannot take more than ${maxUploadsPerSource} uploads from ${source}`,
      );
    }
    const reserved = this.#reservedBytes(waiting);
    if (reserved + bytes <= maxUnfinishedBytes) return;
    throw noRoom(maxUnfinishedBytes);
  }

  #unfinished(): UploadFile[] {
    return [...this.#uploads.values()];
  }

  #reservedBytes(uploads: readonly UploadFile[]): number {
    return uploads.reduce(
      (sum, { length, end }) => sum + (length ?? end),
      0,
    );
  }

  /**
   * Checks that an upload may grow by `bytes`.
   *
   * @throws {TusError} If its length is not known, and all unfinished uploads together become too large.
   */
  checkRoom(upload: UploadFile, bytes: number): void {
    if (upload.length !== undefined) return;
    const { maxUnfinishedBytes } = this.#limits;
    const reserved = this.#reservedBytes(this.#unfinished());
    if (reserved + bytes > maxUnfinishedBytes) throw noRoom(maxUnfinishedBytes);
  }

  /** Puts off the time at which an upload expires. */
  touch(upload: UploadFile): void {
    upload.setExpiry(this.#wallMs() + this.#limits.expireMs);
  }

  /** Fills `upload` with `parts`, one after the other. */
  async join(upload: UploadFile, parts: readonly UploadFile[]): Promise<void> {
    upload.beginBody(false);
    for (const part of parts) {
      for (const data of part.read()) {
        await upload.append(data);
        await new Promise<void>(nextTurn);
      }
    }
    await upload.finish();
    if (upload.offset !== upload.length) {
      throw new TusError(500, "Cannot concatenate: a part is damaged");
    }
    await this.settle(upload);
    const soonMs = this.#wallMs() + JOINED_EXPIRE_MS;
    for (const part of new Set(parts)) {
      part.setExpiry(Math.min(part.expiresMs, soonMs));
      part.close();
    }
  }

  /**
   * Puts an upload to its place if all of it is there.
   *
   * @throws {TusError} If something else is in its place.
   */
  async settle(upload: UploadFile): Promise<void> {
    const { path } = upload.beginning;
    if (!isComplete(upload) || upload.isStored || path === undefined) return;
    await upload.finish();
    upload.close();
    this.#place(upload.dataPath, path);
    upload.stored();
    upload.close();
    this.#uploads.delete(upload.id);
    this.#stored.set(upload.id, upload);
    if (this.#stored.size <= MAX_STORED) return;
    for (const oldest of this.#stored.values().take(1)) this.remove(oldest);
  }

  #tree(): SafeTree {
    const { directory, disk, foldsNames } = this.#store;
    return new SafeTree(directory, disk, foldsNames);
  }

  #checkPlace(path: string): void {
    try {
      const tree = this.#tree();
      const missing = parents(path).find((parent) =>
        tree.existing(parent) === undefined
      );
      if (missing !== undefined) return tree.checkParents(missing);
      if (!tree.existing(path)?.isDirectory) return;
    } catch (error) {
      throw placeFailure(error);
    }
    throw new TusError(409, `Cannot put "${path}": a directory is there`);
  }

  #place(temporary: string, path: string): void {
    this.#checkPlace(path);
    const { disk, umask } = this.#store;
    const tree = this.#tree();
    try {
      for (const parent of parents(path)) {
        tree.makeDirectory({
          path: parent,
          kind: "directory",
          mode: 0o777 & ~umask,
          mtimeMs: 0,
          size: 0,
        });
        disk.syncDirectory(tree.locate(parentOf(parent)));
      }
      disk.setMode(temporary, 0o666 & ~umask);
      tree.install(temporary, path);
      disk.syncDirectory(tree.locate(parentOf(path)));
    } catch (error) {
      throw placeFailure(error);
    }
  }

  /** Puts uploads to their places that were complete when the process ended; those that cannot be stay. */
  async settleAll(): Promise<void> {
    const settling = this.#unfinished().map((upload) => this.settle(upload));
    await Promise.allSettled(settling);
  }

  /** Closes the files of all uploads. */
  close(): void {
    for (const upload of this.#unfinished()) upload.close();
  }
}

/** The directories that a path leads through, from the top. */
function parents(path: string): string[] {
  const names = path.split("/").slice(0, -1);
  return names.map((_, at) => names.slice(0, at + 1).join("/"));
}

function noRoom(maxBytes: number): TusError {
  return new TusError(
    507,
    `Cannot take more than ${maxBytes} bytes of unfinished uploads`,
  );
}

function placeFailure(error: unknown): unknown {
  return error instanceof PlaceError ? new TusError(409, error.message) : error;
}
