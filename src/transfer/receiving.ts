import { nextTick } from "node:process";
import { nextTurn } from "../io/turn.ts";
import type { TransferEntry } from "../proto/transfer/entry.ts";
import { MIN_AVERAGE_BYTES } from "../proto/transfer/chunker.ts";
import type {
  LeafMessage,
  PatchMessage,
  Result,
  TransferMessage,
} from "../proto/transfer/messages.ts";
import {
  type ReceiverAction,
  ReceiverMachine,
  type ReceiverOptions,
} from "../proto/transfer/receiver_machine.ts";
import type { DiskStore } from "./disk_store.ts";
import { diskFailure } from "./failure.ts";
import { OldFile } from "./old_file.ts";
import { leafLength } from "../proto/transfer/tree.ts";
import { sha256 } from "./sha256.ts";
import type { StoreSession } from "./store_session.ts";
import type { TransferPeer } from "./transfer_peer.ts";

/** Small files that are put to their places together, at most. */
const BATCH_FILES = 32;

/** Options of {@linkcode Receiving}. */
export interface ReceivingOptions
  extends Omit<ReceiverOptions, "sha256" | "foldsNames"> {
  /** Is told what became of each entry. */
  readonly settled?:
    | ((entry: TransferEntry, result: Result) => void)
    | undefined;
}

/** The receiving side of one transfer: a {@linkcode ReceiverMachine} between a peer and a disk. */
export class Receiving {
  /** What was announced, and how far it is. */
  readonly machine: ReceiverMachine;
  /** Everything is settled. */
  finished = false;
  readonly #peer: TransferPeer;
  readonly #session: StoreSession;
  readonly #settled: ReceivingOptions["settled"];
  #flushing: Promise<void> | undefined;
  #ticking = false;
  #closed = false;
  #old: OldFile | undefined;

  /** Begins to receive from `peer` into `store`. */
  constructor(
    peer: TransferPeer,
    store: DiskStore,
    options: ReceivingOptions = {},
  ) {
    this.#peer = peer;
    this.#session = store.session();
    this.#settled = options.settled;
    const { foldsNames } = store;
    this.machine = new ReceiverMachine({ ...options, sha256, foldsNames });
  }

  /**
   * Takes a message of the sender; the next one must wait for the promise.
   *
   * @throws {RemoteProtocolError} If it makes no sense.
   */
  receive(message: TransferMessage): Promise<void> | undefined {
    if (this.#flushing !== undefined) return this.#receiveLater(message);
    const action = this.machine.receive(
      message.type === "patch" ? this.#unpatch(message) : message,
    );
    if (action?.type === "store") return this.#put(action);
    // What came before is settled before.
    if (action !== undefined && this.#session.batched > 0) {
      const flushed = this.#flush();
      if (flushed !== undefined) return flushed.then(() => this.#do(action));
    }
    return action === undefined ? this.#answer() : this.#do(action);
  }

  async #receiveLater(message: TransferMessage): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
    await this.receive(message);
  }

  #do(action: ReceiverAction): Promise<void> | undefined {
    switch (action.type) {
      case "examine":
        return this.#examine(action.index, action.entries);
      case "write":
        return this.#write(action);
      case "offer":
        return this.#offer(action);
      case "commit":
        return this.#commit(action);
      case "release":
        this.#session.release(action.entry.path, action.discard);
        return this.#answer();
      case "finish":
        return this.#finish();
    }
  }

  #examine(first: number, entries: readonly TransferEntry[]): undefined {
    const { machine } = this;
    machine.examined(entries.map((entry, at) => {
      const detail = machine.fault(entry);
      return detail === undefined
        ? this.#session.examine(first + at, entry)
        : { type: "refused", outcome: "refused", detail };
    }));
    this.#session.syncDirectories();
    return this.#answer();
  }

  /** Tells the sender what an old version of a file consists of. */
  async #offer(
    { index, entry }: ReceiverAction & { type: "offer" },
  ): Promise<void> {
    this.#old?.close();
    this.#old = OldFile.open(index, () => this.#session.openOld(entry));
    const averageBytes = this.#old?.averageBytes ?? MIN_AVERAGE_BYTES;
    const tell = (chunks: Uint8Array): void => {
      this.#peer.send({ type: "chunks", index, averageBytes, chunks });
    };
    await this.#old?.chunks(tell, async () => {
      await new Promise<void>(nextTurn);
      if (this.#peer.isSlow) await this.#peer.drained();
    });
    tell(new Uint8Array(0));
  }

  /** The leaf that a patch of an old version makes. */
  #unpatch({ index, leaf, hash, patch }: PatchMessage): LeafMessage {
    const size = this.machine.entries[index]?.size ?? 0;
    const length = Math.max(leafLength(size, leaf), 0);
    const old = this.#old?.index === index ? this.#old : undefined;
    // Without one the file has failed, or the sender has made it up: the machine sees to that.
    const data = old?.patched(patch, length) ?? new Uint8Array(length);
    const movedBytes = patch.length;
    return { type: "leaf", index, leaf, hash, data, movedBytes };
  }

  #write(action: ReceiverAction & { type: "write" }): undefined {
    const { index, entry, leaf, hash, data } = action;
    try {
      this.#session.write(entry, leaf, hash, data);
      this.machine.written(data.length);
    } catch (error) {
      this.#session.release(entry.path, false);
      this.machine.settled();
      this.#settle({ index, ...diskFailure(error) });
    }
    return this.#answer();
  }

  #put(action: ReceiverAction & { type: "store" }): Promise<void> | undefined {
    const { index, entry, data } = action;
    try {
      this.#session.put(index, entry, data);
    } catch (error) {
      this.#session.release(entry.path, false);
      this.#flushed([{ index, ...diskFailure(error) }]);
    }
    if (this.#session.batched >= BATCH_FILES) return this.#flush();
    if (!this.#ticking) {
      this.#ticking = true;
      // When everything that was read with this file is written too.
      nextTick(() => {
        this.#ticking = false;
        if (!this.#closed && this.#flushing === undefined) void this.#flush();
      });
    }
    return undefined;
  }

  #flush(): Promise<void> | undefined {
    const results = this.#session.flush();
    if (!(results instanceof Promise)) return this.#flushed(results);
    this.#flushing = results.then((results) => {
      this.#flushing = undefined;
      this.#flushed(results);
    });
    return this.#flushing;
  }

  #flushed(results: readonly Result[]): undefined {
    for (const result of results) {
      this.machine.stored(result);
      this.#tell(result);
    }
    return this.#answer();
  }

  async #commit(action: ReceiverAction & { type: "commit" }): Promise<void> {
    this.#settle(await this.#session.commit(action.index, action.entry));
    this.#answer();
  }

  #finish(): undefined {
    const { machine } = this;
    const results = this.#session.finish((index) => machine.outcome(index));
    for (const result of results) this.#settle(result);
    machine.finish();
    this.#answer();
    this.finished = true;
  }

  #settle(result: Result): void {
    this.machine.settle(result);
    this.#tell(result);
  }

  #tell(result: Result): void {
    this.#settled?.(this.machine.entries[result.index]!, result);
  }

  #answer(): undefined {
    for (const message of this.machine.takeOutput()) this.#peer.send(message);
  }

  /** Ends it; what is not complete stays for another try. */
  close(): void {
    this.#closed = true;
    this.#old?.close();
    this.#old = undefined;
    this.#session.close();
  }
}
