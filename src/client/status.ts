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

/** Somebody who is told what happens. */
interface Reader {
  /** Told, and not yet read. */
  readonly pending: ClientStatus[];
  /** Resolves when there is something to read. */
  wake: PromiseWithResolvers<void>;
}

/** Tells every reader what happens from the moment it began to read. */
export class StatusFeed {
  readonly #readers = new Set<Reader>();
  #closed = false;

  /** Tells all readers. */
  tell(status: ClientStatus): void {
    if (this.#closed) return;
    this.#closed = status.type === "closed";
    for (const { pending, wake } of this.#readers) {
      if (pending.push(status) > MAX_PENDING) pending.shift();
      wake.resolve();
    }
  }

  /** What happens from this call on, to the end. */
  read(): AsyncGenerator<ClientStatus, void, void> {
    const reader = { pending: [], wake: Promise.withResolvers<void>() };
    this.#readers.add(reader);
    return this.#follow(reader);
  }

  async *#follow(reader: Reader): AsyncGenerator<ClientStatus, void, void> {
    const { pending } = reader;
    try {
      for (;;) {
        while (pending.length > 0) yield pending.shift()!;
        if (this.#closed) return;
        reader.wake = Promise.withResolvers();
        await reader.wake.promise;
      }
    } finally {
      this.#readers.delete(reader);
    }
  }
}
