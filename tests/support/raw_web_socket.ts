/**
 * A WebSocket peer that knows no rules: it sends the frames that it is told to, good or bad, in either role.
 *
 * @module
 */

import { assertMatch } from "@std/assert";
import { createHash } from "node:crypto";
import { parseEndpoint } from "../../src/io/endpoint.ts";
import { utf8 } from "./three_ways.ts";
import { within } from "./wait.ts";

/** A frame to send. */
export interface RawFrame {
  opcode: number;
  payload?: string | Uint8Array;
  /** @default {true} */
  fin?: boolean;
  /** The three reserved bits as a number, the first counting 4. @default {0} */
  rsv?: number;
  /** The length to state, whatever the payload has. */
  length?: number;
  /** Bits that the length is written with. @default the least that do */
  lengthBits?: 7 | 16 | 64;
  /** Whether to mask it. @default as the role has to */
  masked?: boolean;
  /** Bytes to write at once; all of them unless told. */
  chop?: number;
}

/** A frame that was received. */
export interface Received {
  opcode: number;
  fin: boolean;
  rsv: number;
  payload: Uint8Array;
}

export const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const MASK = [0x37, 0xfa, 0x21, 0x3d] as const;

/** The answer to a key. */
function acceptFor(key: string): string {
  const text = `${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  return createHash("sha1").update(text).digest("base64");
}

/** Writes a frame as bytes. */
export function rawFrame(
  frame: RawFrame,
  masked: boolean,
): Uint8Array<ArrayBuffer> {
  const { opcode, fin = true, rsv = 0 } = frame;
  const { payload: given = "" } = frame;
  const payload = typeof given === "string" ? utf8(given) : given;
  const length = frame.length ?? payload.length;
  const bits = frame.lengthBits ??
    (length < 126 ? 7 : length < 65_536 ? 16 : 64);
  const mask = frame.masked ?? masked;
  const flag = mask ? 0x80 : 0;
  const header: number[] = [(fin ? 0x80 : 0) | rsv << 4 | opcode];
  if (bits === 7) header.push(flag | length);
  else header.push(flag | (bits === 16 ? 126 : 127));
  if (bits === 16) header.push(length >> 8, length & 255);
  if (bits === 64) {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(length));
    header.push(...new Uint8Array(view.buffer));
  }
  if (mask) header.push(...MASK);
  const bytes = new Uint8Array(header.length + payload.length);
  bytes.set(header);
  bytes.set(payload, header.length);
  if (mask) {
    for (let at = 0; at < payload.length; at++) {
      bytes[header.length + at]! ^= MASK[at & 3]!;
    }
  }
  return bytes;
}

/** The payload of a Close. */
export function closePayload(
  code: number,
  reason: string | Uint8Array = "",
): Uint8Array {
  const words = typeof reason === "string" ? utf8(reason) : reason;
  return Uint8Array.from([code >> 8 & 255, code & 255, ...words]);
}

/** One end of a WebSocket. */
export class RawWebSocket implements Disposable {
  readonly conn: Deno.Conn;
  /** Whether it is the client, which masks. */
  readonly isClient: boolean;
  /** The head of the handshake that was received. */
  readonly head: string;
  #buffer: Uint8Array;

  private constructor(
    conn: Deno.Conn,
    isClient: boolean,
    head: string,
    rest: Uint8Array,
  ) {
    this.conn = conn;
    this.isClient = isClient;
    this.head = head;
    this.#buffer = rest;
  }

  /** Connects to a `ws` endpoint's URL, with more header lines. */
  static async connect(to: string, ...lines: string[]): Promise<RawWebSocket> {
    const endpoint = parseEndpoint(to);
    if (endpoint.scheme !== "ws") throw new TypeError(`Cannot dial ${to}`);
    const { hostname, port, path } = endpoint;
    const conn = await Deno.connect({ hostname, port });
    const request = [
      `GET ${path} HTTP/1.1`,
      `Host: ${hostname}:${port}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${KEY}`,
      "Sec-WebSocket-Version: 13",
      ...lines,
    ];
    await writeAll(conn, utf8(request.join("\r\n") + "\r\n\r\n"));
    const [head, rest] = await readHead(conn);
    assertMatch(head, /^HTTP\/1\.1 101 /);
    return new RawWebSocket(conn, true, head, rest);
  }

  /** Takes a client's upgrade on `conn`, and answers with more header lines. */
  static async accept(
    conn: Deno.Conn,
    ...lines: string[]
  ): Promise<RawWebSocket> {
    const [head, rest] = await readHead(conn);
    const key = /^sec-websocket-key: (.*)$/im.exec(head)?.[1] ?? "";
    const answer = [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${acceptFor(key)}`,
      ...lines,
    ];
    await writeAll(conn, utf8(answer.join("\r\n") + "\r\n\r\n"));
    return new RawWebSocket(conn, false, head, rest);
  }

  /** Sends frames in one go, unless one of them is chopped. */
  async send(...frames: RawFrame[]): Promise<void> {
    let pending: Uint8Array<ArrayBuffer>[] = [];
    for (const frame of frames) {
      const bytes = rawFrame(frame, this.isClient);
      const { chop } = frame;
      if (chop === undefined) {
        pending.push(bytes);
        continue;
      }
      await this.write(await new Blob(pending).bytes());
      pending = [];
      for (let at = 0; at < bytes.length; at += chop) {
        await this.write(bytes.subarray(at, at + chop));
      }
    }
    await this.write(await new Blob(pending).bytes());
  }

  /** Sends bytes as they are. */
  async write(bytes: Uint8Array): Promise<void> {
    await writeAll(this.conn, bytes);
  }

  /** The next frame; undefined at the end of the stream, or when it was reset. */
  async receive(): Promise<Received | undefined> {
    for (;;) {
      const frame = this.#take();
      if (frame !== undefined) return frame;
      const chunk = new Uint8Array(65_536);
      let count: number | null;
      try {
        count = await within("a frame", this.conn.read(chunk));
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
        count = null;
      }
      if (count === null) return undefined;
      const longer = new Uint8Array(this.#buffer.length + count);
      longer.set(this.#buffer);
      longer.set(chunk.subarray(0, count), this.#buffer.length);
      this.#buffer = longer;
    }
  }

  #take(): Received | undefined {
    const bytes = this.#buffer;
    if (bytes.length < 2) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const isMasked = bytes[1]! >= 0x80;
    let length = bytes[1]! & 0x7f;
    let at = 2;
    if (length === 126) {
      if (bytes.length < 4) return undefined;
      length = view.getUint16(2);
      at = 4;
    } else if (length === 127) {
      if (bytes.length < 10) return undefined;
      length = Number(view.getBigUint64(2));
      at = 10;
    }
    if (isMasked === this.isClient) {
      throw new Error(`Cannot receive: the frame's mask bit is ${isMasked}`);
    }
    const key = bytes.subarray(at, at + 4);
    if (isMasked) at += 4;
    if (bytes.length < at + length) return undefined;
    const payload = bytes.slice(at, at + length);
    if (isMasked) {
      for (let i = 0; i < length; i++) payload[i]! ^= key[i & 3]!;
    }
    this.#buffer = bytes.subarray(at + length);
    const first = bytes[0]!;
    return {
      opcode: first & 0x0f,
      fin: first >= 0x80,
      rsv: first >> 4 & 7,
      payload,
    };
  }

  /** The code of the Close that comes next, or whatever else comes in words. */
  async closeCode(): Promise<number | string> {
    const frame = await this.receive();
    if (frame === undefined) return "end";
    if (frame.opcode !== CLOSE) return `opcode ${frame.opcode}`;
    const { payload } = frame;
    return payload.length === 0 ? "no code" : payload[0]! << 8 | payload[1]!;
  }

  [Symbol.dispose](): void {
    try {
      this.conn.close();
    } catch {
      // Closed already.
    }
  }
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await conn.write(bytes.subarray(at));
  }
}

async function readHead(conn: Deno.Conn): Promise<[string, Uint8Array]> {
  let text = "";
  const chunk = new Uint8Array(4096);
  for (;;) {
    const count = await within("a head", conn.read(chunk));
    if (count === null) throw new Error(`Cannot read a head: ${text}`);
    text += String.fromCharCode(...chunk.subarray(0, count));
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) continue;
    const rest = text.slice(end + 4);
    return [
      text.slice(0, end),
      Uint8Array.from(rest, (character) => character.charCodeAt(0)),
    ];
  }
}

/** Sends a raw request and returns the whole answer. */
export async function rawRequest(to: string, text: string): Promise<string> {
  const endpoint = parseEndpoint(to);
  if (endpoint.scheme !== "ws") throw new TypeError(`Cannot dial ${to}`);
  const { hostname, port } = endpoint;
  using conn = await Deno.connect({ hostname, port });
  await writeAll(conn, utf8(text));
  let answer = "";
  const chunk = new Uint8Array(4096);
  for (;;) {
    const count = await within("an answer", conn.read(chunk));
    if (count === null) return answer;
    answer += String.fromCharCode(...chunk.subarray(0, count));
  }
}
