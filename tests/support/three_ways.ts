import { assertEquals } from "@std/assert";
import {
  type ProtocolErrorCode,
  RemoteProtocolError,
} from "../../src/proto/errors.ts";
import { FrameReader } from "../../src/proto/frame_reader.ts";
import type { Wire } from "../../src/proto/framing/framing.ts";

/** What a peer's bytes came to. */
export interface Reading<In> {
  messages: In[];
  /** Codes of refusals, in order; reading goes on after recoverable ones. */
  errors: ProtocolErrorCode[];
  /** Bytes that wait for more. */
  left: number;
}

export interface ThreeWaysOptions {
  /** Whether the stream ends after the input. */
  finish?: boolean;
  /** Largest frame, when it differs from the wire's. */
  maxFrameBytes?: number;
}

const TRAILING = new Uint8Array(40).fill(0x41);

/**
 * Reads one input whole, byte by byte, and with bytes after it that are not its own; asserts that all three come to the
 * same, and returns that.
 */
export function readThreeWays<In>(
  wire: Wire<In, never>,
  input: Uint8Array | readonly number[],
  options: ThreeWaysOptions = {},
): Reading<In> {
  const bytes = Uint8Array.from(input);
  const whole = read(wire, [bytes], options);
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assertEquals(read(wire, single, options), whole, "byte by byte");
  if (options.finish) return whole;
  // Trailing bytes may make frames of their own, or complete one of the input.
  const joined = new Uint8Array([...bytes, ...TRAILING]);
  const longer = read(wire, [joined], options);
  const { messages, errors } = whole;
  assertEquals(longer.messages.slice(0, messages.length), messages, "trailing");
  assertEquals(longer.errors.slice(0, errors.length), errors, "trailing");
  return whole;
}

function read<In>(
  wire: Wire<In, never>,
  chunks: readonly Uint8Array[],
  options: ThreeWaysOptions,
): Reading<In> {
  const reader = new FrameReader(wire);
  if (options.maxFrameBytes !== undefined) {
    reader.maxFrameBytes = options.maxFrameBytes;
  }
  const messages: In[] = [];
  const errors: ProtocolErrorCode[] = [];
  let open = true;
  const drain = (): void => {
    for (let again = open; again;) {
      again = false;
      try {
        for (const message of reader) messages.push(message);
      } catch (error) {
        if (!(error instanceof RemoteProtocolError)) throw error;
        errors.push(error.code);
        again = open = error.recoverable;
      }
    }
  };
  for (const chunk of chunks) {
    reader.push(chunk);
    drain();
  }
  if (options.finish) {
    reader.finish();
    drain();
  }
  // How much of a refused stream was pushed depends on the chunks.
  return { messages, errors, left: open ? reader.bufferedBytes : 0 };
}

/** Bytes of a text. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Bytes of hexadecimal digits; anything between them is ignored. */
export function hex(digits: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(digits.replaceAll(/[^0-9a-f]/gi, ""));
}
