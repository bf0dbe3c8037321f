import {
  checkUpgradeAnswer,
  type Upgrade,
  type UpgradeRequest,
  writeUpgradeRequest,
} from "../../proto/web_socket/handshake.ts";
import { readHead } from "../../proto/web_socket/http_head.ts";
import { closeQuietly } from "../close_quietly.ts";
import { writeAll } from "../greet.ts";
import type { Conn } from "../transport.ts";
import { readHeadBytes } from "./head_reader.ts";
import { sha1 } from "./sha1.ts";

/** A server's answer to an upgrade. */
export interface Dialled extends Upgrade {
  /** What the server sent after it. */
  rest: Uint8Array;
}

/**
 * Upgrades `conn`; closes it if that fails.
 *
 * @throws {SyntaxError} If the server answers something else.
 * @throws {HttpRefusal} If its answer is no HTTP, or too long.
 */
export async function upgrade(
  conn: Conn,
  request: UpgradeRequest,
  signal: AbortSignal | undefined,
): Promise<Dialled> {
  const close = () => closeQuietly(conn);
  signal?.addEventListener("abort", close, { once: true });
  try {
    signal?.throwIfAborted();
    await writeAll(conn, writeUpgradeRequest(request));
    const bytes = await readHeadBytes(conn);
    if (bytes === undefined) {
      throw new Deno.errors.UnexpectedEof("The server left without a word");
    }
    const { head, rest } = bytes;
    return { ...checkUpgradeAnswer(readHead(head), request, sha1), rest };
  } catch (error) {
    closeQuietly(conn);
    throw error;
  } finally {
    signal?.removeEventListener("abort", close);
  }
}
