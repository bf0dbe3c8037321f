import type { Conn } from "./transport.ts";

/** Closes both directions of `conn`, or finds that somebody has. */
export function closeQuietly(conn: Pick<Conn, "close">): void {
  try {
    conn.close();
  } catch {
    // Closed already.
  }
}
