import { type Link, RETRANSMIT_MS } from "./link.ts";

/** Bytes that a pipe takes before they have arrived. */
export const SEND_BUFFER_BYTES = 64 * 1024;

/** Bytes that may have arrived, or be under way, before they are read. */
export const RECEIVE_BUFFER_BYTES = 64 * 1024;

/** What one packet carries: Ethernet's 1500 bytes without the headers of IPv4 and TCP. */
export const SEGMENT_BYTES = 1460;

/** The longest wait between two attempts; Linux's TCP_RTO_MAX. */
export const RETRANSMIT_MAX_MS = 120_000;

/** Attempts before the connection is given up, after about 15 minutes; Linux's tcp_retries2. */
export const MAX_RETRIES = 15;

/** A packet: bytes, or one of TCP's flags (`open` is the ACK that ends the handshake). */
export interface Segment {
  /** What it says. */
  readonly kind: "open" | "data" | "end" | "reset";
  /** Empty unless it is `data`. */
  readonly bytes: Uint8Array;
  /** When it arrives, once it has departed. */
  arriveMs: number;
}

const NOTHING = new Uint8Array(0);

/**
 * One direction of a TCP connection: bounded buffers at both ends, packets that arrive in order, and retransmission
 * with growing waits while the link is down. Pure: after every call, call `advance` again at `nextMs`.
 */
export class Pipe {
  /** The writer has said its last word. */
  ended = false;
  /** The end has arrived: nothing follows what is unread. */
  finished = false;
  /** What arrived could not be acknowledged for too long; the writer's connection is over. */
  timedOut = false;
  /** Bytes that have arrived and were not read. */
  unreadBytes = 0;
  readonly #link: Link;
  /** What has not arrived; the first `#departed` of them are under way. */
  readonly #segments: Segment[] = [];
  #departed = 0;
  #departedBytes = 0;
  #bufferedBytes = 0;
  #lastArrivalMs = 0;
  readonly #unread: Uint8Array[] = [];
  #retries = 0;
  #retryMs = Infinity;
  /** The writer has sent a reset, which is not sent again if it is lost. */
  #broken = false;

  /** Sends over `link`. */
  constructor(link: Link) {
    this.#link = link;
  }

  /** Whether all that was sent has arrived. */
  get idle(): boolean {
    return this.#segments.length === 0;
  }

  /** When to call `advance`; Infinity if nothing is due. */
  get nextMs(): number {
    const arriveMs = this.#departed > 0
      ? this.#segments[0]!.arriveMs
      : Infinity;
    return Math.min(this.#retryMs, arriveMs);
  }

  /** Tells the other side that the connection stands. */
  open(nowMs: number): void {
    this.#queue("open", NOTHING, nowMs);
  }

  /** Takes a copy of as many bytes as there is room for, and returns how many. */
  write(bytes: Uint8Array, nowMs: number): number {
    const room = SEND_BUFFER_BYTES - this.#bufferedBytes;
    const taken = bytes.slice(0, room);
    for (let at = 0; at < taken.length; at += SEGMENT_BYTES) {
      this.#queue("data", taken.subarray(at, at + SEGMENT_BYTES), nowMs);
    }
    return taken.length;
  }

  /** Ends the stream after what was written. */
  end(nowMs: number): void {
    if (this.ended) return;
    this.ended = true;
    this.#queue("end", NOTHING, nowMs);
  }

  /** Ends the stream after what is under way; the rest is dropped. */
  reset(nowMs: number): void {
    if (this.#broken && this.#departed > 0) return;
    this.ended = this.#broken = true;
    this.#segments.length = this.#departed;
    this.#bufferedBytes = this.#departedBytes;
    this.#retryMs = Infinity;
    this.#queue("reset", NOTHING, nowMs);
  }

  /** Forgets what has not arrived: its sender is gone. */
  drop(): void {
    this.ended = true;
    this.#segments.length = this.#departed = 0;
    this.#bufferedBytes = this.#departedBytes = 0;
    this.#retryMs = Infinity;
  }

  /** Reads what has arrived: the count, null at the end, undefined if there is nothing yet. */
  read(into: Uint8Array, nowMs: number): number | null | undefined {
    if (this.unreadBytes === 0) return this.finished ? null : undefined;
    let count = 0;
    while (count < into.length && this.#unread.length > 0) {
      const chunk = this.#unread[0]!;
      const part = chunk.subarray(0, into.length - count);
      into.set(part, count);
      count += part.length;
      if (part.length === chunk.length) this.#unread.shift();
      else this.#unread[0] = chunk.subarray(part.length);
    }
    this.unreadBytes -= count;
    this.#depart(nowMs);
    return count;
  }

  /** Lets time pass; returns what has arrived, in order. */
  advance(nowMs: number): Segment[] {
    const arrived: Segment[] = [];
    if (nowMs >= this.#retryMs) this.#retryMs = Infinity;
    while (this.#departed > 0 && this.#segments[0]!.arriveMs <= nowMs) {
      if (!this.#link.up) {
        this.#goBack(nowMs);
        break;
      }
      this.#retries = 0;
      const segment = this.#segments.shift()!;
      this.#departed--;
      this.#departedBytes -= segment.bytes.length;
      this.#bufferedBytes -= segment.bytes.length;
      if (segment.kind === "end") this.finished = true;
      if (segment.kind === "data") {
        this.#unread.push(segment.bytes);
        this.unreadBytes += segment.bytes.length;
      }
      arrived.push(segment);
    }
    this.#depart(nowMs);
    return arrived;
  }

  /** Forgets what is unread: nobody will read it. */
  discard(): void {
    this.#unread.length = this.unreadBytes = 0;
  }

  #queue(kind: Segment["kind"], bytes: Uint8Array, nowMs: number): void {
    this.#segments.push({ kind, bytes, arriveMs: Infinity });
    this.#bufferedBytes += bytes.length;
    this.#depart(nowMs);
  }

  #depart(nowMs: number): void {
    if (this.#retryMs !== Infinity) return;
    while (this.#departed < this.#segments.length) {
      const segment = this.#segments[this.#departed]!;
      const { length } = segment.bytes;
      const held = this.#departedBytes + this.unreadBytes + length;
      if (held > RECEIVE_BUFFER_BYTES) return;
      if (!this.#link.up) return this.#goBack(nowMs);
      const arriveMs = this.#link.arrivalMs(length, nowMs);
      this.#lastArrivalMs = Math.max(arriveMs, this.#lastArrivalMs);
      segment.arriveMs = this.#lastArrivalMs;
      this.#departed++;
      this.#departedBytes += length;
    }
  }

  /** What was under way is lost: all of it is sent again, after a wait that doubles each time. */
  #goBack(nowMs: number): void {
    if (this.#broken) return this.drop();
    this.#departed = this.#departedBytes = this.#lastArrivalMs = 0;
    if (++this.#retries > MAX_RETRIES) {
      this.timedOut = true;
      return this.drop();
    }
    const waitMs = RETRANSMIT_MS * 2 ** (this.#retries - 1);
    this.#retryMs = nowMs + Math.min(waitMs, RETRANSMIT_MAX_MS);
  }
}
