import { createHmac, randomBytes } from "node:crypto";
import type { Hello, HelloSecrets } from "../proto/hello/handshake.ts";
import type { Agreed } from "../proto/hello/agreement.ts";
import { alarm, type Clock } from "./clock.ts";
import { closeQuietly } from "./close_quietly.ts";
import { replay } from "./replay.ts";
import type { Conn } from "./transport.ts";

/** Read at once in a hello; most of them are shorter. */
const READ_BYTES = 1024;

/** How long a peer may take to read why it is turned away. */
const LAST_WORDS_MS = 1000;

/** A connection after its hello. */
export interface Greeted<In, Out> extends Agreed<In, Out> {
  /** The connection, from the first byte after the hello. */
  readonly conn: Conn;
}

/** A nonce and the hash, for one hello. */
export function helloSecrets(): HelloSecrets {
  return {
    nonce: randomBytes(16),
    mac: (key, data) => createHmac("sha256", key).update(data).digest(),
  };
}

/**
 * Says hello on `conn`. Closes it when `signal` is aborted, and throws the reason of that.
 *
 * @throws {HelloError} If the two cannot agree: `hello` then has last words, and `conn` is open.
 */
export async function greet<In, Out>(
  conn: Conn,
  hello: Hello<In, Out>,
  signal: AbortSignal,
): Promise<Greeted<In, Out>> {
  const close = () => closeQuietly(conn);
  signal.addEventListener("abort", close, { once: true });
  try {
    signal.throwIfAborted();
    const buffer = new Uint8Array(READ_BYTES);
    while (hello.outcome === undefined) {
      await writeAll(conn, hello.takeOutput());
      const count = await conn.read(buffer);
      if (count === null) hello.finish();
      else hello.handle(buffer.subarray(0, count));
    }
    await writeAll(conn, hello.takeOutput());
    signal.throwIfAborted();
    const rest = hello.rest.slice();
    return {
      ...hello.outcome,
      conn: replay(conn, rest),
    };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}

/**
 * Sends `bytes` and closes once the peer has read them, or after a second: what the peer has sent is read, because
 * closing with unread input would reset the connection and lose our words. Never rejects.
 */
export async function sayLastWords(
  conn: Conn,
  bytes: Uint8Array,
  clock: Clock,
): Promise<void> {
  const deadline = alarm(clock, LAST_WORDS_MS, () => closeQuietly(conn));
  try {
    await writeAll(conn, bytes);
    await conn.closeWrite();
    const scratch = new Uint8Array(512);
    while (await conn.read(scratch) !== null);
  } catch {
    // Gone, or the deadline has closed it.
  } finally {
    clock.cancel(deadline);
    closeQuietly(conn);
  }
}

/** Writes all of `bytes`. */
export async function writeAll(conn: Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await conn.write(bytes.subarray(at));
  }
}
