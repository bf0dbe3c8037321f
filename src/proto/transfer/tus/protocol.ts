import {
  readChecksum,
  readConcat,
  readDefer,
  readMetadata,
  readPath,
  readSize,
  TUS_ALGORITHMS,
  type TusChecksum,
  type TusConcat,
  TusError,
  type TusHeaders,
} from "./headers.ts";

/** The version of tus that this is. */
export const TUS_VERSION = "1.0.0";

/** The largest file, unless told otherwise: 1 TiB. */
export const DEFAULT_MAX_UPLOAD_BYTES: number = 2 ** 40;

/** Bytes of metadata, unless told otherwise. */
export const DEFAULT_MAX_METADATA_BYTES: number = 4096;

/** The type that bodies with data have. */
export const TUS_CONTENT_TYPE = "application/offset+octet-stream";

const EXTENSIONS = "creation,creation-with-upload,creation-defer-length," +
  "checksum,termination,concatenation,expiration";

/** What is known of an upload. */
export interface TusUpload {
  /** Its name in URLs. */
  readonly id: string;
  /** Bytes of the whole; undefined while the client has not said. */
  readonly length: number | undefined;
  /** Bytes that are there. */
  readonly offset: number;
  /** `Upload-Metadata`, as the client sent it. */
  readonly metadata: string | undefined;
  /** What it is to others. */
  readonly concat: TusConcat | undefined;
  /** When it is removed unless something happens, in milliseconds since 1970. */
  readonly expiresMs: number;
}

/** A request without its body. */
export interface TusRequest {
  /** Its method. */
  readonly method: string;
  /** The path of its URL. */
  readonly path: string;
  /** Its headers. */
  readonly headers: TusHeaders;
}

/** A response. */
export interface TusAnswer {
  /** Its HTTP status. */
  readonly status: number;
  /** Its headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** What went wrong, for a person. */
  readonly body?: string;
}

/** Data in the body of a request. */
export interface TusBody {
  /** How long it says it is; undefined if it does not. */
  readonly length: number | undefined;
  /** What it must be; nothing of it is kept if it is not. */
  readonly checksum: TusChecksum | undefined;
}

/** A new upload. */
export interface TusCreation {
  /** Bytes of the whole; undefined if the client says it later. */
  readonly length: number | undefined;
  /** `Upload-Metadata`, as the client sent it. */
  readonly metadata: string | undefined;
  /** The path that it asks for. */
  readonly path: string | undefined;
  /** What it is to others. */
  readonly concat: TusConcat | undefined;
}

/** What has to be done about a request. */
export type TusAction<U extends TusUpload> =
  /** Send this. */
  | { readonly type: "answer"; readonly answer: TusAnswer }
  /** Make an upload, with the data of the body if there is one, and answer {@linkcode TusProtocol.created}. */
  | {
    readonly type: "create";
    readonly creation: TusCreation;
    readonly body: TusBody | undefined;
  }
  /** Make an upload of others, and answer {@linkcode TusProtocol.created}. */
  | {
    readonly type: "join";
    readonly creation: TusCreation;
    readonly parts: readonly U[];
  }
  /** Tell how far it is: answer {@linkcode TusProtocol.told}. */
  | { readonly type: "tell"; readonly upload: U }
  /** Append the body at the offset of the upload, if that is still `offset`, and answer {@linkcode TusProtocol.appended}. */
  | {
    readonly type: "append";
    readonly upload: U;
    readonly offset: number;
    /** Bytes of the whole, if they are known since this request. */
    readonly length: number | undefined;
    readonly body: TusBody;
  }
  /** Forget it, and answer {@linkcode TusProtocol.terminated}. */
  | { readonly type: "terminate"; readonly upload: U };

/** Finds an upload; `"gone"` for one that was removed. */
export type TusFind<U extends TusUpload> = (
  id: string,
) => U | "gone" | undefined;

/** Options of {@linkcode TusProtocol}. */
export interface TusProtocolOptions {
  /** The path under which uploads are created; theirs are below it. @default {"/"} */
  readonly path?: string;
  /** The largest file. @default {2 ** 40} */
  readonly maxUploadBytes?: number;
  /** Bytes of metadata of an upload. @default {4096} */
  readonly maxMetadataBytes?: number;
}

/**
 * The rules of tus 1.0.0 without IO: requests and what is known of uploads in, what to do and responses out. Of the extensions
 * it has creation, creation-with-upload, creation-defer-length, checksum, termination, concatenation and expiration.
 *
 * @see https://tus.io/protocols/resumable-upload
 *
 * @example Usage
 * ```ts
 * import { TusProtocol } from "./protocol.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const tus = new TusProtocol();
 * const headers = new Headers({ "tus-resumable": "1.0.0", "upload-length": "5" });
 * const action = tus.plan({ method: "POST", path: "/", headers }, () => undefined);
 * assertEquals(action.type === "create" && action.creation.length, 5);
 * ```
 */
export class TusProtocol {
  /** The largest file. */
  readonly maxUploadBytes: number;
  readonly #maxMetadataBytes: number;
  /** Ends with a slash. */
  readonly #base: string;

  /** Starts with options; uploads are the caller's. */
  constructor(options: TusProtocolOptions = {}) {
    this.maxUploadBytes = options.maxUploadBytes ?? DEFAULT_MAX_UPLOAD_BYTES;
    this.#maxMetadataBytes = options.maxMetadataBytes ??
      DEFAULT_MAX_METADATA_BYTES;
    this.#base = `${(options.path ?? "/").replace(/\/+$/, "")}/`;
  }

  /** What to do about a request. */
  plan<U extends TusUpload>(
    request: TusRequest,
    find: TusFind<U>,
  ): TusAction<U> {
    try {
      return this.#plan(request, find);
    } catch (error) {
      return { type: "answer", answer: this.refused(error) };
    }
  }

  #plan<U extends TusUpload>(
    { method, path, headers }: TusRequest,
    find: TusFind<U>,
  ): TusAction<U> {
    const verb = headers.get("x-http-method-override") ?? method;
    if (verb === "OPTIONS") return { type: "answer", answer: this.#options() };
    const id = this.#idOf(path);
    const allowed = id === "" ? ["POST"] : ["HEAD", "PATCH", "DELETE"];
    if (!allowed.includes(verb)) {
      throw new TusError(
        405,
        `Cannot ${verb} ${path}: allowed are OPTIONS, ${allowed.join(", ")}`,
      );
    }
    const version = headers.get("tus-resumable");
    if (version !== TUS_VERSION) {
      throw new TusError(
        412,
        `Cannot speak tus ${version}: ${TUS_VERSION} is spoken here`,
      );
    }
    if (id === "") return this.#create(headers, find);
    const upload = known(id, find);
    if (verb === "HEAD") return { type: "tell", upload };
    if (verb === "DELETE") return { type: "terminate", upload };
    return this.#append(upload, headers);
  }

  /** What a path says after that under which uploads are created; empty for that itself. */
  #idOf(path: string): string {
    if (`${path}/` === this.#base) return "";
    if (path.startsWith(this.#base)) return path.slice(this.#base.length);
    throw new TusError(404, `Cannot find ${path}: uploads are ${this.#base}`);
  }

  #create<U extends TusUpload>(
    headers: TusHeaders,
    find: TusFind<U>,
  ): TusAction<U> {
    const length = readSize(headers, "upload-length");
    const deferred = readDefer(headers);
    const metadata = headers.get("upload-metadata") ?? undefined;
    const values = metadata === undefined
      ? new Map<string, Uint8Array>()
      : readMetadata(metadata, this.#maxMetadataBytes);
    const path = readPath(values);
    const concat = readConcat(headers);
    if (concat?.type === "final") {
      if (length !== undefined || deferred) {
        throw new TusError(
          400,
          "Cannot concatenate: the length is that of the parts",
        );
      }
      return this.#join({ length, metadata, path, concat }, concat.parts, find);
    }
    if (deferred === (length !== undefined)) {
      throw new TusError(
        400,
        "Cannot create upload: one of Upload-Length and Upload-Defer-Length is expected",
      );
    }
    this.#checkLength(length);
    const creation = { length, metadata, path, concat };
    return { type: "create", creation, body: this.#firstBody(length, headers) };
  }

  #firstBody(
    length: number | undefined,
    headers: TusHeaders,
  ): TusBody | undefined {
    const bytes = readSize(headers, "content-length");
    if (bytes === 0) return undefined;
    if (headers.get("content-type") === TUS_CONTENT_TYPE) {
      return this.#body(0, length, headers);
    }
    if (bytes === undefined) return undefined;
    throw badType(headers);
  }

  #join<U extends TusUpload>(
    creation: TusCreation,
    urls: readonly string[],
    find: TusFind<U>,
  ): TusAction<U> {
    let length = 0;
    const parts = urls.map((url) => {
      const path = url.replace(/^https?:\/\/[^/]*/, "");
      const id = path.startsWith("/") ? this.#idOf(path) : path;
      const part = known(id, find);
      if (part.concat?.type !== "partial") {
        throw new TusError(400, `Cannot concatenate ${url}: it is no part`);
      }
      if (part.offset !== part.length) {
        throw new TusError(
          400,
          `Cannot concatenate ${url}: it is not complete: ${part.offset} bytes are there`,
        );
      }
      length += part.length;
      return part;
    });
    this.#checkLength(length);
    return { type: "join", creation: { ...creation, length }, parts };
  }

  #checkLength(length = 0): void {
    if (length <= this.maxUploadBytes) return;
    throw new TusError(
      413,
      `Cannot take more than ${this.maxUploadBytes} bytes: current value is ${length}`,
    );
  }

  #append<U extends TusUpload>(upload: U, headers: TusHeaders): TusAction<U> {
    if (upload.concat?.type === "final") {
      throw new TusError(403, "Cannot append: the upload is made of others");
    }
    if (headers.get("content-type") !== TUS_CONTENT_TYPE) {
      throw badType(headers);
    }
    const offset = readSize(headers, "upload-offset");
    if (offset === undefined) {
      throw new TusError(400, "Cannot append: Upload-Offset is missing");
    }
    this.checkOffset(upload, offset);
    const told = readSize(headers, "upload-length");
    if (
      upload.length !== undefined && (told ?? upload.length) !== upload.length
    ) {
      throw new TusError(
        400,
        `Cannot change Upload-Length: current value is ${upload.length}`,
      );
    }
    const length = upload.length ?? told;
    this.#checkLength(length);
    if (length !== undefined && length < offset) {
      throw new TusError(
        400,
        `Cannot set Upload-Length ${length}: ${offset} bytes are there`,
      );
    }
    const body = this.#body(offset, length, headers);
    return { type: "append", upload, offset, length, body };
  }

  /**
   * Checks that `offset` is that of the upload; to be asked again if something was waited for.
   *
   * @throws {TusError} If it is not.
   */
  checkOffset(upload: TusUpload, offset: number): void {
    if (offset === upload.offset) return;
    throw new TusError(
      409,
      `Cannot append at ${offset}: current offset is ${upload.offset}`,
    );
  }

  #body(
    offset: number,
    length: number | undefined,
    headers: TusHeaders,
  ): TusBody {
    const bytes = readSize(headers, "content-length");
    this.checkEnd(offset + (bytes ?? 0), length);
    return { length: bytes, checksum: readChecksum(headers) };
  }

  /**
   * Checks that an upload may have data up to `end`.
   *
   * @throws {TusError} If that is more than its length, or than any upload may have.
   */
  checkEnd(end: number, length: number | undefined): void {
    const most = length ?? this.maxUploadBytes;
    if (end <= most) return;
    throw new TusError(
      413,
      `Cannot take data up to ${end}: ${most} is the end`,
    );
  }

  #options(): TusAnswer {
    return answer(204, {
      "Tus-Version": TUS_VERSION,
      "Tus-Extension": EXTENSIONS,
      "Tus-Max-Size": `${this.maxUploadBytes}`,
      "Tus-Checksum-Algorithm": Object.keys(TUS_ALGORITHMS).join(","),
    });
  }

  /** How far an upload is. */
  told(upload: TusUpload): TusAnswer {
    const { length, metadata, concat } = upload;
    return answer(200, {
      ...progress(upload),
      ...(length === undefined
        ? { "Upload-Defer-Length": "1" }
        : { "Upload-Length": `${length}` }),
      ...(metadata === undefined ? {} : { "Upload-Metadata": metadata }),
      ...(concat === undefined ? {} : {
        "Upload-Concat": concat.type === "final" ? concat.value : concat.type,
      }),
      "Cache-Control": "no-store",
    });
  }

  /** An upload was made; its offset is told if the request had data. */
  created(upload: TusUpload): TusAnswer {
    const headers = { Location: this.#base + upload.id, ...progress(upload) };
    return answer(201, headers);
  }

  /** Data was appended. */
  appended(upload: TusUpload): TusAnswer {
    return answer(204, progress(upload));
  }

  /** An upload was removed. */
  terminated(): TusAnswer {
    return answer(204, {});
  }

  /**
   * A request was refused.
   *
   * @throws Whatever `error` is, unless it is a {@linkcode TusError}.
   */
  refused(error: unknown): TusAnswer {
    if (!(error instanceof TusError)) throw error;
    const { status, message } = error;
    const headers: Record<string, string> = status === 412
      ? { "Tus-Version": TUS_VERSION }
      : {};
    return { ...answer(status, headers), body: `${message}\n` };
  }
}

/** Whether all of an upload is there. */
export function isComplete(upload: TusUpload): boolean {
  return upload.offset === upload.length;
}

function answer(
  status: number,
  headers: Readonly<Record<string, string>>,
): TusAnswer {
  return { status, headers: { "Tus-Resumable": TUS_VERSION, ...headers } };
}

function progress(upload: TusUpload): Record<string, string> {
  const offset = { "Upload-Offset": `${upload.offset}` };
  if (isComplete(upload) && upload.concat?.type !== "partial") return offset;
  const expires = new Date(upload.expiresMs).toUTCString();
  return { ...offset, "Upload-Expires": expires };
}

function known<U extends TusUpload>(id: string, find: TusFind<U>): U {
  const upload = find(id);
  if (upload === undefined) throw new TusError(404, "Cannot find the upload");
  if (upload !== "gone") return upload;
  throw new TusError(
    410,
    "Cannot go on: the upload has expired or was removed",
  );
}

function badType(headers: TusHeaders): TusError {
  return new TusError(
    415,
    `Cannot take data: Content-Type ${TUS_CONTENT_TYPE} is expected: current value is ${
      headers.get("content-type")
    }`,
  );
}
