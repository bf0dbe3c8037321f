import {
  LARGEST_POOLED_BYTES,
  returnBuffer,
  smallerSize,
  takeBuffer,
} from "./buffers.ts";

/** Reads in a row that would have fitted the next smaller buffer before the connection moves down to it. */
const QUIET_READS = 256;

/**
 * What a connection has received and not yet read as frames: `bytes[from, to)`. The buffer starts at 64 bytes, grows
 * only when a read fills it, whatever a header promises, and shrinks when the traffic does.
 */
export class Inbox {
  /** The buffer. */
  bytes: Uint8Array<ArrayBuffer> = takeBuffer(0);
  /** Offset of the first byte that is not consumed. */
  from = 0;
  /** Offset after the last byte received. */
  to = 0;
  #quiet = 0;
  /** The last read left no room. */
  #filled = false;

  /** Room for the next read; `wanted` is what the frame at `from` is known to need, or 0. */
  space(wanted: number): Uint8Array<ArrayBuffer> {
    const { bytes } = this;
    const kept = this.to - this.from;
    if (kept > 0) bytes.copyWithin(0, this.from, this.to);
    this.from = 0;
    this.to = kept;
    // Beyond the largest pooled size only a frame that does not fit is a reason to grow.
    if (
      kept === bytes.length ||
      this.#filled && bytes.length < LARGEST_POOLED_BYTES
    ) {
      const enough = Math.min(wanted, LARGEST_POOLED_BYTES);
      this.#resize(Math.max(bytes.length * 2, enough));
    } else if (kept === 0 && this.#quiet >= QUIET_READS) {
      this.#resize(smallerSize(bytes.length));
    }
    return this.to === 0 ? this.bytes : this.bytes.subarray(this.to);
  }

  #resize(size: number): void {
    let next = takeBuffer(size);
    if (next.length <= this.to) {
      returnBuffer(next);
      next = new Uint8Array(size);
    }
    next.set(this.bytes.subarray(0, this.to));
    returnBuffer(this.bytes);
    this.bytes = next;
    this.#quiet = 0;
    this.#filled = false;
  }

  /** Notes that a read put `count` bytes into the space. */
  received(count: number): void {
    this.to += count;
    this.#filled = this.to === this.bytes.length;
    this.#quiet = count * 2 <= smallerSize(this.bytes.length)
      ? this.#quiet + 1
      : 0;
  }

  /** Gives the buffer back; nothing may be read into it any more. */
  release(): void {
    returnBuffer(this.bytes);
    this.bytes = EMPTY;
    this.from = this.to = 0;
  }
}

const EMPTY = new Uint8Array(0);
