import { ByteWriter } from "../../bytes/writer.ts";
import { noCounts, type TransferCounts } from "./counts.ts";
import { RemoteProtocolError } from "../errors.ts";
import type { TransferEntry } from "./entry.ts";
import { Manifest } from "./manifest.ts";
import {
  type LeafMessage,
  PAGE_BYTES,
  type Result,
  type TransferMessage,
  type TransferOutcome,
} from "./messages.ts";
import {
  HASH_BYTES,
  leafCount,
  leafHash,
  leafLength,
  sameHash,
  type Sha256,
  TreeHash,
} from "./tree.ts";

/** Leaves of a file that are on disk and verified. */
export interface VerifiedLeaves {
  /** Their hashes; undefined for a leaf that is not there. */
  hash(leaf: number): Uint8Array | undefined;
}

/** What the receiver's disk says of an entry. */
export type Found =
  /** It is there, unchanged. */
  | { readonly type: "present" }
  /** It has to be made, or nothing of its data is there. */
  | { readonly type: "absent"; readonly hasOld?: boolean }
  /** Some of its data is there. */
  | {
    readonly type: "partial";
    readonly leaves: VerifiedLeaves;
    /** Another version of the file is at its place, of which chunks may be used. */
    readonly hasOld?: boolean;
  }
  /** It cannot be made. */
  | {
    readonly type: "refused";
    readonly outcome: TransferOutcome;
    readonly detail: string;
  };

/** What the receiver's disk has to do next; `index` is the number of the entry. */
export type ReceiverAction =
  /** Look what is there of these entries, and tell {@linkcode ReceiverMachine.examined}. */
  | {
    readonly type: "examine";
    readonly index: number;
    readonly entries: readonly TransferEntry[];
  }
  /** Write a verified leaf of a file of several, and tell {@linkcode ReceiverMachine.settled}. */
  | {
    readonly type: "write";
    readonly index: number;
    readonly entry: TransferEntry;
    readonly leaf: number;
    readonly hash: Uint8Array;
    readonly data: Uint8Array;
  }
  /** Store a whole file of one leaf or none, and tell {@linkcode ReceiverMachine.stored}. */
  | {
    readonly type: "store";
    readonly index: number;
    readonly entry: TransferEntry;
    readonly data: Uint8Array;
  }
  /** Put a file whose data is complete and proven to its place, and tell the result. */
  | {
    readonly type: "commit";
    readonly index: number;
    readonly entry: TransferEntry;
  }
  /** Let go of a file that the sender gave up; if `discard`, what is there of it is of no use. */
  | {
    readonly type: "release";
    readonly index: number;
    readonly entry: TransferEntry;
    readonly discard: boolean;
  }
  /** Tell the sender of the chunks of the version that is at the place of a file. */
  | {
    readonly type: "offer";
    readonly index: number;
    readonly entry: TransferEntry;
  }
  /** Everything was sent: make links, set times of directories, and tell {@linkcode ReceiverMachine.finish}. */
  | { readonly type: "finish" };

/** Options of {@linkcode ReceiverMachine}. */
export interface ReceiverOptions {
  /** The hash function. */
  readonly sha256: Sha256;
  /** Entries of a tree. @default {1_000_000} */
  readonly maxEntries?: number;
  /** Whether the file system takes names for one that differ in case or normalisation alone. @default {false} */
  readonly foldsNames?: boolean;
}

/** The file that is being received. */
interface OpenFile {
  readonly index: number;
  readonly entry: TransferEntry;
  readonly leaves: VerifiedLeaves | undefined;
  readonly tree: TreeHash;
}

const NOTHING = new Uint8Array(0);
/** What is said about one entry is cut off here. */
const MAX_DETAIL_UNITS = 300;
/** The most results in one message: they fit into a page with details of any letters. */
const PAGE_RESULTS = 64;
/** The most hashes in one message. */
const PAGE_HASHES = PAGE_BYTES / HASH_BYTES;

/**
 * The receiving side of a transfer, without IO: it is told what the sender says and what the disk did, and tells what
 * the disk has to do and what to send.
 *
 * A leaf is taken only if its bytes have the hash that came with it, and a file only if the root of all its leaves is
 * the sender's.
 */
export class ReceiverMachine {
  readonly #output: TransferMessage[] = [];
  /** The tree, as far as it was announced. */
  readonly entries: TransferEntry[] = [];
  /** How far it is. */
  readonly counts: TransferCounts = noCounts();
  /** All entries were announced. */
  listed = false;
  readonly #sha256: Sha256;
  readonly #manifest: Manifest;
  readonly #outcomes: (TransferOutcome | undefined)[] = [];
  /** Files whose data is to come, with what of it is there. */
  readonly #wanted = new Map<number, VerifiedLeaves | undefined>();
  /** Of these another version is there, and the sender has not asked for its chunks yet. */
  readonly #old = new Set<number>();
  #results: Result[] = [];
  #examinedEntries = 0;
  #open: OpenFile | undefined;
  #settledLeaves = 0;
  #toldLeaves = 0;
  #ended = false;

  /** Starts with an empty tree. */
  constructor(options: ReceiverOptions) {
    this.#sha256 = options.sha256;
    this.#manifest = new Manifest(options);
  }

  /** What became of an entry; undefined while that is open. */
  outcome(index: number): TransferOutcome | undefined {
    return this.#outcomes[index];
  }

  /** What to send: answers, and what was settled since the last call. */
  takeOutput(): TransferMessage[] {
    this.#tellSettled();
    return this.#output.splice(0);
  }

  #tellSettled(): void {
    const results = this.#results;
    for (let at = 0; at < results.length; at += PAGE_RESULTS) {
      const page = results.slice(at, at + PAGE_RESULTS);
      this.#output.push({ type: "results", results: page });
    }
    if (results.length > 0) this.#results = [];
    if (this.#toldLeaves < this.#settledLeaves) {
      this.#toldLeaves = this.#settledLeaves;
      this.#output.push({ type: "ack", leaves: this.#settledLeaves });
    }
  }

  /**
   * Takes what the sender says, and returns what the disk has to do.
   *
   * @throws {RemoteProtocolError} If it makes no sense, or a leaf is not what its hash says.
   */
  receive(message: TransferMessage): ReceiverAction | undefined {
    if (this.#ended) throw outOfStep(`"${message.type}" came after the end`);
    switch (message.type) {
      case "leaf":
        return this.#leaf(message);
      case "entries":
        return this.#announce(message.entries);
      case "listed":
        if (
          this.listed || message.count !== this.counts.entries ||
          message.bytes !== this.counts.bytes
        ) throw outOfStep(`the tree has ${this.counts.entries} entries`);
        this.listed = true;
        return undefined;
      case "ask": {
        const { index } = message;
        if (!this.#old.delete(index)) {
          throw outOfStep(`there is no old version of entry ${index}`);
        }
        return { type: "offer", index, entry: this.#file(index) };
      }
      case "close":
        return this.#close(message.index, message.root);
      case "fail":
        return this.#fail(message);
      case "end":
        if (!this.listed || this.#wanted.size > 0) {
          throw outOfStep(`it ended while ${this.#wanted.size} files are open`);
        }
        this.#ended = true;
        return { type: "finish" };
      default:
        throw outOfStep(`a sender does not send "${message.type}"`);
    }
  }

  #announce(entries: readonly TransferEntry[]): ReceiverAction | undefined {
    if (this.listed) throw outOfStep("the tree is complete");
    const index = this.entries.length;
    for (const entry of entries) {
      this.entries.push(entry);
      this.counts.entries++;
      this.counts.bytes += entry.size;
    }
    return { type: "examine", index, entries };
  }

  /**
   * Why the tree cannot have this entry, or undefined; asked once for each, in order.
   *
   * @throws {RemoteProtocolError} If there are more entries than allowed.
   */
  fault(entry: TransferEntry): string | undefined {
    return this.#manifest.fault(entry);
  }

  /** Takes what the disk says of the next entries, in order. */
  examined(found: readonly Found[]): void {
    const first = this.#examinedEntries;
    const needs = found.map((one, at) => {
      const index = first + at;
      const entry = this.entries[index]!;
      this.#examinedEntries++;
      if (one.type === "refused") {
        this.settle({ index, outcome: one.outcome, detail: one.detail });
      } else if (one.type === "present") {
        this.counts.settledBytes += entry.size;
        this.settle({ index, outcome: "present", detail: "" });
      } else if (entry.kind === "file") {
        const leaves = one.type === "partial" ? one.leaves : undefined;
        this.#wanted.set(index, leaves);
        if (leaves !== undefined) this.#tellHeld(index, entry, leaves);
        if (!one.hasOld) return "data";
        this.#old.add(index);
        return "delta";
      }
      return "nothing";
    });
    if (needs.length > 0) {
      this.#output.push({ type: "need", index: first, needs });
    }
  }

  #tellHeld(index: number, entry: TransferEntry, leaves: VerifiedLeaves): void {
    const count = leafCount(entry.size);
    const page = new ByteWriter();
    let from = 0;
    const tell = (): void => {
      if (page.length === 0) return;
      const hashes = page.bytes.slice(0, page.length);
      this.#output.push({ type: "have", index, leaf: from, hashes });
      page.truncate();
    };
    for (let leaf = 0; leaf < count; leaf++) {
      const hash = leaves.hash(leaf);
      if (hash === undefined || page.length === PAGE_HASHES * HASH_BYTES) {
        tell();
      }
      if (hash === undefined) continue;
      if (page.length === 0) from = leaf;
      page.set(hash);
    }
    tell();
  }

  #leaf(message: LeafMessage): ReceiverAction | undefined {
    const { index, leaf, data } = message;
    const entry = this.#file(index);
    const { length } = data;
    if (
      leaf >= leafCount(entry.size) || length !== leafLength(entry.size, leaf)
    ) {
      throw outOfStep(`leaf ${leaf} of ${length} bytes is not in the file`);
    }
    this.counts.movedBytes += message.movedBytes ?? length;
    // Its file has failed here meanwhile, and the sender did not know.
    if (!this.#wanted.has(index)) {
      this.settled();
      return undefined;
    }
    const hash = leafHash(this.#sha256, data);
    if (!sameHash(hash, message.hash)) {
      throw outOfStep(`leaf ${leaf} of entry ${index} has another hash`);
    }
    if (leafCount(entry.size) === 1) {
      this.#wanted.delete(index);
      return this.#isRoot(entry, hash)
        ? { type: "store", index, entry, data }
        : this.#mismatch(index, entry);
    }
    const { tree } = this.#fill(index, entry, leaf);
    tree.push(hash);
    return { type: "write", index, entry, leaf, hash, data };
  }

  /** Opens a file, and takes the hashes of leaves that are there into its tree until `leaf`. */
  #fill(index: number, entry: TransferEntry, leaf: number): OpenFile {
    const leaves = this.#wanted.get(index);
    const tree = new TreeHash(this.#sha256);
    const open = this.#open ??= { index, entry, leaves, tree };
    if (open.index !== index) {
      throw outOfStep(`entry ${index} began before ${open.index} was closed`);
    }
    if (leaf < open.tree.count) {
      throw outOfStep(`leaf ${leaf} of entry ${index} came again`);
    }
    while (open.tree.count < leaf) {
      const at = open.tree.count;
      const hash = open.leaves?.hash(at);
      if (hash === undefined) {
        throw outOfStep(`leaf ${at} of entry ${index} is missing`);
      }
      open.tree.push(hash);
      this.counts.settledBytes += leafLength(entry.size, at);
    }
    return open;
  }

  #close(index: number, root: Uint8Array): ReceiverAction | undefined {
    const entry = this.#file(index);
    if (!this.#wanted.has(index)) return undefined;
    const count = leafCount(entry.size);
    if (count === 1) throw outOfStep("a single leaf closes its file");
    const { tree } = this.#fill(index, entry, count);
    this.#wanted.delete(index);
    this.#open = undefined;
    if (!sameHash(tree.root(), root) || !this.#isRoot(entry, root)) {
      return this.#mismatch(index, entry);
    }
    return count === 0
      ? { type: "store", index, entry, data: NOTHING }
      : { type: "commit", index, entry };
  }

  #isRoot({ root }: TransferEntry, actual: Uint8Array): boolean {
    return root === undefined || sameHash(root, actual);
  }

  #mismatch(index: number, entry: TransferEntry): ReceiverAction {
    const detail = "the hash of the whole is not the sender's";
    this.settle({ index, outcome: "mismatch", detail });
    if (leafCount(entry.size) === 1) this.settled();
    return { type: "release", index, entry, discard: true };
  }

  #fail({ index, outcome, detail }: Result): ReceiverAction | undefined {
    if (outcome !== "changed" && outcome !== "unreadable") {
      throw outOfStep(`a sender does not fail by "${outcome}"`);
    }
    const entry = this.#file(index);
    if (!this.#wanted.has(index)) return undefined;
    this.settle({ index, outcome, detail });
    return { type: "release", index, entry, discard: outcome === "changed" };
  }

  #file(index: number): TransferEntry {
    const entry = index < this.#examinedEntries
      ? this.entries[index]
      : undefined;
    if (entry?.kind !== "file") throw outOfStep(`${index} is no file`);
    return entry;
  }

  /** A leaf that was asked for needs not be sent again, whatever happens. */
  settled(): void {
    this.#settledLeaves++;
  }

  /** A leaf is on disk. */
  written(bytes: number): void {
    this.settled();
    this.counts.settledBytes += bytes;
  }

  /** What became of a file of one leaf or none. */
  stored(result: Result): void {
    const { size } = this.entries[result.index]!;
    if (size > 0) this.settled();
    if (result.outcome === "stored") this.counts.settledBytes += size;
    this.settle(result);
  }

  /** What became of an entry; it ends its file, and what still comes of it is passed over. */
  settle(result: Result): void {
    const { index, outcome } = result;
    if (this.#outcomes[index] !== undefined) return;
    this.#outcomes[index] = outcome;
    this.counts.settledEntries++;
    this.#wanted.delete(index);
    if (this.#open?.index === index) this.#open = undefined;
    const detail = result.detail.slice(0, MAX_DETAIL_UNITS);
    this.#results.push({ ...result, detail });
  }

  /** Everything is settled. */
  finish(): void {
    this.#tellSettled();
    this.#output.push({ type: "finished" });
  }
}

function outOfStep(reason: string): RemoteProtocolError {
  return new RemoteProtocolError(
    "invalid_message",
    `Cannot go on receiving: ${reason}`,
  );
}
