import type { Conn } from "../../io/transport.ts";
import type { LinkPacket } from "../../proto/link/impaired_link.ts";
import type {
  Impairments,
  LinkDirection,
} from "../../proto/link/impairments.ts";
import { slices } from "../../proto/link/slices.ts";
import type { LinkPair, LinkSink } from "./link_pair.ts";

/** Bytes of one direction that are under way, or wait for their reader; beyond, its writer is not read. */
export const MAX_STREAM_BYTES = 4 * 1024 * 1024;

/** What a direction may hold when the others hold very much. */
const MIN_STREAM_BYTES = 16 * 1024;

/** What all streams of the process hold together, beyond the least of each. */
export const MAX_STREAMS_BYTES = 128 * 1024 * 1024;

/** What a direction reads into while little comes, and when much does. */
const SMALL_BYTES = 2048;
const LARGE_BYTES = 64 * 1024;

const NOTHING = new Uint8Array(0);

let heldByAll = 0;

/** Options of {@linkcode StreamDirection}. */
export interface StreamDirectionOptions {
  /** Which way. */
  direction: LinkDirection;
  /** Who writes. */
  from: Conn;
  /** Who reads. */
  into: Conn;
  /** What lies between. */
  pair: LinkPair;
  /** What slices are drawn from. */
  random: () => number;
  /** Is called once all has been said and written, or nobody is left for it. */
  done(): void;
  /** Is called when the connection has to be cut off: by RST, or by an end. */
  cut(how: "reset" | "close"): void;
  /** Is called when the reader cannot be written to any more. */
  readerGone(): void;
}

/** One direction of a stream through a link: read, cut into pieces, sent over the link, and written as they arrive. */
export class StreamDirection implements LinkSink {
  lastArrivalMs = 0;
  /** Bytes that were read. */
  bytes = 0;
  /** Whether a black hole took something of it: what follows would not fit. */
  hasHole = false;
  /** Whether all was said and written, or nobody is left for it. */
  isDone = false;
  readonly #options: StreamDirectionOptions;
  #arrived: LinkPacket<LinkSink>[] = [];
  #isWriting = false;
  #heldBytes = 0;
  #room: PromiseWithResolvers<void> | undefined;
  /** Nobody reads what arrives any more. */
  #isDeaf = false;
  /** The writer has ended or failed. */
  #isOver = false;
  /** Its end is one that this link makes. */
  #isCut = false;
  /** What is still under way is not counted any more. */
  #isStopped = false;

  /** Does nothing until `run`. */
  constructor(options: StreamDirectionOptions) {
    this.#options = options;
  }

  get #impairments(): Required<Impairments> {
    const { pair, direction } = this.#options;
    return pair.impairments[direction];
  }

  /** Reads until the writer ends. */
  async run(): Promise<void> {
    const { from } = this.#options;
    let buffer = new Uint8Array(SMALL_BYTES);
    try {
      for (;;) {
        await this.#waitForRoom();
        if (this.#isOver) return;
        const count = await from.read(buffer);
        if (count === null) return this.#over("end");
        if (!this.#pass(buffer.subarray(0, count))) return;
        if (count === buffer.length && count < LARGE_BYTES) {
          buffer = new Uint8Array(LARGE_BYTES);
        } else if (count <= SMALL_BYTES && buffer.length > SMALL_BYTES) {
          buffer = new Uint8Array(SMALL_BYTES);
        }
      }
    } catch {
      this.#over("reset");
    }
  }

  /** The writer has failed, which this direction cannot see by itself. */
  fail(): void {
    this.#over("reset");
  }

  /** Forgets everything: the connection is over. */
  stop(): void {
    this.#isOver = this.#isDeaf = true;
    this.#discard();
    this.#hold(-this.#heldBytes);
    this.#isStopped = true;
    this.#finish();
  }

  /** Sends what was read; false once the limit is reached. */
  #pass(read: Uint8Array): boolean {
    const { random } = this.#options;
    const left = this.#impairments.limitBytes - this.bytes;
    const taken = read.length < left
      ? read
      : read.subarray(0, Math.max(0, left));
    this.bytes += taken.length;
    for (const piece of slices(taken, this.#impairments, random)) {
      // The runtime reads into the buffer again while this is under way.
      const bytes = piece.slice();
      this.#hold(bytes.length);
      if (!this.#send("data", bytes)) this.#hold(-bytes.length);
    }
    if (left > read.length) return true;
    this.#isCut = true;
    this.#over("end");
    return false;
  }

  #send(kind: "data" | "end" | "reset", bytes = NOTHING): boolean {
    const { pair, direction } = this.#options;
    const isTaken = pair.send(direction, { kind, bytes, flow: this });
    if (!isTaken) this.hasHole = true;
    return isTaken;
  }

  #over(kind: "end" | "reset"): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#impairments.halfOpen && !this.#isCut) this.#finish();
    else this.#send(kind);
  }

  arrived(packet: LinkPacket<LinkSink>): void {
    if (this.#isDeaf) {
      this.#hold(-packet.bytes.length);
      if (packet.kind !== "data") this.#finish();
      return;
    }
    this.#arrived.push(packet);
    if (!this.#isWriting) void this.#write();
  }

  async #write(): Promise<void> {
    const { into, cut, readerGone } = this.#options;
    this.#isWriting = true;
    try {
      while (this.#arrived.length > 0 && !this.#isDeaf) {
        const [first] = this.#arrived;
        if (first!.kind === "reset") return cut("reset");
        if (first!.kind === "end") {
          await into.closeWrite();
          if (this.#isCut) cut("close");
          return this.#finish();
        }
        const bytes = this.#takeData();
        for (let at = 0; at < bytes.length;) {
          at += await into.write(bytes.subarray(at));
        }
        this.#hold(-bytes.length);
      }
    } catch {
      this.#isDeaf = true;
      this.#discard();
      readerGone();
    } finally {
      this.#isWriting = false;
      if (this.#isDeaf) {
        this.#discard();
        if (this.#isOver) this.#finish();
      }
    }
  }

  /** What can be written at once; pieces stay apart where the link makes them so. */
  #takeData(): Uint8Array {
    const { sliceBytes } = this.#impairments;
    let count = 0;
    let size = 0;
    for (const { kind, bytes } of this.#arrived) {
      const isWhole = count > 0 &&
        (sliceBytes > 0 || size + bytes.length > LARGE_BYTES);
      if (kind !== "data" || isWhole) break;
      count++;
      size += bytes.length;
    }
    const taken = this.#arrived.splice(0, count);
    if (count === 1) return taken[0]!.bytes;
    const all = new Uint8Array(size);
    let at = 0;
    for (const { bytes } of taken) {
      all.set(bytes, at);
      at += bytes.length;
    }
    return all;
  }

  #discard(): void {
    for (const { bytes } of this.#arrived.splice(0)) this.#hold(-bytes.length);
  }

  #finish(): void {
    if (this.isDone) return;
    this.isDone = true;
    this.#options.done();
  }

  #hold(bytes: number): void {
    if (this.#isStopped) return;
    this.#heldBytes += bytes;
    heldByAll += bytes;
    if (bytes > 0) return;
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** Waits while the link's queue is full, or too much is under way. */
  async #waitForRoom(): Promise<void> {
    const { pair, direction } = this.#options;
    const link = pair.link(direction);
    while (!this.#isOver) {
      const limit = Math.max(
        MIN_STREAM_BYTES,
        Math.min(MAX_STREAM_BYTES, MAX_STREAMS_BYTES - heldByAll),
      );
      if (this.#heldBytes >= limit) {
        this.#room = Promise.withResolvers();
        await this.#room.promise;
      } else if (link.isFull) await pair.room(direction);
      else return;
    }
  }
}
