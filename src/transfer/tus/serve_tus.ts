import type { Clock } from "../../io/clock.ts";
import { DiskStore } from "../disk_store.ts";
import type { BodyLimits } from "./body_writer.ts";
import { TusHost } from "./tus_host.ts";
import type { UploadLimits } from "./upload_store.ts";

/** What clients of {@linkcode serveTus} may cost. */
export interface TusLimits extends UploadLimits, BodyLimits {
  /** The largest file. @default {2 ** 40} */
  readonly maxUploadBytes?: number;
  /** Bytes of metadata of an upload. @default {4096} */
  readonly maxMetadataBytes?: number;
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
  /** Where deadlines take their time from. @default {systemClock} */
  readonly clock?: Clock;
  /** Milliseconds since 1970, by which uploads expire. @default {Date.now} */
  readonly wallMs?: () => number;
}

/**
 * A server that clients of tus 1.0 upload files to. Made by {@linkcode serveTus}.
 *
 * @see https://tus.io/protocols/resumable-upload
 */
export interface TusServer extends AsyncDisposable {
  /** Where uploads are created. */
  readonly endpoint: string;
  /** Keeps what has arrived, breaks off the rest, and closes the folder. */
  drain(): Promise<void>;
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
  const store = DiskStore.open(options.directory);
  try {
    const host = await serveTusStore(store, options);
    const drain = () => host.drain().then(() => store.close());
    return {
      endpoint: host.endpoint,
      drain,
      [Symbol.asyncDispose]: drain,
    };
  } catch (error) {
    store.close();
    throw error;
  }
}

/** The same for a folder that is open already; it stays open when the server has ended. */
export async function serveTusStore(
  store: DiskStore,
  options: ServeTusOptions,
): Promise<TusServer> {
  const host = new TusHost(store, options);
  await host.settle();
  return host;
}
