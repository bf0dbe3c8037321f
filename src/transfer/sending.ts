import { nextTurn } from "../io/turn.ts";
import { type Clock, sleep } from "../io/clock.ts";
import { ConnectionEndedError } from "../io/peer.ts";
import type { TransferEntry } from "../proto/transfer/entry.ts";
import type { Result, TransferMessage } from "../proto/transfer/messages.ts";
import {
  type LeafWork,
  type ScanWork,
  SenderMachine,
} from "../proto/transfer/sender_machine.ts";
import { LEAF_BYTES } from "../proto/transfer/tree.ts";
import { TokenBucket } from "../proto/token_bucket.ts";
import { passOver, scanChunks } from "./chunk_scan.ts";
import { readFull } from "./disk.ts";
import { isSameFile } from "./disk_store.ts";
import { diskFailure } from "./failure.ts";
import { sha256 } from "./sha256.ts";
import type { ScannedEntry, ScanProblem } from "./tree_scan.ts";
import type { TransferPeer } from "./transfer_peer.ts";

/** Work that is done before others have their turn: a leaf, or small files that cost this much more than their bytes. */
const TURN_BYTES = LEAF_BYTES;
const FILE_COST_BYTES = 4096;
/** Entries that are listed before others have their turn. */
const TURN_ENTRIES = 512;

/** Options of {@linkcode Sending}. */
export interface SendingOptions {
  /** Where waits take their time from. */
  readonly clock: Clock;
  /** Bytes of leaves a second, on average. @default {Infinity} */
  readonly bytesPerSecond?: number | undefined;
  /** Is told what became of each entry. */
  readonly settled?:
    | ((entry: TransferEntry, result: Result) => void)
    | undefined;
  /** Is told what cannot be sent at all. */
  readonly problem?: ((problem: ScanProblem) => void) | undefined;
}

/** The sending side of one transfer: a {@linkcode SenderMachine} between files and a peer. */
export class Sending {
  /** What is sent, and how far it is. */
  readonly machine: SenderMachine = new SenderMachine(sha256);
  readonly #peer: TransferPeer;
  readonly #options: SendingOptions;
  readonly #bucket: TokenBucket | undefined;
  /** Where the entries are. */
  readonly #locals: string[] = [];
  readonly #buffer = new Uint8Array(LEAF_BYTES);
  #file: { index: number; file: Deno.FsFile } | undefined;
  #wake: (() => void) | undefined;
  #hasNews = false;
  #failure: unknown;

  /** Begins to send to `peer`. */
  constructor(peer: TransferPeer, options: SendingOptions) {
    this.#peer = peer;
    this.#options = options;
    const { bytesPerSecond = Infinity, clock } = options;
    this.#bucket = TokenBucket.of(bytesPerSecond, clock.now());
  }

  /**
   * Takes a message of the receiver.
   *
   * @throws {RemoteProtocolError} If it makes no sense.
   */
  receive(message: TransferMessage): void {
    const nowMs = this.#options.clock.now();
    for (const result of this.machine.receive(message, nowMs)) {
      this.#options.settled?.(this.machine.entries[result.index]!, result);
    }
    this.#resume();
  }

  /** Ends it with an error. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#resume();
  }

  /** Sends a tree; resolves when the receiver has settled all of it. */
  async run(scanned: Iterable<ScannedEntry | ScanProblem>): Promise<void> {
    const stop = () => this.#resume();
    this.#peer.signal.addEventListener("abort", stop);
    try {
      await this.#run(scanned[Symbol.iterator]());
    } finally {
      this.#peer.signal.removeEventListener("abort", stop);
      this.#close();
    }
  }

  /** Sends what there is, and no data. */
  async list(scanned: Iterable<ScannedEntry | ScanProblem>): Promise<void> {
    const entries = scanned[Symbol.iterator]();
    for (let isWhole = false; !isWhole;) {
      isWhole = this.#listSome(entries);
      await this.#sendOutput();
      await turn();
    }
  }

  /** Goes on listing for a while; whether that was all. */
  #listSome(entries: Iterator<ScannedEntry | ScanProblem>): boolean {
    for (let count = 0; count < TURN_ENTRIES; count++) {
      const { done, value } = entries.next();
      if (done) {
        this.machine.listed();
        return true;
      }
      if ("entry" in value) {
        this.#locals.push(value.local);
        this.machine.add(value.entry);
      } else {
        this.#options.problem?.(value);
      }
    }
    return false;
  }

  /** Lists and sends by turns, so that data flows while a large tree is still being listed. */
  async #run(entries: Iterator<ScannedEntry | ScanProblem>): Promise<void> {
    const { machine } = this;
    let isListed = false;
    let turnBytes = 0;
    while (!machine.finished) {
      const work = machine.work();
      const scan = machine.scan();
      if (scan !== undefined) await this.#scan(scan);
      if (work !== undefined) {
        this.#read(work);
        turnBytes += work.length + FILE_COST_BYTES;
      }
      machine.flush(this.#options.clock.now());
      await this.#sendOutput();
      if (work !== undefined && turnBytes < TURN_BYTES) continue;
      turnBytes = 0;
      const hadWork = work !== undefined || scan !== undefined || !isListed;
      if (!isListed) {
        isListed = this.#listSome(entries);
        await this.#sendOutput();
      }
      // What was sent leaves, and what the receiver says arrives.
      await (hadWork ? turn() : this.#news());
    }
  }

  /** Sees which chunks of a file the receiver has. */
  async #scan({ index, averageBytes, plan }: ScanWork): Promise<void> {
    try {
      const file = this.#open(index);
      await scanChunks(file, averageBytes, {
        take: (length, hash) => {
          plan.add(length, hash);
          return !this.#peer.signal.aborted;
        },
      });
      file.seekSync(0, Deno.SeekMode.Start);
    } catch (error) {
      // Whoever reads it to send it meets the same error, and tells of it.
      passOver(error);
      this.#close();
    }
    this.machine.planned(plan);
  }

  #read({ index, entry, offset, length, isLast }: LeafWork): void {
    const data = this.#buffer.subarray(0, length);
    try {
      const file = this.#open(index);
      const isWhole = readFull(file, data) === length;
      const isEdge = offset === 0 || isLast;
      if (!isWhole || isEdge && !isSameFile(file.statSync(), entry)) {
        this.#close();
        const detail = `${this.#locals[index]} changed while it was sent`;
        return this.machine.fail("changed", detail);
      }
    } catch (error) {
      this.#close();
      const { detail } = diskFailure(error);
      return this.machine.fail("unreadable", detail);
    }
    if (isLast) this.#close();
    this.machine.read(data);
  }

  #open(index: number): Deno.FsFile {
    if (this.#file?.index !== index) {
      this.#close();
      this.#file = { index, file: Deno.openSync(this.#locals[index]!) };
    }
    return this.#file.file;
  }

  #close(): void {
    this.#file?.file.close();
    this.#file = undefined;
  }

  async #sendOutput(): Promise<void> {
    const { output } = this.machine;
    for (let next = output.shift(); next !== undefined; next = output.shift()) {
      if (next.type === "leaf") await this.#keepRate(next.data.length);
      if (next.type === "patch") await this.#keepRate(next.patch.length);
      this.#check();
      if (!this.#peer.send(next) && this.#peer.isSlow) {
        await this.#peer.drained();
      }
    }
    this.#check();
  }

  async #keepRate(bytes: number): Promise<void> {
    const { clock } = this.#options;
    const waitMs = this.#bucket?.take(bytes, clock.now()) ?? 0;
    if (waitMs > 0) await sleep(clock, waitMs, this.#peer.signal);
  }

  /** Throws if it cannot go on. */
  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const { ending, address } = this.#peer;
    if (ending !== undefined) {
      throw new ConnectionEndedError(`send files to ${address}`, ending);
    }
  }

  /** Resolves when the receiver has said something since the last call, or the connection has ended. */
  async #news(): Promise<void> {
    if (!this.#hasNews) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    this.#hasNews = false;
  }

  #resume(): void {
    this.#hasNews = true;
    this.#wake?.();
    this.#wake = undefined;
  }
}

function turn(): Promise<void> {
  return new Promise(nextTurn);
}
