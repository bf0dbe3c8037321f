import type { Conn } from "./transport.ts";

/** Read at once from a connection's beginning: a PROXY header and a ClientHello usually come whole in it. */
const READ_BYTES = 2048;

/** The beginning of a connection, looked at piece by piece until enough of it is there. */
export class FirstBytes {
  /** What was read and belongs to whoever the connection is passed on to. */
  bytes: Uint8Array = new Uint8Array();
  readonly #conn: Conn;

  constructor(conn: Conn) {
    this.#conn = conn;
  }

  /**
   * Reads until `look` finds what it looks for in the bytes so far.
   *
   * @throws What `look` throws, or `Deno.errors.UnexpectedEof` if the connection ends before.
   */
  async until<T>(look: (bytes: Uint8Array) => T | undefined): Promise<T> {
    for (;;) {
      const found = this.bytes.length === 0 ? undefined : look(this.bytes);
      if (found !== undefined) return found;
      const buffer = new Uint8Array(READ_BYTES);
      const count = await this.#conn.read(buffer);
      if (count === null) {
        throw new Deno.errors.UnexpectedEof(
          `Cannot read the beginning of a connection: it ended: current length is ${this.bytes.length}`,
        );
      }
      const joined = new Uint8Array(this.bytes.length + count);
      joined.set(this.bytes);
      joined.set(buffer.subarray(0, count), this.bytes.length);
      this.bytes = joined;
    }
  }

  /** Takes `count` bytes away from the front. */
  drop(count: number): void {
    this.bytes = this.bytes.subarray(count);
  }
}
