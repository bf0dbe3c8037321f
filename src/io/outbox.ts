import type { ByteWriter } from "../bytes/writer.ts";
import { returnWriter, takeWriter } from "./buffers.ts";
import type { Clock } from "./clock.ts";
import type { Counters } from "./counters.ts";
import type { Conn } from "./transport.ts";

/** Chunks up to this size are joined into one write; longer ones are written from where they are. */
const JOIN_BYTES = 64 * 1024;

/** What an {@linkcode Outbox} tells its connection. */
export interface OutboxOwner {
  /** What is buffered fell to the low-water mark again. */
  outboxDrained(): void;
  /** Writing failed; nothing more will be written. */
  outboxFailed(error: unknown): void;
}

/**
 * What a connection has yet to write. Everything appended in one turn of the event loop leaves in one write; chunks
 * that many connections share (a broadcast) are kept by reference.
 */
export class Outbox {
  /** Bytes that the kernel has not taken. */
  buffered = 0;
  /** When the write in flight last made progress, in the clock's milliseconds; 0 while none is in flight. */
  progressMs = 0;
  /** Whether it is listed to be flushed at the end of this turn. */
  waiting = false;
  readonly #conn: Conn;
  readonly #owner: OutboxOwner;
  readonly #clock: Clock;
  readonly #counters: Counters;
  #open: ByteWriter | undefined;
  /** Shared or sealed chunks; they come before what is in `#open`. */
  #chunks: Uint8Array[] | undefined;
  #writing = false;
  /** Tell the owner once no more than this is buffered; negative while nobody wants to know. */
  #lowWater = -1;
  #failed = false;
  #idle: (() => void)[] | undefined;

  /** Writes to `conn` and reports to `owner`. */
  constructor(
    conn: Conn,
    owner: OutboxOwner,
    clock: Clock,
    counters: Counters,
  ) {
    this.#conn = conn;
    this.#owner = owner;
    this.#clock = clock;
    this.#counters = counters;
  }

  /** Where to append messages; follow with {@linkcode Outbox.appended}. */
  get writer(): ByteWriter {
    return this.#open ??= takeWriter();
  }

  /** Counts bytes appended to `writer`. */
  appended(count: number): void {
    this.buffered += count;
  }

  /** Queues bytes that the caller will never change. */
  share(chunk: Uint8Array): void {
    this.buffered += chunk.length;
    const open = this.#open;
    if (open !== undefined && open.length > 0) {
      if (chunk.length <= JOIN_BYTES) {
        open.set(chunk);
        return;
      }
      (this.#chunks ??= []).push(open.view());
      this.#open = undefined;
    }
    (this.#chunks ??= []).push(chunk);
  }

  /** Asks for `outboxDrained` once no more than `lowWater` bytes are buffered. */
  notifyAt(lowWater: number): void {
    this.#lowWater = lowWater;
  }

  /** Starts to write; the promise is of what is queued up to now, undefined if a write is in flight or there is nothing. */
  flush(): Promise<void> | undefined {
    if (this.#writing || this.#failed || this.buffered === 0) return undefined;
    this.#writing = true;
    return this.#write();
  }

  /** Resolves when everything queued was taken by the kernel, or cannot be any more. */
  flushed(): Promise<void> {
    void this.flush();
    if (this.#failed || !this.#writing) return Promise.resolve();
    return new Promise((resolve) => (this.#idle ??= []).push(resolve));
  }

  /** Forgets what is queued. */
  fail(): void {
    this.#failed = true;
    this.#lowWater = -1;
    this.#chunks = this.#open = undefined;
    this.buffered = 0;
    this.#settle();
  }

  async #write(): Promise<void> {
    try {
      const joined = this.#takeOpen();
      const bytes = joined?.view() ?? this.#chunks!.shift()!;
      for (let at = 0; at < bytes.length;) {
        this.progressMs = this.#clock.now();
        const count = await this.#conn.write(
          at === 0 ? bytes : bytes.subarray(at),
        );
        at += count;
        this.#counters.bytesOut += count;
        if (!this.#failed) this.buffered -= count;
      }
      if (joined !== undefined) returnWriter(joined);
      if (this.buffered <= this.#lowWater) {
        this.#lowWater = -1;
        this.#owner.outboxDrained();
      }
    } catch (error) {
      if (!this.#failed) {
        this.fail();
        this.#owner.outboxFailed(error);
      }
    }
    // What was queued meanwhile is not waited for: there may always be more of it.
    if (this.buffered > 0 && !this.#failed) return void this.#write();
    this.progressMs = 0;
    this.#writing = false;
    this.#settle();
  }

  /** A writer with all that can leave in one write; undefined if a shared chunk should leave as it is. */
  #takeOpen(): ByteWriter | undefined {
    const chunks = this.#chunks;
    if (chunks === undefined || chunks.length === 0) {
      const open = this.#open!;
      this.#open = undefined;
      return open;
    }
    const second = chunks[1]?.length ?? this.#open?.length ?? 0;
    if (second === 0 || chunks[0]!.length + second > JOIN_BYTES) {
      return undefined;
    }
    const joined = takeWriter();
    let count = 0;
    while (
      count < chunks.length &&
      joined.length + chunks[count]!.length <= JOIN_BYTES
    ) joined.set(chunks[count++]!);
    chunks.splice(0, count);
    return joined;
  }

  #settle(): void {
    const idle = this.#idle;
    this.#idle = undefined;
    if (idle !== undefined) { for (const resolve of idle) resolve(); }
  }
}
