import { createHash } from "node:crypto";
import { alarm, type Clock, sleep } from "../../io/clock.ts";
import { TusError } from "../../proto/transfer/tus/headers.ts";
import type {
  TusBody,
  TusProtocol,
} from "../../proto/transfer/tus/protocol.ts";
import { TokenBucket } from "../../proto/token_bucket.ts";
import type { UploadFile } from "./upload_file.ts";
import type { UploadStore } from "./upload_store.ts";

/** What the body of a request may take. */
export interface BodyLimits {
  /** Bytes a second of one request, on average. @default {Infinity} */
  readonly bytesPerSecond?: number;
  /** Milliseconds without data after which a request is ended. @default {60_000} */
  readonly stalledMs?: number;
}

/** The default of {@linkcode BodyLimits.stalledMs}. */
export const DEFAULT_STALLED_MS = 60_000;

/** What a {@linkcode BodyWriter} works with. */
export interface BodyWriterOptions extends BodyLimits {
  /** The rules. */
  readonly protocol: TusProtocol;
  /** Where the upload is. */
  readonly uploads: UploadStore;
  /** Where deadlines take their time from. */
  readonly clock: Clock;
}

/** Writes the body of a request to an upload. What arrived of a body that broke off counts, unless it has a checksum. */
export class BodyWriter {
  /** When data came last, by the clock. */
  lastDataMs: number;
  readonly #upload: UploadFile;
  readonly #body: TusBody;
  readonly #options: BodyWriterOptions;
  readonly #end = new AbortController();

  /** Begins to write to `upload`, which nobody else writes to. */
  constructor(upload: UploadFile, body: TusBody, options: BodyWriterOptions) {
    this.#upload = upload;
    this.#body = body;
    this.#options = options;
    this.lastDataMs = options.clock.now();
  }

  /** Ends it; what came so far is kept. */
  stop(reason: TusError): void {
    this.#end.abort(reason);
  }

  /**
   * Writes all of the body; what counts of it is on disk for good when this resolves.
   *
   * @throws {TusError} If it is not what it should be, or was ended.
   */
  async write(stream: ReadableStream<Uint8Array> | null): Promise<void> {
    const { checksum } = this.#body;
    const upload = this.#upload;
    upload.beginBody(checksum !== undefined);
    const hash = checksum && createHash(checksum.algorithm);
    try {
      if (stream !== null) {
        await this.#read(stream, (data) => {
          hash?.update(data);
          return upload.append(data);
        });
      }
      if (checksum && !sameBytes(hash!.digest(), checksum.digest)) {
        throw new TusError(460, "Cannot take the data: its checksum differs");
      }
    } catch (error) {
      if (checksum !== undefined) upload.rollBack();
      await this.#keep();
      throw error;
    }
    await this.#keep();
  }

  async #keep(): Promise<void> {
    try {
      await this.#upload.finish();
    } catch (error) {
      this.#upload.rollBack();
      throw error;
    }
  }

  async #read(
    stream: ReadableStream<Uint8Array>,
    take: (data: Uint8Array) => Promise<void> | undefined,
  ): Promise<void> {
    const { clock, protocol, uploads } = this.#options;
    const { stalledMs = DEFAULT_STALLED_MS } = this.#options;
    const { bytesPerSecond = Infinity } = this.#options;
    const bucket = TokenBucket.of(bytesPerSecond, clock.now());
    const { signal } = this.#end;
    const reader = stream.getReader();
    const cancel = () => void reader.cancel(signal.reason).catch(() => {});
    signal.addEventListener("abort", cancel);
    const stalled = alarm(clock, stalledMs, () => {
      const reason = `Cannot wait any longer: no data for ${stalledMs} ms`;
      this.stop(new TusError(408, reason));
    });
    try {
      while (!signal.aborted) {
        const { done, value } = await reader.read();
        if (done) break;
        const upload = this.#upload;
        protocol.checkEnd(upload.end + value.length, upload.length);
        uploads.checkRoom(upload, value.length);
        await take(value);
        this.lastDataMs = clock.now();
        const waitMs = bucket?.take(value.length, this.lastDataMs) ?? 0;
        if (waitMs > 0) await sleep(clock, waitMs, signal);
        if (stalledMs !== Infinity) clock.arm(stalled, stalledMs);
      }
      if (signal.aborted) throw signal.reason;
    } finally {
      clock.cancel(stalled);
      signal.removeEventListener("abort", cancel);
      cancel();
    }
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
