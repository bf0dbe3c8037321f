import { ByteWriter } from "../bytes/writer.ts";

/** Receive buffers come in these sizes; a connection moves up when a read fills its buffer, and down when it is quiet. */
const SIZES = [64, 512, 4096, 65536] as const;

/** The largest pooled receive buffer; a frame that is longer gets one of its own. */
export const LARGEST_POOLED_BYTES: number = SIZES[SIZES.length - 1]!;

/** Small buffers are cut from slabs of this size: a buffer of its own costs the runtime more than its 64 bytes. */
const SLAB_BYTES = 65536;

/** How many of the largest buffers may be in use at once before connections make do with the next smaller size. */
const MAX_LARGEST_IN_USE = 1024;

/** Free buffers kept for reuse, of the largest size and of writers. */
const MAX_IDLE = 64;

const free: Uint8Array<ArrayBuffer>[][] = SIZES.map(() => []);
const largestInUse = new Set<Uint8Array>();

/** Takes a receive buffer of at least `bytes`, or of the largest size to be had. */
export function takeBuffer(bytes: number): Uint8Array<ArrayBuffer> {
  let index = SIZES.findIndex((size) => size >= bytes);
  if (index < 0) index = SIZES.length - 1;
  if (index === SIZES.length - 1 && largestInUse.size >= MAX_LARGEST_IN_USE) {
    index--;
  }
  const size = SIZES[index]!;
  const list = free[index]!;
  if (size === LARGEST_POOLED_BYTES) {
    const buffer = list.pop() ?? new Uint8Array(size);
    largestInUse.add(buffer);
    return buffer;
  }
  if (list.length === 0) {
    const slab = new ArrayBuffer(SLAB_BYTES);
    for (let at = 0; at < SLAB_BYTES; at += size) {
      list.push(new Uint8Array(slab, at, size));
    }
  }
  return list.pop()!;
}

/** Gives a buffer back; one that was not taken here is left to the garbage collector. */
export function returnBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  const index = SIZES.indexOf(buffer.length as typeof SIZES[number]);
  if (index < 0) return;
  const list = free[index]!;
  if (buffer.length === LARGEST_POOLED_BYTES) {
    if (!largestInUse.delete(buffer) || list.length >= MAX_IDLE) return;
  }
  list.push(buffer);
}

/** The size below `bytes`, or `bytes` if there is none. */
export function smallerSize(bytes: number): number {
  return SIZES.findLast((size) => size < bytes) ?? bytes;
}

const writers: ByteWriter[] = [];

/** Takes an empty writer. */
export function takeWriter(): ByteWriter {
  return writers.pop() ?? new ByteWriter(4096);
}

/** Gives a writer back once nothing reads its bytes any more. */
export function returnWriter(writer: ByteWriter): void {
  if (writers.length >= MAX_IDLE) return;
  if (writer.bytes.length > 5 * LARGEST_POOLED_BYTES) return;
  writer.truncate();
  writers.push(writer);
}
