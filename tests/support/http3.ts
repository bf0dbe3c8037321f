/**
 * As little HTTP/3 as a request and an answer take (RFC 9114), its fields in QPACK's static table or spelled out
 * (RFC 9204), without Huffman codes.
 *
 * @module
 */

/** Type of the control stream, and an empty SETTINGS frame. */
export const CONTROL_STREAM = Uint8Array.of(0x00, 0x04, 0x00);

/** One frame: what it is, and what it holds. */
export interface Http3Frame {
  type: number;
  payload: Uint8Array;
}

const DATA = 0;
const HEADERS = 1;

/** A variable-length integer (RFC 9000, section 16) below 2^14. */
function varint(value: number): number[] {
  return value < 64 ? [value] : [0x40 | value >> 8, value & 255];
}

function frame(type: number, payload: Uint8Array): Uint8Array {
  return Uint8Array.of(
    ...varint(type),
    ...varint(payload.length),
    ...payload,
  );
}

/** A field whose name is in the static table. */
function field(index: number, value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [0x50 | index, bytes.length, ...bytes];
}

/** A field that is in the static table as it is. */
function indexed(index: number): number {
  return 0xc0 | index;
}

/** A field section that needs nothing of the dynamic table. */
function section(...fields: number[]): Uint8Array {
  return Uint8Array.of(0, 0, ...fields);
}

/** `GET path`, for a request stream. */
export function http3Get(authority: string, path: string): Uint8Array {
  return frame(
    HEADERS,
    section(
      indexed(17),
      indexed(23),
      ...field(0, authority),
      ...field(1, path),
    ),
  );
}

/** `200` and a body, for a request stream. */
export function http3Ok(body: string): Uint8Array {
  const data = frame(DATA, new TextEncoder().encode(body));
  return Uint8Array.of(...frame(HEADERS, section(indexed(25))), ...data);
}

/** The frames of a request stream that has come to its end. */
export function http3Frames(stream: Uint8Array): Http3Frame[] {
  const frames: Http3Frame[] = [];
  let at = 0;
  const next = (): number => {
    const first = stream[at++]!;
    const extra = (1 << (first >> 6)) - 1;
    let value = first & 63;
    for (let left = extra; left > 0; left--) {
      value = value * 256 + stream[at++]!;
    }
    return value;
  };
  while (at < stream.length) {
    const type = next();
    const length = next();
    frames.push({ type, payload: stream.subarray(at, at += length) });
  }
  return frames;
}

/** Whether a HEADERS frame begins with this field of the static table. */
export function beginsWith(frame: Http3Frame, index: number): boolean {
  const [insertCount, base, first] = frame.payload;
  return frame.type === HEADERS && insertCount === 0 && base === 0 &&
    first === indexed(index);
}

/** The body. */
export function http3Body(frames: Http3Frame[]): string {
  const decoder = new TextDecoder();
  return frames.filter(({ type }) => type === DATA)
    .map(({ payload }) => decoder.decode(payload)).join("");
}
