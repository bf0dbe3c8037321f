import type { Clock } from "../io/clock.ts";
import { closeQuietly } from "../io/close_quietly.ts";
import type { Conn } from "../io/transport.ts";
import { Timer } from "../proto/timer_wheel.ts";

/** What a direction reads into while little comes: most connections are quiet most of the time. */
const SMALL_BYTES = 1024;

/** What a busy direction reads into: a larger buffer is no faster. */
const LARGE_BYTES = 256 * 1024;

/** Milliseconds for what a side has sent before it stopped to take anything. */
const LAST_WORDS_MS = 2000;

/** Large buffers in use at once; the directions beyond them make do with small ones. */
const MAX_LARGE = 256;

/** Large buffers kept for reuse. */
const MAX_IDLE = 16;

const idle: Uint8Array<ArrayBuffer>[] = [];
let inUse = 0;

/** Why a relay ended. */
export type RelayEnding =
  /** Both sides have said all. */
  | "done"
  /** Nothing moved for `idleMs`. */
  | "idle"
  /** It lasted longer than `maxMs`. */
  | "too long"
  /** It was cut off from outside. */
  | "aborted"
  /** The side that connected failed, or reset the connection. */
  | "client failed"
  /** The side that was connected to did. */
  | "server failed";

/** What a relay came to. */
export interface RelayReport {
  /** Why it ended. */
  readonly ending: RelayEnding;
  /** Bytes that the client sent. */
  readonly bytesIn: number;
  /** Bytes that the client was sent. */
  readonly bytesOut: number;
  /** What was thrown, if anything was. */
  readonly error?: unknown;
}

/** Options of {@linkcode relay}. */
export interface RelayOptions {
  /** Where time comes from. */
  clock: Clock;
  /** Milliseconds without a byte in either direction. @default {Infinity} */
  idleMs?: number;
  /** Milliseconds in all. @default {Infinity} */
  maxMs?: number;
  /** Cuts it off. */
  signal?: AbortSignal;
  /** Whether the client has sent something already. @default {false} */
  isAsked?: boolean;
  /**
   * Called with the server's first byte: milliseconds since the client's first one, or since the beginning if the server
   * speaks first.
   */
  answered?: ((latencyMs: number) => void) | undefined;
}

/**
 * Copies bytes between two connections, both ways, until both have ended: each waits for the other to take what it
 * sends, and a side that ends its direction can still be answered. Closes both. Never rejects.
 */
export function relay(
  client: Conn,
  server: Conn,
  options: RelayOptions,
): Promise<RelayReport> {
  return new Relay(client, server, options).run();
}

class Relay extends Timer {
  readonly #client: Conn;
  readonly #server: Conn;
  readonly #clock: Clock;
  readonly #idleMs: number;
  #endMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #answered: ((latencyMs: number) => void) | undefined;
  #movedMs: number;
  /** When the server was asked: when the client first sent something. */
  #askedMs: number;
  #isAsked: boolean;
  #bytesIn = 0;
  #bytesOut = 0;
  /** Why one side takes no more, while the other may still be answered. */
  #failure: { ending: RelayEnding; error: unknown } | undefined;
  #ending: RelayEnding | undefined;
  #error: unknown;

  constructor(client: Conn, server: Conn, options: RelayOptions) {
    super();
    const { clock, idleMs = Infinity, maxMs = Infinity, signal } = options;
    this.#answered = options.answered;
    this.#isAsked = options.isAsked ?? false;
    this.#client = client;
    this.#server = server;
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#movedMs = this.#askedMs = clock.now();
    this.#endMs = this.#movedMs + maxMs;
    this.#signal = signal;
  }

  async run(): Promise<RelayReport> {
    const abort = () => this.#end("aborted");
    this.#signal?.addEventListener("abort", abort, { once: true });
    if (this.#signal?.aborted) abort();
    this.#schedule();
    await Promise.all([this.#copyIn(), this.#copyOut()]);
    this.#clock.cancel(this);
    this.#signal?.removeEventListener("abort", abort);
    this.#conclude("done");
    return {
      ending: this.#ending!,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
  }

  #copyIn(): Promise<void> {
    return this.#copy(this.#client, this.#server, true);
  }

  #copyOut(): Promise<void> {
    return this.#copy(this.#server, this.#client, false);
  }

  async #copy(from: Conn, into: Conn, isIn: boolean): Promise<void> {
    const small = new Uint8Array(SMALL_BYTES);
    let buffer = small;
    let isReading = true;
    try {
      for (;;) {
        isReading = true;
        const count = await from.read(buffer);
        isReading = false;
        if (count === null) break;
        this.#movedMs = this.#clock.now();
        if (isIn ? !this.#isAsked : this.#bytesOut === 0) this.#first(isIn);
        for (let at = 0; at < count;) {
          at += await into.write(buffer.subarray(at, count));
        }
        if (isIn) this.#bytesIn += count;
        else this.#bytesOut += count;
        if (buffer === small && count === SMALL_BYTES) {
          buffer = takeLarge() ?? small;
        } else if (buffer !== small && count <= SMALL_BYTES) {
          giveBack(buffer);
          buffer = small;
        }
      }
      await into.closeWrite();
    } catch (error) {
      const ending = isReading === isIn ? "client failed" : "server failed";
      // Whom nobody hears any more may not be heard either; who takes no more may have answered all the same.
      if (isReading) this.#end(ending, error);
      else this.#takeLastWords(ending, error);
    } finally {
      if (buffer !== small) giveBack(buffer);
    }
  }

  /** The first bytes of a direction. */
  #first(isIn: boolean): void {
    if (isIn) this.#askedMs = this.#movedMs;
    else this.#answered?.(this.#movedMs - this.#askedMs);
    this.#isAsked = true;
  }

  override expired(): void {
    const nowMs = this.#clock.now();
    if (nowMs >= this.#endMs) return this.#conclude("too long");
    if (nowMs - this.#movedMs >= this.#idleMs) return this.#end("idle");
    this.#schedule();
  }

  /** One side takes no more: what it has sent is still passed on, for a while. */
  #takeLastWords(ending: RelayEnding, error: unknown): void {
    this.#failure ??= { ending, error };
    this.#endMs = Math.min(this.#endMs, this.#clock.now() + LAST_WORDS_MS);
    this.#schedule();
  }

  #schedule(): void {
    const dueMs = Math.min(this.#movedMs + this.#idleMs, this.#endMs);
    if (dueMs === Infinity) return;
    this.#clock.arm(this, Math.max(0, dueMs - this.#clock.now()));
  }

  #conclude(ending: RelayEnding): void {
    this.#end(this.#failure?.ending ?? ending, this.#failure?.error);
  }

  #end(ending: RelayEnding, error?: unknown): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    this.#error = error;
    closeQuietly(this.#client);
    closeQuietly(this.#server);
  }
}

function takeLarge(): Uint8Array<ArrayBuffer> | undefined {
  if (inUse >= MAX_LARGE) return undefined;
  inUse++;
  return idle.pop() ?? new Uint8Array(LARGE_BYTES);
}

function giveBack(buffer: Uint8Array<ArrayBuffer>): void {
  inUse--;
  if (idle.length < MAX_IDLE) idle.push(buffer);
}
