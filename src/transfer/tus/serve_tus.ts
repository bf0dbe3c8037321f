import { alarm, type Clock, sleep, systemClock } from "../../io/clock.ts";
import { parseEndpoint } from "../../io/endpoint.ts";
import { EndpointError } from "../../io/endpoint_error.ts";
import { formatAddress, sourceNetwork } from "../../proto/address.ts";
import { TusError } from "../../proto/transfer/tus/headers.ts";
import {
  type TusAnswer,
  type TusBody,
  TusProtocol,
  type TusProtocolOptions,
} from "../../proto/transfer/tus/protocol.ts";
import { DiskStore } from "../disk_store.ts";
import { diskFailure } from "../failure.ts";
import { type BodyLimits, BodyWriter } from "./body_writer.ts";
import type { UploadFile } from "./upload_file.ts";
import { type UploadLimits, UploadStore } from "./upload_store.ts";

/** What clients of {@linkcode serveTus} may cost. */
export interface TusLimits
  extends Omit<TusProtocolOptions, "path">, UploadLimits, BodyLimits {
  /** Requests at a time. @default {256} */
  readonly maxRequests?: number;
}

/** A file that arrived. */
export interface TusArrival {
  /** Where it is, below the folder. */
  readonly path: string;
  /** How long it is. */
  readonly bytes: number;
  /** The address of the client that completed it. */
  readonly address: string;
}

/** Options of {@linkcode serveTus}. */
export interface ServeTusOptions {
  /** The folder that files arrive in. */
  readonly directory: string;
  /** Where to listen: `http://HOST:PORT/PATH`, or `https:` with `tls`. Uploads are created at that path. */
  readonly listen: string;
  /** The certificate chain and private key for `https:`, in PEM. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** The origin of pages that may upload, such as `https://example.org`, or `*` for any. @default {none} */
  readonly allowOrigin?: string;
  /** What clients may cost. */
  readonly limits?: TusLimits;
  /** Is told of each file that arrived. */
  readonly arrived?: (arrival: TusArrival) => void;
  /** Is told of requests that failed for no fault of the client, such as by a broken disk. */
  readonly failed?: (error: unknown) => void;
  /** The folder, opened already; stays open when the server ends. */
  readonly store?: DiskStore;
  /** Where deadlines take their time from. @default {systemClock} */
  readonly clock?: Clock;
  /** Milliseconds since 1970, by which uploads expire. @default {Date.now} */
  readonly wallMs?: () => number;
}

/** The default of {@linkcode TusLimits.maxRequests}. */
export const DEFAULT_MAX_REQUESTS = 256;
/** A request that had data within this time is not given up for a new one. */
const LIVELY_MS = 1_000;
/** Uploads that have expired are removed this often. */
const SWEEP_MS = 60_000;
/** How long the end of a server waits for answers that are on their way. */
const DRAIN_MS = 2_000;

/**
 * A server that clients of tus 1.0 upload files to. Made by {@linkcode serveTus}.
 *
 * @see https://tus.io/protocols/resumable-upload
 */
export class TusServer implements AsyncDisposable {
  /** Where uploads are created. */
  readonly endpoint: string;
  readonly #options: ServeTusOptions;
  readonly #store: DiskStore;
  readonly #protocol: TusProtocol;
  readonly #uploads: UploadStore;
  readonly #clock: Clock;
  readonly #writers = new Map<UploadFile, BodyWriter>();
  readonly #http: Deno.HttpServer<Deno.NetAddr>;
  readonly #stopSweeping: () => void;
  /** Aborted, it breaks all connections off. */
  readonly #end = new AbortController();
  /** Responses that were not delivered yet. */
  readonly #requests = new Set<Promise<void>>();
  #isClosing = false;
  #draining: Promise<void> | undefined;

  /** Use {@linkcode serveTus}. */
  constructor(options: ServeTusOptions, store: DiskStore) {
    const { limits = {}, clock = systemClock } = options;
    const url = readEndpoint(options);
    this.#options = options;
    this.#store = store;
    this.#clock = clock;
    this.#protocol = new TusProtocol({ ...limits, path: url.pathname });
    this.#uploads = new UploadStore(store, limits, options.wallMs);
    this.#http = listen(url, { ...options, signal: this.#end.signal }, (
      request,
      { remoteAddr: { hostname, port }, completed },
    ) => {
      this.#count(completed);
      const address = formatAddress(hostname, port);
      return this.#serve(request, address, sourceNetwork(hostname));
    });
    url.port = `${this.#http.addr.port}`;
    this.endpoint = url.href;
    const sweep = (): void => {
      this.#uploads.expire();
      clock.arm(timer, SWEEP_MS);
    };
    const timer = alarm(clock, SWEEP_MS, sweep);
    this.#stopSweeping = () => clock.cancel(timer);
  }

  /** Puts uploads to their places that were complete when the last server ended. */
  async settle(): Promise<void> {
    await this.#uploads.settleAll();
  }

  #count(completed: Promise<void>): void {
    const ended = completed.catch(() => {}).then(() => {
      this.#requests.delete(ended);
    });
    this.#requests.add(ended);
  }

  async #serve(
    request: Request,
    address: string,
    source: string,
  ): Promise<Response> {
    const { maxRequests = DEFAULT_MAX_REQUESTS } = this.#options.limits ?? {};
    try {
      if (this.#requests.size > maxRequests || this.#isClosing) {
        throw new TusError(503, "Cannot take another request: try again later");
      }
      return this.#respond(request, await this.#do(request, address, source));
    } catch (error) {
      return this.#respond(
        request,
        this.#protocol.refused(this.#explain(error)),
      );
    }
  }

  /** What is to blame for an error; only what a client can know of it is told. */
  #explain(error: unknown): TusError {
    if (error instanceof TusError) return error;
    this.#options.failed?.(error);
    const { outcome } = diskFailure(error);
    return outcome === "full"
      ? new TusError(507, "Cannot store more: the disk is full")
      : new TusError(500, "Cannot do that: the server failed");
  }

  #respond(request: Request, { status, headers, body }: TusAnswer): Response {
    const hasBody = status !== 204 && request.method !== "HEAD";
    return new Response(hasBody ? body ?? "" : null, {
      status,
      headers: { ...headers, ...this.#originHeaders(request) },
    });
  }

  #originHeaders(request: Request): Record<string, string> {
    const { allowOrigin } = this.#options;
    const origin = request.headers.get("origin");
    if (
      allowOrigin === undefined || origin === null ||
      allowOrigin !== "*" && allowOrigin !== origin
    ) return {};
    return {
      "Access-Control-Allow-Origin": allowOrigin,
      "Access-Control-Allow-Methods": "POST, HEAD, PATCH, DELETE, OPTIONS",
      "Access-Control-Allow-Headers": REQUEST_HEADERS,
      "Access-Control-Expose-Headers": RESPONSE_HEADERS,
      "Access-Control-Max-Age": "86400",
      "Vary": "Origin",
    };
  }

  async #do(
    request: Request,
    address: string,
    source: string,
  ): Promise<TusAnswer> {
    const { method, headers } = request;
    const path = new URL(request.url).pathname;
    const find = (id: string) => this.#uploads.find(id);
    const action = this.#protocol.plan({ method, path, headers }, find);
    switch (action.type) {
      case "answer":
        return action.answer;
      case "tell": {
        const { upload } = action;
        if (upload.busy === undefined) {
          await this.#alone(upload, () => this.#settle(upload, address));
        }
        return this.#protocol.told(upload);
      }
      case "create": {
        const upload = this.#uploads.create(action.creation, source);
        await this.#alone(upload, async () => {
          if (action.body) await this.#write(upload, action.body, request.body);
          await this.#settle(upload, address);
        });
        return this.#protocol.created(upload);
      }
      case "join": {
        const { creation, parts } = action;
        return await this.#join(parts, () => {
          const upload = this.#uploads.create(creation, source);
          return this.#alone(upload, async () => {
            await this.#uploads.join(upload, parts).catch((error) => {
              this.#uploads.remove(upload);
              throw error;
            });
            this.#tell(upload, address);
            return this.#protocol.created(upload);
          });
        });
      }
      case "append": {
        const { upload, offset, length, body } = action;
        await this.#alone(upload, async () => {
          this.#protocol.checkOffset(upload, offset);
          if (length !== undefined) upload.setLength(length);
          await this.#write(upload, body, request.body);
          await this.#settle(upload, address);
        });
        return this.#protocol.appended(upload);
      }
      case "terminate":
        return await this.#alone(action.upload, () => {
          this.#uploads.remove(action.upload);
          return Promise.resolve(this.#protocol.terminated());
        });
    }
  }

  /** Does `work` while nobody else does any on the upload; a request whose client is silent gives way. */
  async #alone<T>(upload: UploadFile, work: () => Promise<T>): Promise<T> {
    const writer = this.#writers.get(upload);
    if (
      writer !== undefined &&
      this.#clock.now() - writer.lastDataMs >= LIVELY_MS
    ) {
      const reason = "Cannot wait any longer: another request took over";
      writer.stop(new TusError(409, reason));
      await upload.busy;
    }
    if (upload.busy !== undefined) {
      throw new TusError(423, "Cannot do that: another request is at work");
    }
    if (this.#uploads.find(upload.id) !== upload) {
      throw new TusError(410, "Cannot go on: the upload was removed");
    }
    const ended = Promise.withResolvers<void>();
    upload.busy = ended.promise;
    try {
      return await work();
    } finally {
      upload.busy = undefined;
      upload.close();
      ended.resolve();
    }
  }

  /** The same for all parts of an upload. */
  #join<T>(parts: readonly UploadFile[], work: () => Promise<T>): Promise<T> {
    return [...new Set(parts)].reduceRight(
      (inner: () => Promise<T>, part) => () => this.#alone(part, inner),
      work,
    )();
  }

  async #write(
    upload: UploadFile,
    body: TusBody,
    stream: ReadableStream<Uint8Array> | null,
  ): Promise<void> {
    const writer = new BodyWriter(upload, body, {
      ...this.#options.limits,
      protocol: this.#protocol,
      uploads: this.#uploads,
      clock: this.#clock,
    });
    this.#writers.set(upload, writer);
    try {
      await writer.write(stream);
    } finally {
      this.#writers.delete(upload);
      this.#uploads.touch(upload);
    }
  }

  async #settle(upload: UploadFile, address: string): Promise<void> {
    if (upload.isStored) return;
    await this.#uploads.settle(upload);
    this.#tell(upload, address);
  }

  #tell({ isStored, beginning, offset }: UploadFile, address: string): void {
    const { path } = beginning;
    if (!isStored || path === undefined) return;
    this.#options.arrived?.({ path, bytes: offset, address });
  }

  /** Keeps what has arrived, breaks off the rest, and closes the folder. */
  drain(): Promise<void> {
    return this.#draining ??= this.#drain();
  }

  async #drain(): Promise<void> {
    this.#isClosing = true;
    this.#stopSweeping();
    const ending = new TusError(503, "Cannot go on: the server is ending");
    for (const writer of this.#writers.values()) writer.stop(ending);
    await Promise.race([
      Promise.all(this.#requests),
      sleep(this.#clock, DRAIN_MS),
    ]);
    this.#end.abort();
    await this.#http.finished;
    this.#uploads.close();
    if (this.#options.store === undefined) this.#store.close();
  }

  /** Drains, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }
}

const REQUEST_HEADERS = "Content-Type, Tus-Resumable, Upload-Checksum, " +
  "Upload-Concat, Upload-Defer-Length, Upload-Length, Upload-Metadata, " +
  "Upload-Offset, X-HTTP-Method-Override, X-Request-ID";
const RESPONSE_HEADERS = "Location, Tus-Checksum-Algorithm, Tus-Extension, " +
  "Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Concat, " +
  "Upload-Defer-Length, Upload-Expires, Upload-Length, Upload-Metadata, " +
  "Upload-Offset";

/** The address of a server, checked. */
function readEndpoint({ listen, tls }: ServeTusOptions): URL {
  const url = URL.canParse(listen) ? new URL(listen) : undefined;
  if (!/^https?:$/.test(url?.protocol ?? "") || url!.search || url!.hash) {
    throw new SyntaxError(
      `Cannot serve tus: http://HOST:PORT/PATH is expected: current value is "${listen}"`,
    );
  }
  if ((url!.protocol === "https:") !== (tls !== undefined)) {
    throw new SyntaxError(
      `Cannot serve tus at ${listen}: a certificate goes with https: alone`,
    );
  }
  return url!;
}

function listen(
  url: URL,
  { tls, signal }: ServeTusOptions & { signal: AbortSignal },
  serve: (
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ) => Promise<Response>,
): Deno.HttpServer<Deno.NetAddr> {
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const standard = url.protocol === "https:" ? 443 : 80;
  const port = url.port === "" ? standard : Number(url.port);
  try {
    const quiet = { signal, onListen() {} };
    return Deno.serve({ hostname, port, ...quiet, ...tls }, serve);
  } catch (error) {
    const endpoint = parseEndpoint(`tcp://${url.hostname}:${port}`);
    throw new EndpointError("listen on", endpoint, error);
  }
}

/**
 * Opens a folder for clients that upload by tus 1.0. A file is at its place when all of it has arrived; until then it lies
 * in `.portolan/tus`, and an upload goes on where it was after a crash of either side.
 *
 * @throws {SyntaxError} If the endpoint is none.
 * @throws {Error} If the folder cannot be opened, or another process has it open.
 * @throws {EndpointError} If the endpoint cannot be listened on.
 *
 * @example Usage
 * ```ts
 * import { serveTus } from "./serve_tus.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = await Deno.makeTempDir({ dir: "/tmp" });
 * await using server = await serveTus({ directory, listen: "http://127.0.0.1:0" });
 * const response = await fetch(server.endpoint, {
 *   method: "POST",
 *   headers: {
 *     "Tus-Resumable": "1.0.0",
 *     "Upload-Length": "4",
 *     "Upload-Metadata": `filename ${btoa("a.txt")}`,
 *     "Content-Type": "application/offset+octet-stream",
 *   },
 *   body: "ahoy",
 * });
 * await response.body?.cancel();
 * assertEquals(response.status, 201);
 * assertEquals(await Deno.readTextFile(`${directory}/a.txt`), "ahoy");
 * ```
 */
export async function serveTus(options: ServeTusOptions): Promise<TusServer> {
  const store = options.store ?? DiskStore.open(options.directory);
  try {
    const server = new TusServer(options, store);
    await server.settle();
    return server;
  } catch (error) {
    if (options.store === undefined) store.close();
    throw error;
  }
}
