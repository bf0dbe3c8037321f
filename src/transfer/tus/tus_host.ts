import { alarm, type Clock, sleep, systemClock } from "../../io/clock.ts";
import { formatAddress, sourceNetwork } from "../../proto/address.ts";
import { TusError } from "../../proto/transfer/tus/headers.ts";
import {
  type TusAnswer,
  type TusBody,
  TusProtocol,
} from "../../proto/transfer/tus/protocol.ts";
import type { DiskStore } from "../disk_store.ts";
import { diskFailure } from "../failure.ts";
import { BodyWriter } from "./body_writer.ts";
import { listen, readEndpoint } from "./http.ts";
import type { ServeTusOptions, TusServer } from "./serve_tus.ts";
import type { UploadFile } from "./upload_file.ts";
import { UploadStore } from "./upload_store.ts";

/** The default of {@linkcode TusLimits.maxRequests}. */
export const DEFAULT_MAX_REQUESTS = 256;
/** A request that had data within this time is not given up for a new one. */
const LIVELY_MS = 1_000;
/** Uploads that have expired are removed this often. */
const SWEEP_MS = 60_000;
/** How long the end of a server waits for answers that are on their way. */
const DRAIN_MS = 2_000;

/** Does what requests ask for, between the rules of tus, the uploads of a folder, and HTTP. */
export class TusHost implements TusServer {
  readonly endpoint: string;
  readonly #options: ServeTusOptions;
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

  /** Listens; the folder is the caller's. */
  constructor(store: DiskStore, options: ServeTusOptions) {
    const { limits = {}, clock = systemClock } = options;
    const url = readEndpoint(options);
    this.#options = options;
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
  }

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
