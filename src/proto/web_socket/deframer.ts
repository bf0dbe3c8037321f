import type { Deframer } from "../framing/framing.ts";
import { truncatedFrame } from "../framing/limits.ts";
import { isCloseCode, messageTooLarge, notUtf8, violation } from "./close.ts";
import { inflateMessage } from "./deflate.ts";
import { applyMask, isAscii } from "./mask.ts";
import { OPCODE } from "./opcode.ts";
import { Utf8Check } from "./utf8_check.ts";

/** Frames that one message may come in, control frames between them included: their headers are held until its end. */
export const MAX_FRAGMENTS = 131_072;

/** A control frame's payload is at most this long (RFC 6455, 5.5). */
const MAX_CONTROL_BYTES = 125;

/** Takes the control frames that a {@linkcode WebSocketDeframer} passes over. */
export interface ControlSink {
  /** A Ping, to be answered; `payload` must not be kept past the call. */
  ping(payload: Uint8Array): void;
  /** A Pong. */
  pong(): void;
  /** The peer's Close; the code is undefined if it gave none. Nothing that it sends later is looked at. */
  closed(code: number | undefined, reason: string): void;
}

/** What a {@linkcode WebSocketDeframer} is made for. */
export interface DeframerOptions {
  /** Bytes of the largest message. */
  maxFrameBytes: number;
  /** Whose frames it reads: those of a client are masked, those of a server are not. */
  from: "client" | "server";
  /** Whether permessage-deflate was agreed on. */
  inflates: boolean;
  /** Is told of control frames. */
  sink: ControlSink;
  /** @default {MAX_FRAGMENTS} */
  maxFragments?: number;
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Finds the messages of a WebSocket (RFC 6455, 5) in received bytes, in place: payloads are unmasked where they lie, and
 * fragments are moved together towards the first of them. Text is checked to be UTF-8, fragment by fragment.
 */
export class WebSocketDeframer implements Deframer {
  maxFrameBytes: number;
  start = 0;
  end = 0;
  wanted = 0;
  inflated: Uint8Array | undefined;
  readonly #masked: boolean;
  readonly #inflates: boolean;
  readonly #sink: ControlSink;
  readonly #maxFragments: number;
  /** Made from `#viewed`. */
  #view: DataView | undefined;
  #viewed: Uint8Array | undefined;
  /** The message under way: 0 if there is none. Offsets are relative to `from`, as the buffer moves between calls. */
  #opcode = 0;
  #compressed = false;
  #fragments = 0;
  /** Where its payload begins. */
  #joinedAt = 0;
  /** How much of that there is. */
  #joinedBytes = 0;
  /** Where its next frame begins; 0 without a message under way. */
  #nextAt = 0;
  #utf8: Utf8Check | undefined;
  /** Payload bytes that `discard` has yet to pass over. */
  #skip = 0;
  #isOver = false;

  constructor(options: DeframerOptions) {
    this.maxFrameBytes = options.maxFrameBytes;
    this.#masked = options.from === "client";
    this.#inflates = options.inflates;
    this.#sink = options.sink;
    this.#maxFragments = options.maxFragments ?? MAX_FRAGMENTS;
  }

  /** Whether the peer has said Close or broken the rules, so that nothing else is looked at. */
  get isOver(): boolean {
    return this.#isOver;
  }

  next(bytes: Uint8Array, from: number, to: number): number {
    if (this.#isOver) return this.#passOver(from, to);
    try {
      return this.#next(bytes, from, to);
    } catch (error) {
      this.#isOver = true;
      throw error;
    }
  }

  #passOver(from: number, to: number): number {
    this.start = -1;
    this.wanted = 0;
    return to > from ? to : -1;
  }

  #next(bytes: Uint8Array, from: number, to: number): number {
    for (;;) {
      const at = from + this.#nextAt;
      this.wanted = 0;
      if (at + 2 > to) return -1;
      const view = this.#viewOf(bytes);
      const first = bytes[at]!;
      const second = bytes[at + 1]!;
      // Most frames are a whole short message, and need no closer look.
      const isPlain = (first === 0x82 || first === 0x81) &&
        this.#opcode === 0 && second >= 0x80 === this.#masked;
      if (!isPlain) this.#checkHeader(first, second);
      const headerBytes = headerLength(second);
      if (at + headerBytes > to) return -1;
      const length = payloadLength(view, at, second & 0x7f);
      const opcode = first & 0x0f;
      const isControl = opcode >= OPCODE.close;
      if (!isControl && this.#joinedBytes + length > this.maxFrameBytes) {
        const whole = this.#joinedBytes + length;
        throw messageTooLarge(whole, this.maxFrameBytes);
      }
      const start = at + headerBytes;
      const end = start + length;
      if (end > to) {
        this.wanted = end - from;
        return -1;
      }
      const isText = (this.#opcode === 0 ? opcode : this.#opcode) ===
        OPCODE.text;
      const ascii = this.#masked
        ? applyMask(view, bytes, start, end, start - 4)
        : !isText || isAscii(view, bytes, start, end);
      if (isControl) {
        this.#control(opcode, bytes, start, end);
        if (this.#isOver || this.#opcode === 0) {
          this.start = -1;
          return end;
        }
        this.#goOn(end - from);
        continue;
      }
      const isLast = first >= 0x80;
      if (opcode !== 0 && isLast) {
        return this.#whole(bytes, start, end, first, ascii);
      }
      if (opcode !== 0) {
        this.#opcode = opcode;
        this.#compressed = (first & 0x40) !== 0;
        this.#joinedAt = start - from;
        this.#utf8?.reset();
      } else {
        const joinedEnd = from + this.#joinedAt + this.#joinedBytes;
        bytes.copyWithin(joinedEnd, start, end);
      }
      if (isText && !this.#compressed) {
        const joinedEnd = from + this.#joinedAt + this.#joinedBytes;
        this.#checkText(bytes, joinedEnd, joinedEnd + length, ascii, isLast);
      }
      this.#joinedBytes += length;
      if (isLast) return this.#finishJoined(bytes, from, end);
      this.#goOn(end - from);
    }
  }

  /** Kept from frame to frame; an idle connection has none. */
  #viewOf(bytes: Uint8Array): DataView {
    if (this.#view === undefined || this.#viewed !== bytes) {
      this.#viewed = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    return this.#view;
  }

  /** Refuses what no frame starts with, before its payload is there. */
  #checkHeader(first: number, second: number): void {
    const opcode = first & 0x0f;
    const isFirst = opcode === OPCODE.text || opcode === OPCODE.binary;
    if ((first & 0x30) !== 0) throw violation("a reserved bit is set");
    if ((first & 0x40) !== 0 && !(this.#inflates && isFirst)) {
      throw violation("its first reserved bit is set");
    }
    if ((second & 0x80) !== 0 !== this.#masked) {
      throw violation(
        this.#masked
          ? "a client's frame must be masked"
          : "a server's frame must not be masked",
      );
    }
    if (opcode >= OPCODE.close) {
      if (opcode > OPCODE.pong) throw reserved(opcode);
      if (first < 0x80) throw violation("a control frame is fragmented");
      if ((second & 0x7f) > MAX_CONTROL_BYTES) {
        throw violation("a control frame has more than 125 bytes");
      }
    } else if (opcode > OPCODE.binary) {
      throw reserved(opcode);
    } else if (opcode === OPCODE.continuation && this.#opcode === 0) {
      throw violation("there is no message to continue");
    } else if (isFirst && this.#opcode !== 0) {
      throw violation("a message begins inside another");
    }
  }

  #control(
    opcode: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (opcode === OPCODE.ping) {
      this.#sink.ping(bytes.subarray(start, end));
    } else if (opcode === OPCODE.pong) {
      this.#sink.pong();
    } else {
      const payload = bytes.subarray(start, end);
      const [code, reason] = readClosePayload(payload);
      this.#isOver = true;
      this.#sink.closed(code, reason);
    }
  }

  /** The next frame of the message under way begins `nextAt` bytes after its first. */
  #goOn(nextAt: number): void {
    this.#nextAt = nextAt;
    if (++this.#fragments >= this.#maxFragments) {
      throw messageTooLarge(
        `its part of ${this.#fragments} or more frames, and each`,
        this.maxFrameBytes,
      );
    }
  }

  /** A message in one frame, as nearly all are. */
  #whole(
    bytes: Uint8Array,
    start: number,
    end: number,
    first: number,
    ascii: boolean,
  ): number {
    const isText = (first & 0x0f) === OPCODE.text;
    if ((first & 0x40) !== 0) {
      this.#inflate(bytes.subarray(start, end), isText);
    } else {
      this.inflated = undefined;
      if (isText && !ascii) this.#checkText(bytes, start, end, false, true);
    }
    this.start = start;
    this.end = end;
    return end;
  }

  #finishJoined(bytes: Uint8Array, from: number, end: number): number {
    const isText = this.#opcode === OPCODE.text;
    this.start = from + this.#joinedAt;
    this.end = this.start + this.#joinedBytes;
    this.inflated = undefined;
    this.#opcode =
      this.#joinedBytes =
      this.#fragments =
      this.#nextAt =
        0;
    if (this.#compressed) {
      this.#inflate(bytes.subarray(this.start, this.end), isText);
    }
    return end;
  }

  #inflate(payload: Uint8Array, isText: boolean): void {
    const inflated = inflateMessage(payload, this.maxFrameBytes);
    if (isText) {
      this.#utf8?.reset();
      this.#checkText(inflated, 0, inflated.length, false, true);
    }
    this.inflated = inflated;
  }

  #checkText(
    bytes: Uint8Array,
    start: number,
    end: number,
    ascii: boolean,
    isLast: boolean,
  ): void {
    if (ascii && (this.#utf8 === undefined || this.#utf8.isWhole)) return;
    const utf8 = this.#utf8 ??= new Utf8Check();
    if (!utf8.push(bytes, start, end) || isLast && !utf8.isWhole) {
      throw notUtf8("text");
    }
  }

  /** Passes over frames unread, whole or not, until the peer's Close. */
  discard(bytes: Uint8Array, from: number, to: number): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = from + this.#nextAt;
    this.#nextAt =
      this.#opcode =
      this.#joinedBytes =
      this.wanted =
        0;
    while (!this.#isOver) {
      const skipped = Math.min(this.#skip, to - at);
      at += skipped;
      this.#skip -= skipped;
      if (at + 2 > to) return at;
      const second = bytes[at + 1]!;
      const start = at + headerLength(second);
      if (start > to) return at;
      let length: number;
      try {
        length = payloadLength(view, at, second & 0x7f);
      } catch {
        this.#isOver = true;
        break;
      }
      if ((bytes[at]! & 0x0f) !== OPCODE.close) {
        this.#skip = length;
        at = start;
        continue;
      }
      if (start + length > to && length <= MAX_CONTROL_BYTES) return at;
      this.#isOver = true;
      this.#sink.closed(undefined, "");
    }
    return to;
  }

  finish(_bytes: Uint8Array, from: number, to: number): number {
    if (this.#isOver) return this.#passOver(from, to);
    if (to > from) throw truncatedFrame(to - from);
    return -1;
  }
}

function reserved(opcode: number): Error {
  return violation(`opcode ${opcode} is reserved`);
}

function headerLength(second: number): number {
  const length = second & 0x7f;
  const maskBytes = (second & 0x80) === 0 ? 0 : 4;
  return maskBytes + (length < 126 ? 2 : length === 126 ? 4 : 10);
}

/** The length of the payload of the frame at `at`, whose header is whole. */
function payloadLength(view: DataView, at: number, length: number): number {
  if (length < 126) return length;
  if (length === 126) {
    const extended = view.getUint16(at + 2);
    if (extended < 126) throw notMinimal(extended);
    return extended;
  }
  const high = view.getUint32(at + 2);
  if (high >= 0x80000000) throw violation("the top bit of its length is set");
  const extended = high * 0x100000000 + view.getUint32(at + 6);
  if (extended < 65_536) throw notMinimal(extended);
  return extended;
}

function notMinimal(length: number): Error {
  return violation(`its length ${length} takes more bytes than it needs`);
}

function readClosePayload(payload: Uint8Array): [number | undefined, string] {
  if (payload.length === 0) return [undefined, ""];
  if (payload.length === 1) throw violation("a Close has half a code");
  const code = payload[0]! << 8 | payload[1]!;
  if (!isCloseCode(code)) throw violation(`a Close has the code ${code}`);
  try {
    return [code, strict.decode(payload.subarray(2))];
  } catch {
    throw notUtf8("the reason of a Close");
  }
}
