import type { Deframer, Wire } from "../proto/framing/framing.ts";
import { TokenBucket } from "../proto/token_bucket.ts";
import type { Counters } from "./counters.ts";
import type { Deadlines } from "./deadlines.ts";
import { Inbox } from "./inbox.ts";

/** What a receiver shares with its connection. */
export interface ReceiverParts<In> {
  /** Framing and codec. */
  wire: Wire<In, never>;
  /** The reading side of the framing. */
  deframer: Deframer;
  /** Told when reads and frames begin and end. */
  deadlines: Deadlines;
  /** Where it counts. */
  counters: Counters;
  /** Bytes per second on average. */
  bytesPerSecond: number;
}

/** The receiving half of a connection: makes messages of what is read, in place. The reading itself is its owner's. */
export class Receiver<In> {
  /** Nothing more will come. */
  ended = false;
  /** A read is in flight. */
  reading = false;
  readonly #inbox: Inbox = new Inbox();
  readonly #deframer: Deframer;
  readonly #wire: Wire<In, never>;
  readonly #deadlines: Deadlines;
  readonly #counters: Counters;
  readonly #rate: TokenBucket | undefined;
  #owedMs = 0;

  /** Starts with an empty buffer. */
  constructor(
    { wire, deframer, deadlines, counters, bytesPerSecond }: ReceiverParts<In>,
  ) {
    this.#wire = wire;
    this.#deadlines = deadlines;
    this.#counters = counters;
    this.#deframer = deframer;
    this.#rate = TokenBucket.of(bytesPerSecond, deadlines.readMs);
  }

  /** The largest frame to accept. */
  get maxFrameBytes(): number {
    return this.#deframer.maxFrameBytes;
  }

  set maxFrameBytes(bytes: number) {
    this.#deframer.maxFrameBytes = bytes;
  }

  /**
   * Moves on to the next whole frame; false if there is none.
   *
   * @throws {RemoteProtocolError} If what is there is no frame.
   */
  nextFrame(): boolean {
    const inbox = this.#inbox;
    const deframer = this.#deframer;
    do {
      const next = this.ended
        ? deframer.finish(inbox.bytes, inbox.from, inbox.to)
        : deframer.next(inbox.bytes, inbox.from, inbox.to);
      if (next < 0) return false;
      inbox.from = next;
    } while (deframer.start < 0);
    this.#deadlines.frameEnded();
    return true;
  }

  /**
   * Decodes the frame that `nextFrame` found.
   *
   * @throws {RemoteProtocolError} If it is no message.
   */
  decode(): In {
    const { start, end, inflated } = this.#deframer;
    const message = this.#wire.codec.decode(
      inflated ?? this.#inbox.bytes.subarray(start, end),
    );
    this.#counters.messagesIn++;
    this.#deadlines.greeted = true;
    return message;
  }

  /** Where the next read goes; it must be told to `readEnded`. */
  readBegins(): Uint8Array<ArrayBuffer> {
    const inbox = this.#inbox;
    this.#deadlines.readBegins(inbox.from < inbox.to);
    this.reading = true;
    return inbox.space(this.#deframer.wanted);
  }

  /** Takes the bytes of a read; null is the end of the stream. */
  readEnded(count: number | null): void {
    this.reading = false;
    this.#deadlines.readEnded();
    if (count === null) {
      this.ended = true;
      return;
    }
    this.#inbox.received(count);
    this.#counters.bytesIn += count;
    if (this.#rate !== undefined) {
      this.#owedMs = this.#rate.take(count, this.#deadlines.readMs);
    }
  }

  /** Milliseconds to wait before the next read, so that the rate is kept; told once. */
  takeOwedMs(): number {
    const owedMs = this.#owedMs;
    this.#owedMs = 0;
    return owedMs;
  }

  /** Forgets what was received and not yet looked at. */
  discard(): void {
    const { bytes, from, to } = this.#inbox;
    this.#inbox.from = this.#deframer.discard?.(bytes, from, to) ?? to;
  }

  /** Gives the buffer back, unless a read is still using it. */
  release(): void {
    if (!this.reading) this.#inbox.release();
  }
}
