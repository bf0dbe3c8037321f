import type { Ending } from "../io/peer.ts";

/** What happens to a {@linkcode PersistentClient}. */
export type ClientStatus =
  /** A connection stands and its session is restored. */
  | { type: "connected"; server: string }
  /** The connection is gone. */
  | { type: "disconnected"; server: string; ending: Ending }
  /** A server could not be connected to, or its session could not be restored. */
  | { type: "failed"; server: string; error: unknown }
  /** The next attempt is made after `delayMs`. */
  | { type: "reconnecting"; attempt: number; delayMs: number }
  /** The server asked to come back after this time. */
  | { type: "come back"; inMs: number }
  /** The server has told of servers that were not known. */
  | { type: "servers"; added: string[] }
  /** The client gave up or was closed; nothing follows. */
  | { type: "closed"; reason: string };

/** Events that a reader who falls behind may miss from: the oldest go first. */
const MAX_PENDING = 256;

/** Tells every reader what happens from the moment it began to read. */
export class StatusFeed {
  readonly #readers = new Set<(status: ClientStatus) => void>();
  #closed = false;

  /** Tells all readers. */
  tell(status: ClientStatus): void {
    if (this.#closed) return;
    this.#closed = status.type === "closed";
    for (const reader of this.#readers) reader(status);
  }

  /** What happens from now on, to the end. */
  async *read(): AsyncGenerator<ClientStatus, void, void> {
    const pending: ClientStatus[] = [];
    let wake = Promise.withResolvers<void>();
    const reader = (status: ClientStatus) => {
      if (pending.push(status) > MAX_PENDING) pending.shift();
      wake.resolve();
    };
    this.#readers.add(reader);
    try {
      for (;;) {
        if (this.#closed && pending.length === 0) return;
        if (pending.length === 0) await wake.promise;
        wake = Promise.withResolvers();
        while (pending.length > 0) yield pending.shift()!;
      }
    } finally {
      this.#readers.delete(reader);
    }
  }
}
