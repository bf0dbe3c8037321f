import type { TransferMessage } from "../proto/transfer/messages.ts";
import type { DiskStore } from "./disk_store.ts";
import { Receiving } from "./receiving.ts";
import type { RunningTransfer } from "./transfer.ts";
import { TransferError, type TransferPeer } from "./transfer_peer.ts";

/** What this side of a connection is to a transfer. */
export interface Role {
  /** Takes a message; the next one waits for the promise. */
  receive(message: TransferMessage): Promise<void> | undefined | void;
  /** The connection has ended, or must. */
  close(error: unknown): void;
}

/** The one who receives. */
export class ReceiverRole implements Role {
  /** Resolves when everything is settled; rejects if it broke off. */
  readonly done: Promise<void>;
  readonly #receiving: Receiving;
  readonly #end: PromiseWithResolvers<void> = Promise.withResolvers();

  /** Begins to receive from `peer`. */
  constructor(
    peer: TransferPeer,
    store: DiskStore,
    transfer: RunningTransfer,
    maxEntries?: number,
  ) {
    this.#receiving = new Receiving(peer, store, {
      ...(maxEntries === undefined ? {} : { maxEntries }),
      settled: (entry, result) => transfer.settled(entry, result),
    });
    transfer.count(this.#receiving.machine.counts);
    this.done = this.#end.promise;
  }

  receive(message: TransferMessage): Promise<void> | undefined {
    const handled = this.#receiving.receive(message);
    if (handled !== undefined) return handled.then(() => this.#look());
    this.#look();
    return undefined;
  }

  #look(): void {
    if (this.#receiving.finished) this.#end.resolve();
  }

  close(error: unknown): void {
    this.#receiving.close();
    this.#look();
    this.#end.reject(
      error instanceof Error
        ? error
        : new TransferError(`Cannot go on receiving: ${error}`),
    );
  }
}
