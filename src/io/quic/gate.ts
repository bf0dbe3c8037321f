/**
 * Handshakes with one server at a time. The runtime cannot enlarge the buffer of a UDP socket, in which some 90 first
 * packets have room; the client of a lost one waits a second before it sends another.
 */
const MAX_HANDSHAKES = 32;

/** Handshakes under way and their number, and those that wait for their turn, by server. */
const gates = new Map<string, { running: number; waiting: (() => void)[] }>();

/** Does `handshake` once there are few enough with `server`; `signal` ends the wait. */
export async function inTurn<T>(
  server: string,
  signal: AbortSignal | undefined,
  handshake: () => Promise<T>,
): Promise<T> {
  const gate = gates.getOrInsertComputed(
    server,
    () => ({ running: 0, waiting: [] }),
  );
  while (gate.running >= MAX_HANDSHAKES) {
    await new Promise<void>((resolve) => {
      gate.waiting.push(resolve);
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
    signal?.throwIfAborted();
  }
  gate.running++;
  try {
    return await handshake();
  } finally {
    gate.running--;
    // All of them look again, as one that was told alone may have given up.
    const waiting = gate.waiting.splice(0);
    if (gate.running === 0 && waiting.length === 0) gates.delete(server);
    for (const wake of waiting) wake();
  }
}
