import type { Peer } from "../io/peer.ts";
import { type Clock, systemClock } from "../io/clock.ts";
import type { TransportListenOptions } from "../io/transport.ts";
import type { Transports } from "../io/transports.ts";
import type { ServerObserver } from "../observe/events.ts";
import {
  TRANSFER_VERSION,
  TRANSFER_WIRE,
  type TransferMessage,
  type TransferVerb,
} from "../proto/transfer/messages.ts";
import { pathFault } from "../proto/transfer/path.ts";
import type { ServerLimits } from "../server/limits.ts";
import { serve } from "../server/serve.ts";
import type { DrainOptions, Server } from "../server/server.ts";
import { DiskStore } from "./disk_store.ts";
import { systemDisk } from "./disk.ts";
import { ReceiverRole, type Role } from "./receiver_role.ts";
import { SafeTree } from "./safe_tree.ts";
import { Sending } from "./sending.ts";
import { RunningTransfer, type Transfer } from "./transfer.ts";
import { TRANSFER_LIMITS, TransferError } from "./transfer_peer.ts";
import { scanTree } from "./tree_scan.ts";

/** What a client of a {@linkcode FileServer} began. */
export interface ServedTransfer {
  /** How far it is and what it comes to. */
  readonly transfer: Transfer;
  /** What the client wants. */
  readonly verb: TransferVerb;
  /** What it gets or lists; empty for all of it, and where it sends. */
  readonly path: string;
  /** Its address. */
  readonly address: string;
}

/** Options of {@linkcode serveFiles}. */
export interface ServeFilesOptions
  extends Omit<TransportListenOptions, "messages"> {
  /** The folder that files arrive in. */
  readonly directory: string;
  /** Where to listen: one endpoint URL or several. */
  readonly listen: string | string[];
  /** Whether clients may send files here. @default {true} */
  readonly takes?: boolean;
  /** Whether clients may get and list what is in the folder. @default {false} */
  readonly shares?: boolean;
  /** Entries of one tree. @default {1_000_000} */
  readonly maxEntries?: number;
  /** Bytes of data a second that one client is sent, on average. @default {Infinity} */
  readonly bytesPerSecond?: number;
  /** Is told of each transfer that a client begins. */
  readonly began?: (served: ServedTransfer) => void;
  /** What may be taken in, and what a connection may cost. */
  readonly limits?: ServerLimits;
  /** Is told what happens to connections. */
  readonly observe?: ServerObserver;
  /** Where deadlines take their time from. @default {systemClock} */
  readonly clock?: Clock;
  /** The roads that endpoints take, for simulations. @default {systemTransports} */
  readonly transports?: Transports;
}

/** What is known of a connection. */
interface Guest {
  role: Role | undefined;
}

type FilePeer = Peer<TransferMessage, TransferMessage, Guest>;

/** A server that files are sent to, and got from. Made by {@linkcode serveFiles}. */
export interface FileServer extends AsyncDisposable {
  /** Where it listens. */
  readonly endpoints: readonly string[];
  /** The first endpoint. */
  readonly endpoint: string;
  /** Handles what was received, breaks off the rest, and closes the folder. */
  drain(options?: DrainOptions): Promise<void>;
}

class StoreServer implements FileServer {
  readonly #server: Server<TransferMessage, TransferMessage, Guest>;
  readonly #close: () => void;
  #draining: Promise<void> | undefined;

  constructor(
    server: Server<TransferMessage, TransferMessage, Guest>,
    close: () => void,
  ) {
    this.#server = server;
    this.#close = close;
  }

  get endpoints(): readonly string[] {
    return this.#server.endpoints;
  }

  get endpoint(): string {
    return this.#server.endpoint;
  }

  drain(options: DrainOptions = {}): Promise<void> {
    return this.#draining ??= this.#server.drain(options).then(this.#close);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }
}

/**
 * Opens a folder for clients that send files, as `sendFiles` does, and for those that get them if it `shares`.
 *
 * @throws {Error} If the folder cannot be opened, or another process has it open.
 * @throws {EndpointError} If an endpoint cannot be listened on.
 *
 * @example Usage
 * ```ts
 * import { getFiles } from "./get_files.ts";
 * import { serveFiles } from "./serve_files.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const shared = await Deno.makeTempDir({ dir: "/tmp" });
 * const here = await Deno.makeTempDir({ dir: "/tmp" });
 * await Deno.writeTextFile(`${shared}/chart.txt`, "Here be dragons");
 *
 * await using server = await serveFiles({
 *   directory: shared,
 *   listen: "memory:library",
 *   shares: true,
 * });
 * const transfer = getFiles({
 *   from: server.endpoint,
 *   path: "chart.txt",
 *   directory: here,
 * });
 * assertEquals((await transfer.summary).problems, []);
 * assertEquals(await Deno.readTextFile(`${here}/chart.txt`), "Here be dragons");
 * ```
 */
export async function serveFiles(
  options: ServeFilesOptions,
): Promise<FileServer> {
  const store = DiskStore.open(options.directory);
  try {
    return await begin(store, options, () => store.close());
  } catch (error) {
    store.close();
    throw error;
  }
}

/** The same for a folder that is open already, and stays open when the server has ended. */
export function serveStore(
  store: DiskStore,
  options: ServeFilesOptions,
): Promise<FileServer> {
  return begin(store, options, () => {});
}

async function begin(
  store: DiskStore,
  options: ServeFilesOptions,
  close: () => void,
): Promise<FileServer> {
  const server = await serve<TransferMessage, TransferMessage, Guest>({
    ...options,
    listen: options.listen,
    wire: TRANSFER_WIRE,
    limits: { ...TRANSFER_LIMITS, ...options.limits },
    handler: {
      open: () => ({ role: undefined }),
      message: (peer, message) => take(peer, message, store, options),
      invalid: giveUp,
      close(peer, ending) {
        const { role } = peer.state;
        role?.close(ending.error ?? ending.reason ?? ending.cause);
      },
    },
  });
  return new StoreServer(server, close);
}

function take(
  peer: FilePeer,
  message: TransferMessage,
  store: DiskStore,
  options: ServeFilesOptions,
): Promise<void> | undefined {
  try {
    if (peer.state.role === undefined) {
      answerOpen(peer, message, store, options);
      return undefined;
    }
    const handled = peer.state.role.receive(message);
    return handled?.catch((error) => giveUp(peer, error));
  } catch (error) {
    giveUp(peer, error);
    return undefined;
  }
}

/** Tells the peer why nothing more can be done for it. */
function giveUp(peer: FilePeer, error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  peer.send({ type: "error", reason: reason.slice(0, 1000) });
  peer.state.role?.close(error);
  void peer.close(reason);
}

function answerOpen(
  peer: FilePeer,
  message: TransferMessage,
  store: DiskStore,
  options: ServeFilesOptions,
): void {
  if (message.type !== "open") {
    throw new TransferError(
      `Cannot begin with "${message.type}": "open" is expected`,
    );
  }
  const { verb, version, path } = message;
  if (version !== TRANSFER_VERSION) {
    throw new TransferError(
      `Cannot speak version ${version}: ${TRANSFER_VERSION} is spoken here`,
    );
  }
  const { takes = true, shares = false } = options;
  if (verb === "send" ? !takes : !shares) {
    throw new TransferError(`Cannot ${verb} files here: it is not allowed`);
  }
  peer.send({ type: "welcome", version });
  const clock = options.clock ?? systemClock;
  const transfer = new RunningTransfer(
    clock,
    (transfer) =>
      verb === "send"
        ? receiveTree(peer, transfer, store, options)
        : sendTree(peer, transfer, message, options),
  );
  const { address } = peer;
  options.began?.({ transfer, verb, path, address });
}

function receiveTree(
  peer: FilePeer,
  transfer: RunningTransfer,
  store: DiskStore,
  options: ServeFilesOptions,
): Promise<void> {
  const { maxEntries } = options;
  const role = new ReceiverRole(peer, store, transfer, maxEntries);
  peer.state.role = role;
  return role.done;
}

async function sendTree(
  peer: FilePeer,
  transfer: RunningTransfer,
  { verb, path }: TransferMessage & { type: "open" },
  options: ServeFilesOptions,
): Promise<void> {
  const { bytesPerSecond, clock = systemClock } = options;
  const sending = new Sending(peer, {
    clock,
    bytesPerSecond,
    settled: (entry, result) => transfer.settled(entry, result),
    problem: (problem) => transfer.unreadable(problem),
  });
  transfer.count(sending.machine.counts);
  peer.state.role = {
    receive: (message) => sending.receive(message),
    close: (error) => sending.fail(error),
  };
  try {
    const scanned = scanTree([sharedPath(options.directory, path)]);
    await (verb === "list" ? sending.list(scanned) : sending.run(scanned));
  } catch (error) {
    giveUp(peer, error);
    throw error;
  }
}

/** Where something is that a client asks for: nothing outside of the folder, and nothing behind a link. */
function sharedPath(directory: string, path: string): string {
  if (path === "") return `${directory}/`;
  const fault = pathFault(path);
  if (fault !== undefined) {
    throw new TransferError(`Cannot share "${path}": ${fault}`);
  }
  new SafeTree(directory, systemDisk, false).checkParents(path);
  return `${directory}/${path}`;
}
