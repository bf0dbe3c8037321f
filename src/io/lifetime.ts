import { closeQuietly } from "./close_quietly.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Outbox } from "./outbox.ts";
import type { Ending } from "./peer.ts";
import type { Conn } from "./transport.ts";

/** How one connection ends: once, with a reason, and with a farewell if that can still be said. */
export class Lifetime {
  /** Why it ends; undefined while it lives. */
  ending: Ending | undefined;
  /** Resolves when our last word was sent, or cannot be any more; undefined while it lives. */
  farewell: Promise<void> | undefined;
  readonly #conn: Conn;
  readonly #outbox: Outbox;
  readonly #deadlines: Deadlines;
  #finished = false;
  #announced = false;
  #controller: AbortController | undefined;
  #closed: PromiseWithResolvers<Ending> | undefined;

  /** Begins to live. */
  constructor(conn: Conn, outbox: Outbox, deadlines: Deadlines) {
    this.#conn = conn;
    this.#outbox = outbox;
    this.#deadlines = deadlines;
  }

  /** Aborted when it begins to end; made when first asked for, as few ask. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.ending !== undefined) this.#controller.abort(this.ending);
    }
    return this.#controller.signal;
  }

  /** Resolves when it has ended. */
  get closed(): Promise<Ending> {
    this.#closed ??= Promise.withResolvers();
    if (this.#announced) this.#closed.resolve(this.ending!);
    return this.#closed.promise;
  }

  /** Begins the end: sends what is queued, then tells the peer that no more comes. */
  conclude(ending: Ending): void {
    this.ending = ending;
    this.#controller?.abort(ending);
    this.farewell = this.#sayFarewell();
  }

  async #sayFarewell(): Promise<void> {
    await this.sendEnd();
    if (this.#finished) return;
    // A drain has a deadline of its own.
    this.#deadlines.linger(this.ending?.cause === "shut down");
  }

  /** Sends what is queued, and that no more comes. */
  async sendEnd(): Promise<void> {
    await this.#outbox.flushed();
    try {
      await this.#conn.closeWrite(this.ending);
    } catch {
      // Already gone: there is nobody to tell.
    }
  }

  /** Closes both directions at once; reads and writes in flight fail. */
  drop(): void {
    this.#outbox.fail();
    closeQuietly(this.#conn);
  }

  /** Nothing is left to wait for. */
  finish(): void {
    this.#finished = true;
    this.#deadlines.stop();
    this.drop();
  }

  /** Tells those who wait for the end; false if they were told before. */
  announce(): boolean {
    if (this.#announced) return false;
    this.#announced = true;
    this.#closed?.resolve(this.ending!);
    return true;
  }
}
