/**
 * The options by which a command takes uploads of tus 1.0.
 *
 * @module
 */

import type { DiskStore } from "../transfer/disk_store.ts";
import { DEFAULT_UPLOAD_LIMITS } from "../transfer/tus/upload_store.ts";
import { serveTusStore, type TusServer } from "../transfer/tus/serve_tus.ts";
import { UsageError } from "./arguments.ts";
import { describeError } from "./describe_error.ts";
import { formatBytes } from "./format.ts";
import type { Output } from "./output.ts";

/** Options of a command that takes uploads of tus. */
export const TUS_FLAGS = {
  tus: {
    type: "string",
    placeholder: "URL",
    help: "Take uploads of tus 1.0 there, too: http://HOST:PORT/PATH",
  },
  tusOrigin: {
    type: "string",
    placeholder: "ORIGIN",
    help: "Let pages from there upload by tus, such as https://example.org",
  },
  tusMaxBytes: {
    type: "integer",
    min: 0,
    default: 2 ** 40,
    help: "The largest file by tus",
  },
  tusExpire: {
    type: "number",
    min: 0,
    default: DEFAULT_UPLOAD_LIMITS.expireMs / 3_600_000,
    help: "Hours until an unfinished upload of tus is removed",
  },
} as const;

/** The values of {@linkcode TUS_FLAGS}, and those of others that touch them. */
export interface TusValues {
  readonly tus?: string | undefined;
  readonly tusOrigin?: string | undefined;
  readonly tusMaxBytes: number;
  readonly tusExpire: number;
  readonly readOnly: boolean;
  readonly clientCa?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/**
 * Takes uploads of tus as the options say; undefined if they say nothing of it.
 *
 * @throws {UsageError} If they do not go together.
 */
export async function startTus(
  values: TusValues,
  store: DiskStore,
  output: Output,
): Promise<TusServer | undefined> {
  const { tus, tusOrigin } = values;
  if (tus === undefined) return undefined;
  if (values.readOnly) {
    throw new UsageError("Cannot use --tus with --read-only");
  }
  if (values.clientCa !== undefined) {
    // The runtime's HTTP server asks for no certificates: anybody would be let in.
    throw new UsageError("Cannot use --tus with --client-ca");
  }
  try {
    const tls = tus.startsWith("https:") ? await readPair(values) : undefined;
    return await serveTusStore(store, {
      directory: store.directory,
      listen: tus,
      limits: {
        maxUploadBytes: values.tusMaxBytes,
        expireMs: values.tusExpire * 3_600_000,
      },
      ...(tls === undefined ? {} : { tls }),
      ...(tusOrigin === undefined ? {} : { allowOrigin: tusOrigin }),
      arrived: (arrival) =>
        output.print(
          `tus ${arrival.address}: ${arrival.path}, ${
            formatBytes(arrival.bytes)
          }`,
          { type: "arrived", ...arrival },
        ),
      failed: (error) => output.error(`tus: ${describeError(error)}`),
    });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError(`Cannot use --tus ${tus}: ${error.message}`);
  }
}

async function readPair(
  { cert, key }: TusValues,
): Promise<{ cert: string; key: string }> {
  if (cert === undefined || key === undefined) {
    throw new UsageError(
      "Cannot use --tus with https: without --cert and --key",
    );
  }
  return {
    cert: await Deno.readTextFile(cert),
    key: await Deno.readTextFile(key),
  };
}
