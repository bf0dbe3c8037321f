import { connect } from "../client/connect.ts";
import { systemClock } from "../io/clock.ts";
import { ConnectionEndedError } from "../io/peer.ts";
import type { TransferEntry } from "../proto/transfer/entry.ts";
import {
  TRANSFER_VERSION,
  TRANSFER_WIRE,
  type TransferMessage,
} from "../proto/transfer/messages.ts";
import { DiskStore } from "./disk_store.ts";
import { persist } from "./persist.ts";
import { ReceiverRole } from "./receiver_role.ts";
import type { RoadOptions } from "./road_options.ts";
import { refusedBy } from "./send_files.ts";
import { RunningTransfer, type Transfer } from "./transfer.ts";
import { CLIENT_LIMITS } from "./transfer_peer.ts";

/** Options of {@linkcode getFiles}. */
export interface GetFilesOptions extends RoadOptions {
  /** The server's endpoint, as a URL. */
  readonly from: string;
  /** What to get of the server's folder. @default {""}, all of it */
  readonly path?: string;
  /** The folder that it arrives in; must exist. */
  readonly directory: string;
  /** Entries of a tree. @default {1_000_000} */
  readonly maxEntries?: number;
}

/**
 * Gets files and trees from a server that shares them. What is there already is not sent again; what breaks off goes on
 * where it was when it is asked for again.
 *
 * @example Usage
 * ```ts
 * import { getFiles } from "./get_files.ts";
 * import { serveFiles } from "./serve_files.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const shared = await Deno.makeTempDir({ dir: "/tmp" });
 * const here = await Deno.makeTempDir({ dir: "/tmp" });
 * await Deno.mkdir(`${shared}/charts`);
 * await Deno.writeTextFile(`${shared}/charts/north.txt`, "ice");
 *
 * await using server = await serveFiles({
 *   directory: shared,
 *   listen: "memory:charts",
 *   shares: true,
 * });
 * const { summary } = getFiles({ from: server.endpoint, directory: here });
 * assertEquals((await summary).entries, 2);
 * assertEquals(await Deno.readTextFile(`${here}/charts/north.txt`), "ice");
 * ```
 */
export function getFiles(options: GetFilesOptions): Transfer {
  const { clock = systemClock, directory } = options;
  return new RunningTransfer(clock, async (transfer) => {
    using store = DiskStore.open(directory);
    const attempt = () => getOnce(transfer, store, options);
    await persist(transfer, attempt, { ...options, clock });
  });
}

async function getOnce(
  transfer: RunningTransfer,
  store: DiskStore,
  options: GetFilesOptions,
): Promise<void> {
  const { from, path = "", maxEntries, signal } = options;
  await using client = await connect({
    ...options,
    to: from,
    wire: TRANSFER_WIRE,
    limits: CLIENT_LIMITS,
    message(message: TransferMessage): Promise<void> | undefined {
      if (message.type === "welcome") return undefined;
      if (message.type === "error") {
        role.close(refusedBy(from, message.reason));
        return undefined;
      }
      try {
        return role.receive(message)?.catch((error) => role.close(error));
      } catch (error) {
        role.close(error);
        return undefined;
      }
    },
  });
  const role = new ReceiverRole(client, store, transfer, maxEntries);
  client.signal.addEventListener("abort", () => {
    const action = `get files from ${client.address}`;
    role.close(new ConnectionEndedError(action, client.ending!));
  });
  const stop = () => role.close(signal?.reason);
  signal?.addEventListener("abort", stop);
  const version = TRANSFER_VERSION;
  client.send({ type: "open", version, verb: "get", path });
  try {
    await role.done;
  } finally {
    signal?.removeEventListener("abort", stop);
    role.close("it ended");
  }
}

/** Options of {@linkcode listFiles}. */
export interface ListFilesOptions extends RoadOptions {
  /** The server's endpoint, as a URL. */
  readonly from: string;
  /** What to list of the server's folder. @default {""}, all of it */
  readonly path?: string;
}

/**
 * Lists what a server shares, each directory before what is in it.
 *
 * @throws {TransferError} If the server does not share it.
 * @throws {EndpointError} If it cannot be connected to.
 *
 * @example Usage
 * ```ts
 * import { listFiles } from "./get_files.ts";
 * import { serveFiles } from "./serve_files.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const shared = await Deno.makeTempDir({ dir: "/tmp" });
 * await Deno.writeTextFile(`${shared}/north.txt`, "ice");
 *
 * await using server = await serveFiles({
 *   directory: shared,
 *   listen: "memory:index",
 *   shares: true,
 * });
 * const entries = await Array.fromAsync(listFiles({ from: server.endpoint }));
 * assertEquals(entries.map(({ path, size }) => [path, size]), [["north.txt", 3]]);
 * ```
 */
export async function* listFiles(
  options: ListFilesOptions,
): AsyncGenerator<TransferEntry, void, void> {
  const { from, path = "" } = options;
  await using client = await connect<TransferMessage>({
    ...options,
    to: from,
    wire: TRANSFER_WIRE,
    limits: CLIENT_LIMITS,
  });
  const version = TRANSFER_VERSION;
  client.send({ type: "open", version, verb: "list", path });
  for await (const message of client) {
    if (message.type === "listed") return;
    if (message.type === "error") throw refusedBy(from, message.reason);
    if (message.type === "entries") yield* message.entries;
  }
  throw refusedBy(from, "nothing more, before the list was complete");
}
