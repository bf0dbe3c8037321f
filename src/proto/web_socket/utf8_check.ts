/** Checks UTF-8 that comes in pieces, and fails at the first byte that no character has (RFC 3629; the bounds of WHATWG's decoder). */
export class Utf8Check {
  /** Bytes that the character under way still needs. */
  #needed = 0;
  /** What the next of them must lie between. */
  #lower = 0x80;
  #upper = 0xbf;

  /** Whether no character is under way. */
  get isWhole(): boolean {
    return this.#needed === 0;
  }

  /** Starts anew. */
  reset(): void {
    this.#needed = 0;
    this.#lower = 0x80;
    this.#upper = 0xbf;
  }

  /** Takes `bytes[start, end)`; false if that cannot be UTF-8 whatever follows. */
  push(bytes: Uint8Array, start: number, end: number): boolean {
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!;
      if (this.#needed > 0) {
        if (byte < this.#lower || byte > this.#upper) return false;
        this.#lower = 0x80;
        this.#upper = 0xbf;
        this.#needed--;
      } else if (byte >= 0x80 && !this.#begin(byte)) {
        return false;
      }
    }
    return true;
  }

  /** Starts a character of several bytes. The bounds of its second keep out what is overlong, a surrogate or too high. */
  #begin(byte: number): boolean {
    if (byte < 0xc2 || byte > 0xf4) return false;
    if (byte < 0xe0) {
      this.#needed = 1;
    } else if (byte < 0xf0) {
      this.#needed = 2;
      if (byte === 0xe0) this.#lower = 0xa0;
      if (byte === 0xed) this.#upper = 0x9f;
    } else {
      this.#needed = 3;
      if (byte === 0xf0) this.#lower = 0x90;
      if (byte === 0xf4) this.#upper = 0x8f;
    }
    return true;
  }
}
