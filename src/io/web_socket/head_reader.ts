import { endOfHead, HttpRefusal } from "../../proto/web_socket/http_head.ts";
import { returnBuffer, takeBuffer } from "../buffers.ts";
import type { Conn } from "../transport.ts";

/** The longest head of a request or an answer: what common servers allow. */
export const MAX_HEAD_BYTES: number = 16 * 1024;

/** Read at first; most heads of programs are shorter, those of browsers are not. */
const READ_BYTES = 512;

/** Longer heads are rare, and get a buffer of their own. */
const POOLED_BYTES = 4096;

const EMPTY = new Uint8Array(0);

/** A head, and what came with it. */
export interface HeadBytes {
  /** The head, with the blank line; each character is a byte. */
  head: string;
  /** What was read after it. */
  rest: Uint8Array;
}

/**
 * Reads up to the end of a head, and perhaps a little further.
 *
 * @returns Undefined if the peer leaves without a word, as browsers do that connect before they know what for.
 * @throws {HttpRefusal} If it is longer than {@linkcode MAX_HEAD_BYTES}, or cannot be HTTP.
 * @throws {Deno.errors.UnexpectedEof} If the peer leaves before.
 */
export async function readHeadBytes(
  conn: Conn,
): Promise<HeadBytes | undefined> {
  let bytes = takeBuffer(READ_BYTES);
  let length = 0;
  try {
    for (;;) {
      const from = length;
      const count = await conn.read(bytes.subarray(length));
      if (count === null && length === 0) return undefined;
      if (count === null) {
        throw new Deno.errors.UnexpectedEof(
          `The peer left after ${length} bytes of its head`,
        );
      }
      length += count;
      if (!startsLikeHttp(bytes[0]!)) {
        throw new HttpRefusal(400, "What was sent is no HTTP");
      }
      const end = endOfHead(bytes, from, length);
      if (end > 0 && end <= MAX_HEAD_BYTES) {
        return {
          head: latin1(bytes.subarray(0, end)),
          rest: end === length ? EMPTY : bytes.slice(end, length),
        };
      }
      if (length >= MAX_HEAD_BYTES) {
        throw new HttpRefusal(431, `The head exceeds ${MAX_HEAD_BYTES} bytes`);
      }
      if (length === bytes.length) {
        const longer = length < POOLED_BYTES
          ? takeBuffer(POOLED_BYTES)
          : new Uint8Array(MAX_HEAD_BYTES);
        longer.set(bytes);
        returnBuffer(bytes);
        bytes = longer;
      }
    }
  } finally {
    returnBuffer(bytes);
  }
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** Tells other protocols by their first byte, so that their clients need not wait for the time-out. */
function startsLikeHttp(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}
