import { noCounts, type TransferCounts } from "./counts.ts";
import { RemoteProtocolError } from "../errors.ts";
import { type TransferEntry, writeEntry } from "./entry.ts";
import {
  type LeafMessage,
  PAGE_BYTES,
  type PatchMessage,
  type Result,
  type TransferMessage,
  type TransferOutcome,
} from "./messages.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import {
  HASH_BYTES,
  LEAF_BYTES,
  leafCount,
  leafHash,
  leafLength,
  sameHash,
  type Sha256,
  TreeHash,
} from "./tree.ts";
import { isAverage } from "./chunker.ts";
import { CHUNK_HASH_BYTES, ChunkIndex, DeltaPlan } from "./delta.ts";
import { FieldReader } from "./fields.ts";
import { SendWindow } from "./send_window.ts";

/** A leaf that the sender has to read from its source. */
export interface LeafWork {
  /** Number of the entry. */
  readonly index: number;
  /** The file. */
  readonly entry: TransferEntry;
  /** Number of the leaf; 0 also for an empty file, which is only looked at. */
  readonly leaf: number;
  /** Where it begins. */
  readonly offset: number;
  /** How long it is. */
  readonly length: number;
  /** After it, the file must still be what it was when the tree was listed. */
  readonly isLast: boolean;
}

/** A file that the sender has to cut into chunks, to see which of them the receiver has. */
export interface ScanWork {
  /** Number of the entry. */
  readonly index: number;
  /** The average to cut by. */
  readonly averageBytes: number;
  /** Takes the chunks. */
  readonly plan: DeltaPlan;
}

/** Leaves that the receiver holds and has verified. */
interface HeldLeaves {
  readonly leaf: number;
  readonly hashes: Uint8Array;
}

/**
 * The sending side of a transfer, without IO: it is told of the tree, of what the receiver says and of what was read, and
 * tells what to read and what to send.
 *
 * Each file is read once, in order. Every leaf is hashed; those that the receiver does not hold are sent; the root of
 * all of them closes the file. So a leaf that was kept from an earlier try counts only if the source still has it.
 */
export class SenderMachine {
  /** What to send, in order; the driver empties it. */
  readonly output: TransferMessage[] = [];
  /** The tree. */
  readonly entries: TransferEntry[] = [];
  /** How far it is. */
  readonly counts: TransferCounts = noCounts();
  /** The receiver has said that everything is settled. */
  finished = false;
  readonly #sha256: Sha256;
  readonly #window: SendWindow;
  readonly #page = new ByteWriter();
  /** Entries that no page was made of yet start here. */
  #paged = 0;
  #listed = false;
  #ended = false;
  /** How many entries the receiver has looked at. */
  #needed = 0;
  /** Entries whose data it wants. */
  readonly #wanted = new Set<number>();
  readonly #held = new Map<number, HeldLeaves[]>();
  /** Of these, the receiver has an old copy. */
  readonly #old = new Set<number>();
  /** What it has of the file to read next. */
  #delta: Delta | undefined;
  readonly #patch = new ByteWriter();
  readonly #outcomes: (TransferOutcome | undefined)[] = [];
  /** The file and leaf to read next. */
  #index = 0;
  #leaf = 0;
  #tree: TreeHash;
  #prepared: LeafMessage | undefined;
  /** What is sent in its place, where the receiver has some of it. */
  #patched: PatchMessage | undefined;

  /** Starts with an empty tree. */
  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
    this.#window = new SendWindow();
    this.#tree = new TreeHash(sha256);
  }

  /** What became of an entry; undefined while that is open. */
  outcome(index: number): TransferOutcome | undefined {
    return this.#outcomes[index];
  }

  /** Adds an entry to the tree; a directory comes before what is in it. */
  add(entry: TransferEntry): void {
    this.entries.push(entry);
    this.counts.entries++;
    this.counts.bytes += entry.size;
    writeEntry(entry, this.#page);
    if (this.#page.length >= PAGE_BYTES) this.#sendPage();
  }

  /** The tree is complete. */
  listed(): void {
    this.#sendPage();
    const { entries: count, bytes } = this.counts;
    this.output.push({ type: "listed", count, bytes });
    this.#listed = true;
  }

  #sendPage(): void {
    const entries = this.entries.slice(this.#paged);
    this.#paged = this.entries.length;
    this.#page.truncate();
    if (entries.length > 0) this.output.push({ type: "entries", entries });
  }

  /**
   * Takes what the receiver says, and returns what became known of entries by it.
   *
   * @throws {RemoteProtocolError} If it makes no sense; the connection is then of no use.
   */
  receive(message: TransferMessage, nowMs: number): readonly Result[] {
    switch (message.type) {
      case "have":
        this.#hold(message);
        return [];
      case "need":
        if (message.index !== this.#needed) {
          throw outOfStep(`need of entry ${message.index} came too early`);
        }
        for (const need of message.needs) {
          const { kind } = this.#entry(this.#needed);
          if (need !== "nothing") {
            if (kind !== "file") throw outOfStep(`a ${kind} has no data`);
            this.#wanted.add(this.#needed);
            if (need === "delta") this.#old.add(this.#needed);
          }
          this.#needed++;
        }
        return [];
      case "chunks":
        this.#takeChunks(message);
        return [];
      case "ack":
        for (const leaf of this.#window.settle(message.leaves, nowMs)) {
          const outcome = this.#outcomes[leaf.index] ?? "stored";
          if (outcome === "stored") this.counts.settledBytes += leaf.bytes;
        }
        return [];
      case "results":
        for (const result of message.results) this.#settle(result);
        return message.results;
      case "finished":
        if (!this.#ended) throw outOfStep("it finished before the end");
        this.finished = true;
        return [];
      default:
        throw outOfStep(`a receiver does not send "${message.type}"`);
    }
  }

  #hold({ index, leaf, hashes }: TransferMessage & { type: "have" }): void {
    const count = leafCount(this.#entry(index).size);
    const ranges = this.#held.get(index) ?? [];
    const last = ranges.at(-1);
    const from = last === undefined ? 0 : last.leaf + countOf(last);
    if (
      index < this.#needed || leaf < from ||
      leaf + hashes.length / HASH_BYTES > count
    ) throw outOfStep(`leaf ${leaf} of entry ${index} is out of place`);
    ranges.push({ leaf, hashes });
    this.#held.set(index, ranges);
  }

  #takeChunks(
    { index, averageBytes, chunks }: TransferMessage & { type: "chunks" },
  ): void {
    const delta = this.#delta;
    // It was asked for, and the file has failed meanwhile.
    if (index < this.#index) return;
    if (index !== this.#index || delta === undefined || delta.isKnown) {
      throw outOfStep(`nobody asked for chunks of entry ${index}`);
    }
    if (!isAverage(averageBytes)) {
      throw outOfStep(`chunks of ${averageBytes} bytes`);
    }
    delta.averageBytes = averageBytes;
    delta.isKnown = chunks.length === 0;
    const reader = new FieldReader(chunks);
    while (!reader.done) {
      delta.index.add(reader.u32(), reader.bytes(CHUNK_HASH_BYTES));
    }
  }

  /** A file to cut into chunks; tell {@linkcode SenderMachine.planned} when that is done. */
  scan(): ScanWork | undefined {
    const delta = this.#delta;
    if (!delta?.isKnown || delta.plan !== undefined) return undefined;
    const plan = new DeltaPlan(delta.index);
    return { index: this.#index, averageBytes: delta.averageBytes, plan };
  }

  /** All chunks of the file were found. */
  planned(plan: DeltaPlan): void {
    if (this.#delta !== undefined) this.#delta.plan = plan;
  }

  #settle({ index, outcome }: Result): void {
    const { size } = this.#entry(index);
    if (this.#outcomes[index] !== undefined) {
      throw outOfStep(`entry ${index} is settled twice`);
    }
    this.#outcomes[index] = outcome;
    this.counts.settledEntries++;
    if (outcome === "present") this.counts.settledBytes += size;
    if (this.#index === index && this.#wanted.has(index)) this.#nextFile();
    this.#wanted.delete(index);
  }

  #entry(index: number): TransferEntry {
    const entry = index < this.#paged ? this.entries[index] : undefined;
    if (entry === undefined) throw outOfStep(`there is no entry ${index}`);
    return entry;
  }

  /** What to read next; undefined while there is something to wait for. Ends the transfer when nothing is left. */
  work(): LeafWork | undefined {
    if (this.#prepared !== undefined) return undefined;
    while (this.#index < this.#needed && !this.#wanted.has(this.#index)) {
      this.#index++;
    }
    if (this.#index < this.#needed) {
      return this.#awaitsPlan() ? undefined : this.#leafWork();
    }
    const all = this.#listed && this.#index === this.entries.length;
    if (all && !this.#ended) {
      this.#ended = true;
      this.output.push({ type: "end" });
    }
    return undefined;
  }

  /** Whether it is still to be seen which chunks of the file the receiver has. */
  #awaitsPlan(): boolean {
    const index = this.#index;
    if (this.#old.delete(index)) {
      this.#delta = new Delta();
      this.output.push({ type: "ask", index });
    }
    return this.#delta !== undefined && this.#delta.plan === undefined;
  }

  #leafWork(): LeafWork {
    const index = this.#index;
    const entry = this.entries[index]!;
    const leaf = this.#leaf;
    return {
      index,
      entry,
      leaf,
      offset: leaf * LEAF_BYTES,
      length: leafLength(entry.size, leaf),
      isLast: leaf + 1 >= leafCount(entry.size),
    };
  }

  /** Takes the bytes that {@linkcode SenderMachine.work} asked for; they must stay as they are until they are sent. */
  read(data: Uint8Array): void {
    const index = this.#index;
    const leaf = this.#leaf++;
    const count = leafCount(this.entries[index]!.size);
    if (count > 0) {
      const hash = leafHash(this.#sha256, data);
      this.#tree.push(hash);
      if (this.#isHeld(index, leaf, hash)) {
        this.counts.settledBytes += data.length;
      } else {
        this.#prepared = { type: "leaf", index, leaf, hash, data };
        this.#preparePatch(this.#prepared);
      }
    }
    if (this.#prepared === undefined) this.#closeIfRead(index);
  }

  #preparePatch({ index, leaf, hash, data }: LeafMessage): void {
    const plan = this.#delta?.plan;
    if (plan === undefined) return;
    const writer = this.#patch;
    writer.truncate();
    plan.patch(leaf * LEAF_BYTES, data, writer);
    if (writer.length >= data.length) return;
    const patch = writer.bytes.slice(0, writer.length);
    this.#patched = { type: "patch", index, leaf, hash, patch };
  }

  #isHeld(index: number, leaf: number, hash: Uint8Array): boolean {
    const ranges = this.#held.get(index);
    if (ranges === undefined) return false;
    let range = ranges[0];
    while (range !== undefined && range.leaf + countOf(range) <= leaf) {
      ranges.shift();
      range = ranges[0];
    }
    if (range === undefined || leaf < range.leaf) return false;
    const at = (leaf - range.leaf) * HASH_BYTES;
    return sameHash(hash, range.hashes.subarray(at, at + HASH_BYTES));
  }

  #closeIfRead(index: number): void {
    const count = leafCount(this.entries[index]!.size);
    if (this.#leaf < count) return;
    // The only leaf of a file closes it.
    if (count !== 1) {
      this.output.push({ type: "close", index, root: this.#tree.root() });
    }
    this.#nextFile();
  }

  /** Moves the leaf that was read to the output, if the window has room for it. */
  flush(nowMs: number): void {
    const leaf = this.#prepared;
    if (leaf === undefined) return;
    const { length } = leaf.data;
    if (!this.#window.admit(leaf.index, length, nowMs)) return;
    const patched = this.#patched;
    this.#prepared = this.#patched = undefined;
    this.output.push(patched ?? leaf);
    this.counts.movedBytes += patched?.patch.length ?? length;
    this.#closeIfRead(leaf.index);
  }

  /** Gives up the file that was to be read: it changed, or cannot be read. The others go on. */
  fail(outcome: "changed" | "unreadable", detail: string): void {
    const index = this.#index;
    this.output.push({ type: "fail", index, outcome, detail });
    this.#nextFile();
  }

  #nextFile(): void {
    this.#held.delete(this.#index);
    if (this.#prepared?.index === this.#index) {
      this.#prepared = this.#patched = undefined;
    }
    this.#old.delete(this.#index);
    this.#delta = undefined;
    this.#wanted.delete(this.#index);
    this.#index++;
    this.#leaf = 0;
    this.#tree = new TreeHash(this.#sha256);
  }
}

/** What is known of the receiver's old copy of a file. */
class Delta {
  averageBytes = 0;
  readonly index = new ChunkIndex();
  /** The receiver has told of all chunks. */
  isKnown = false;
  plan: DeltaPlan | undefined;
}

function countOf({ hashes }: HeldLeaves): number {
  return hashes.length / HASH_BYTES;
}

function outOfStep(reason: string): RemoteProtocolError {
  return new RemoteProtocolError(
    "invalid_message",
    `Cannot go on sending: ${reason}`,
  );
}
