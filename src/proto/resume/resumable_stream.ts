import {
  encodeResume,
  malformed,
  nextNumber,
  type ResumeMessage,
} from "./messages.ts";

/** Options of {@linkcode ResumableStream}. */
export interface ResumableStreamOptions {
  /** Bytes sent and not acknowledged at which `isFull` asks the program to wait. @default {1_048_576} */
  maxUnacknowledgedBytes?: number;
  /** Bytes received after which an acknowledgement is due; a sixteenth of what the other end may keep. @default {65_536} */
  acknowledgeBytes?: number;
}

/** A message that the other end has not acknowledged. */
interface Kept {
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** Messages without data count for something too, or a peer could have us keep any number of them. */
const MESSAGE_COST_BYTES = 64;

/**
 * One end of a byte stream that outlives its connections. What is sent is numbered and kept until the other end has
 * acknowledged it; on a new connection each end says how far it has received, and the rest is sent again: nothing is
 * lost, nothing comes twice. Without IO: its owner carries the messages.
 *
 * @example Usage
 * ```ts
 * import { decodeResume } from "./messages.ts";
 * import { ResumableStream } from "./resumable_stream.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const ours = new ResumableStream();
 * const theirs = new ResumableStream();
 * ours.send(new Uint8Array([1])); // lost with the connection
 * const [again] = ours.unacknowledged(theirs.received);
 * assertEquals(theirs.receive(decodeResume(again!)), new Uint8Array([1]));
 * assertEquals(theirs.receive(decodeResume(again!)), undefined); // came twice
 * ```
 */
export class ResumableStream {
  readonly #maxUnacknowledgedBytes: number;
  readonly #acknowledgeBytes: number;
  #kept: Kept[] = [];
  #keptBytes = 0;
  #sent = 0;
  #received = 0;
  #acknowledged = 0;
  #dueBytes = 0;
  #sentEnd = false;
  #receivedEnd = false;

  /** Starts a new session. */
  constructor(options: ResumableStreamOptions = {}) {
    this.#maxUnacknowledgedBytes = options.maxUnacknowledgedBytes ?? 1 << 20;
    this.#acknowledgeBytes = options.acknowledgeBytes ?? 1 << 16;
  }

  /** Number of the last message received. */
  get received(): number {
    return this.#received;
  }

  /** Whether so much waits for an acknowledgement that nothing should be sent. */
  get isFull(): boolean {
    return this.#keptBytes >= this.#maxUnacknowledgedBytes;
  }

  /** Whether our direction has ended and the other end has all of it. */
  get isSent(): boolean {
    return this.#sentEnd && this.#kept.length === 0;
  }

  /** Whether both directions have ended and everything sent was acknowledged. */
  get isDone(): boolean {
    return this.isSent && this.#receivedEnd;
  }

  /** Numbers `data` and keeps it; returns the message to send. */
  send(data: Uint8Array): Uint8Array {
    return this.#keep({ type: "data", number: this.#next(), data });
  }

  /** Ends our direction; returns the message to send. */
  end(): Uint8Array {
    this.#sentEnd = true;
    return this.#keep({ type: "end", number: this.#next() });
  }

  #next(): number {
    return this.#sent = nextNumber(this.#sent);
  }

  #keep(message: ResumeMessage & { number: number }): Uint8Array {
    const bytes = encodeResume(message);
    this.#kept.push({ number: message.number, bytes });
    this.#keptBytes += bytes.length + MESSAGE_COST_BYTES;
    return bytes;
  }

  /**
   * Takes a message of the other end: the bytes of the stream in it, `"end"`, or undefined if there is nothing new.
   *
   * @throws {RemoteProtocolError} (`malformed`) If it does not belong here: a message is missing before it, it
   * acknowledges what was not sent, or it begins a session.
   */
  receive(message: ResumeMessage): Uint8Array | "end" | undefined {
    switch (message.type) {
      case "ack":
        this.#forget(message.number);
        return undefined;
      case "data":
      case "end": {
        const { number } = message;
        if (number <= this.#received) return undefined;
        if (this.#receivedEnd || number !== this.#received + 1) {
          throw malformed(`the number ${number} after ${this.#received}`);
        }
        this.#received = number;
        this.#dueBytes += MESSAGE_COST_BYTES;
        if (message.type === "data") {
          this.#dueBytes += message.data.length;
          return message.data;
        }
        this.#receivedEnd = true;
        this.#dueBytes = Infinity;
        return "end";
      }
      default:
        throw malformed(`the type ${message.type} in the middle of a session`);
    }
  }

  #forget(number: number): void {
    if (number > this.#sent) {
      throw malformed(`the number ${number} where ${this.#sent} were sent`);
    }
    const count = this.#kept.findIndex((kept) => kept.number > number);
    const gone = this.#kept.splice(0, count < 0 ? this.#kept.length : count);
    for (const { bytes } of gone) {
      this.#keptBytes -= bytes.length + MESSAGE_COST_BYTES;
    }
  }

  /** The acknowledgement to send, if one is due; with `now`, if there is anything to acknowledge. */
  acknowledgement(now = false): Uint8Array | undefined {
    const isDue = this.#dueBytes >= this.#acknowledgeBytes ||
      now && this.#received > this.#acknowledged;
    if (!isDue) return undefined;
    this.#dueBytes = 0;
    this.#acknowledged = this.#received;
    return encodeResume({ type: "ack", number: this.#received });
  }

  /**
   * What to send on a new connection, whose other end has received everything up to `number`.
   *
   * @throws {RemoteProtocolError} (`malformed`) If the other end claims what was not sent, or what it has acknowledged is more.
   */
  unacknowledged(number: number): Uint8Array[] {
    const first = this.#kept[0]?.number ?? this.#sent + 1;
    if (number < first - 1) {
      throw malformed(
        `the number ${number} where ${first - 1} was acknowledged`,
      );
    }
    this.#forget(number);
    return this.#kept.map(({ bytes }) => bytes);
  }
}
