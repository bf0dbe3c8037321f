import type { ByteWriter } from "../../bytes/writer.ts";
import type { Framing } from "../framing/framing.ts";
import { checkPayload } from "../framing/limits.ts";
import { writeClosePayload } from "./close.ts";
import { deflateMessage, type DeflateOptions } from "./deflate.ts";
import { type ControlSink, WebSocketDeframer } from "./deframer.ts";
import { applyMask } from "./mask.ts";
import { OPCODE } from "./opcode.ts";

/** Makes the masking key of one frame: 32 bits that nobody can foresee. */
export type MaskSource = () => number;

/** What a {@linkcode WebSocketFraming} is made for. */
export interface WebSocketFramingOptions {
  /** Whether messages are UTF-8 text; else they are bytes. */
  text: boolean;
  /** Bytes of the largest message. */
  maxFrameBytes: number;
  /** Where a client's masking keys come from; undefined for a server, which masks nothing. */
  mask?: MaskSource | undefined;
  /** How to compress, if permessage-deflate was agreed on. */
  deflate?: Required<DeflateOptions> | undefined;
}

const QUIET: ControlSink = { ping() {}, pong() {}, closed() {} };

/** Each message is one frame of a WebSocket. The same object serves all connections that frame alike. */
export class WebSocketFraming implements Framing {
  readonly name: string;
  readonly maxFrameBytes: number;
  readonly #first: number;
  readonly #mask: MaskSource | undefined;
  readonly #deflate: Required<DeflateOptions> | undefined;
  /** Bytes of the shortest header. */
  readonly #headerBytes: number;

  constructor({ text, maxFrameBytes, mask, deflate }: WebSocketFramingOptions) {
    this.name = text ? "websocket text" : "websocket binary";
    this.maxFrameBytes = maxFrameBytes;
    this.#first = 0x80 | (text ? OPCODE.text : OPCODE.binary);
    this.#mask = mask;
    this.#deflate = deflate;
    this.#headerBytes = mask === undefined ? 2 : 6;
  }

  /** Whether messages may be compressed. */
  get deflates(): boolean {
    return this.#deflate !== undefined;
  }

  /** Makes the reading side for one connection, which is the other role's; control frames go to `sink`. */
  deframer(sink: ControlSink = QUIET): WebSocketDeframer {
    return new WebSocketDeframer({
      maxFrameBytes: this.maxFrameBytes,
      from: this.#mask === undefined ? "client" : "server",
      inflates: this.deflates,
      sink,
    });
  }

  begin(writer: ByteWriter): number {
    const mark = writer.length;
    writer.reserve(this.#headerBytes);
    writer.length = mark + this.#headerBytes;
    return mark;
  }

  end(writer: ByteWriter, mark: number): void {
    const start = mark + this.#headerBytes;
    const length = writer.length - start;
    checkPayload(writer, mark, length, this.maxFrameBytes);
    let first = this.#first;
    const deflate = this.#deflate;
    if (deflate !== undefined && length >= deflate.thresholdBytes) {
      const payload = writer.bytes.subarray(start, writer.length);
      const deflated = deflateMessage(payload, deflate);
      if (deflated.length < length) {
        first |= 0x40;
        writer.length = start;
        writer.set(deflated);
      }
    }
    endFrame(writer, mark, first, this.#mask);
  }
}

/** Ends the frame at `mark`, whose payload follows a header of the shortest size: a longer one moves it on. */
function endFrame(
  writer: ByteWriter,
  mark: number,
  first: number,
  mask: MaskSource | undefined,
): void {
  const maskBytes = mask === undefined ? 0 : 4;
  const length = writer.length - mark - 2 - maskBytes;
  const longer = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  if (longer > 0) {
    writer.reserve(longer);
    const from = mark + 2 + maskBytes;
    writer.bytes.copyWithin(from + longer, from, writer.length);
    writer.length += longer;
  }
  const { bytes } = writer;
  const masked = mask === undefined ? 0 : 0x80;
  bytes[mark] = first;
  let at = mark + 2;
  if (longer === 0) {
    bytes[mark + 1] = masked | length;
  } else if (longer === 2) {
    bytes[mark + 1] = masked | 126;
    bytes[at++] = length >>> 8;
    bytes[at++] = length;
  } else {
    bytes[mark + 1] = masked | 127;
    const high = Math.floor(length / 0x100000000);
    for (let shift = 24; shift >= 0; shift -= 8) bytes[at++] = high >>> shift;
    for (let shift = 24; shift >= 0; shift -= 8) bytes[at++] = length >>> shift;
  }
  if (mask === undefined) return;
  const key = mask();
  for (let shift = 24; shift >= 0; shift -= 8) bytes[at++] = key >>> shift;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  applyMask(view, bytes, at, writer.length, at - 4);
}

/** Appends a Ping or a Pong. */
export function writeControl(
  writer: ByteWriter,
  opcode: typeof OPCODE.ping | typeof OPCODE.pong,
  payload: Uint8Array,
  mask: MaskSource | undefined,
): void {
  const mark = begin(writer, mask);
  writer.set(payload);
  endFrame(writer, mark, 0x80 | opcode, mask);
}

/** Appends a Close; without a code, one that says nothing. */
export function writeClose(
  writer: ByteWriter,
  code: number | undefined,
  reason: string,
  mask: MaskSource | undefined,
): void {
  const mark = begin(writer, mask);
  writeClosePayload(writer, code, reason);
  endFrame(writer, mark, 0x80 | OPCODE.close, mask);
}

function begin(writer: ByteWriter, mask: MaskSource | undefined): number {
  const mark = writer.length;
  const headerBytes = mask === undefined ? 2 : 6;
  writer.reserve(headerBytes);
  writer.length = mark + headerBytes;
  return mark;
}
