import type { Deframer, Wire } from "../proto/framing/framing.ts";
import { RemoteProtocolError } from "../proto/errors.ts";
import { writeFrame } from "../proto/frame_writer.ts";
import { Timer } from "../proto/timer_wheel.ts";
import { TokenBucket } from "../proto/token_bucket.ts";
import { formatAddress } from "../proto/address.ts";
import { alarm, type Clock } from "./clock.ts";
import type { Counters } from "./counters.ts";
import type { DrainNotice, Handler } from "./handler.ts";
import { Inbox } from "./inbox.ts";
import type { ConnectionLimits } from "./limits.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import {
  ConnectionEndedError,
  type Ending,
  type Peer,
  type WaitOptions,
} from "./peer.ts";
import { readableOf, writableOf } from "./streams.ts";
import type { Conn } from "./transport.ts";
import { flushAtEndOfTurn } from "./turn.ts";

/** The limits that can bite on a connection. */
export type ConnectionLimitName =
  | keyof ConnectionLimits
  | "maxFrameBytes"
  | "maxWaitingBytes";

/** What the connections of one server or client share. */
export interface ConnectionHost<In, Out, State> {
  /** Framing and codec. */
  readonly wire: Wire<In, Out>;
  /** What happens on the connection. */
  readonly handler: Handler<In, Out, State>;
  /** What it may cost. */
  readonly limits: Required<ConnectionLimits>;
  /** Its time. */
  readonly clock: Clock;
  /** Where it counts. */
  readonly counters: Counters;
  /** A limit bit. */
  limited(
    peer: Connection<In, Out, State>,
    limit: ConnectionLimitName,
    detail: string,
  ): void;
  /** The peer sent something that is no message. */
  invalid(peer: Connection<In, Out, State>, error: RemoteProtocolError): void;
  /** The peer became slow, or caught up. */
  slow(peer: Connection<In, Out, State>, slow: boolean): void;
  /** A callback that has no connection left to end threw. */
  callbackFailed(peer: Connection<In, Out, State>, error: unknown): void;
}

/** Messages for one connection that are queued outside of it, by a group. */
export interface Feed {
  /** Hands over what must come before a message that is about to be sent directly. */
  settle(): void;
  /** The peer takes more again. */
  resume(): void;
  /** The connection begins to end. */
  leave(): void;
}

let lastId = 0;

/** One connection: reads frames, calls the handler, writes replies, keeps the limits, ends once. */
export class Connection<In, Out, State> extends Timer
  implements Peer<In, Out, State>, OutboxOwner {
  readonly id: number = ++lastId;
  readonly endpoint: string;
  /** What groups have queued for this peer. */
  feeds: Feed[] | undefined;
  readonly #host: ConnectionHost<In, Out, State>;
  readonly #conn: Conn;
  readonly #deframer: Deframer;
  readonly #inbox: Inbox = new Inbox();
  readonly #outbox: Outbox;
  #state: State | undefined;
  #messageRate: TokenBucket | undefined;
  #byteRate: TokenBucket | undefined;
  readonly #startedMs: number;
  /** When the last bytes arrived. */
  #readMs: number;
  /** When the frame that is not yet whole began; 0 if none. */
  #frameMs = 0;
  /** After the farewell: when to stop waiting for the peer's end; 0 before. */
  #lingerUntilMs = 0;
  /** The first message has arrived. */
  #greeted = false;
  #reading = false;
  #receiving = false;
  #draining = false;
  /** The peer will send nothing more: it closed its direction, or the connection broke. */
  #endOfInput = false;
  #ending: Ending | undefined;
  #farewell: Promise<void> | undefined;
  #finished = false;
  #controller: AbortController | undefined;
  #closed: PromiseWithResolvers<Ending> | undefined;
  /** What delivery waits for: a slow peer to catch up, or a rate limit. */
  #pause: PromiseWithResolvers<void> | undefined;

  /** Takes over `conn`; call {@linkcode Connection.run} next. */
  constructor(
    host: ConnectionHost<In, Out, State>,
    conn: Conn,
    endpoint: string,
  ) {
    super();
    const { wire, limits, clock } = host;
    this.#host = host;
    this.#conn = conn;
    this.endpoint = endpoint;
    this.#deframer = wire.framing.deframer();
    this.#outbox = new Outbox(conn, this, clock, host.counters);
    this.#startedMs = this.#readMs = clock.now();
    this.#messageRate = bucketOf(limits.messagesPerSecond, this.#startedMs);
    this.#byteRate = bucketOf(limits.bytesPerSecond, this.#startedMs);
    this.#armDeadline(this.#startedMs);
  }

  get address(): string {
    const { remoteAddr } = this.#conn;
    return "hostname" in remoteAddr
      ? formatAddress(remoteAddr.hostname, remoteAddr.port)
      : `${this.endpoint.slice(0, this.endpoint.indexOf(":"))}:${this.id}`;
  }

  get state(): State {
    return this.#state as State;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ending !== undefined) this.#controller.abort(this.#ending);
    }
    return this.#controller.signal;
  }

  get ending(): Ending | undefined {
    return this.#ending;
  }

  get closed(): Promise<Ending> {
    this.#closed ??= Promise.withResolvers();
    if (this.#finished) this.#closed.resolve(this.#ending!);
    return this.#closed.promise;
  }

  get bufferedBytes(): number {
    return this.#outbox.buffered;
  }

  get isSlow(): boolean {
    return this.#outbox.buffered > this.#host.limits.slowBytes;
  }

  get maxFrameBytes(): number {
    return this.#deframer.maxFrameBytes;
  }

  set maxFrameBytes(bytes: number) {
    this.#deframer.maxFrameBytes = bytes;
  }

  get readable(): ReadableStream<In> {
    return readableOf(this);
  }

  get writable(): WritableStream<Out> {
    return writableOf(this);
  }

  // Sending

  send(message: Out): boolean {
    if (this.#ending !== undefined) return false;
    if (this.feeds !== undefined) this.#settleFeeds();
    const { writer } = this.#outbox;
    const before = writer.length;
    writeFrame(this.#host.wire, message, writer);
    this.#outbox.appended(writer.length - before);
    this.#host.counters.messagesOut++;
    flushAtEndOfTurn(this.#outbox);
    return this.#keepsUp();
  }

  /** Queues `count` messages that are encoded already, in bytes that nobody will change. */
  share(bytes: Uint8Array, count: number): void {
    if (this.#ending !== undefined) return;
    this.#outbox.share(bytes);
    this.#host.counters.messagesOut += count;
    flushAtEndOfTurn(this.#outbox);
    this.#keepsUp();
  }

  #settleFeeds(): void {
    for (const feed of this.feeds!) feed.settle();
  }

  #keepsUp(): boolean {
    const { buffered } = this.#outbox;
    const { slowBytes, maxBufferedBytes } = this.#host.limits;
    if (buffered <= slowBytes) return true;
    if (buffered > maxBufferedBytes) {
      const detail = `${buffered} bytes unsent, ${maxBufferedBytes} allowed`;
      this.cutOff("maxBufferedBytes", detail);
    } else if (this.#outbox.markSlow(slowBytes / 2)) {
      this.#host.slow(this, true);
    }
    return false;
  }

  outboxDrained(): void {
    this.#host.slow(this, false);
    this.#resume();
    if (this.feeds !== undefined) {
      for (const feed of this.feeds) feed.resume();
    }
  }

  outboxFailed(error: unknown): void {
    this.#conclude({ cause: "peer closed", reason: "reset", error });
    this.#drop();
  }

  async drained(options: WaitOptions = {}): Promise<void> {
    const { signal } = options;
    signal?.throwIfAborted();
    while (this.#ending === undefined && this.isSlow) {
      await abortable(this.#paused(), signal);
    }
    if (this.#ending !== undefined) {
      throw new ConnectionEndedError(`send to ${this.address}`, this.#ending);
    }
  }

  // Receiving

  async receive(): Promise<In | undefined> {
    if (this.#receiving || this.#reading) {
      throw new TypeError(
        `Cannot receive from ${this.address}: another receive is waiting`,
      );
    }
    this.#receiving = true;
    try {
      while (this.#ending === undefined) {
        if (this.isSlow) await this.#paused();
        else if (this.#nextFrame()) return await this.#received();
        else if (this.#draining || this.#endOfInput) return undefined;
        else await this.#read();
      }
      return undefined;
    } finally {
      this.#receiving = false;
    }
  }

  async #received(): Promise<In> {
    const message = this.#decode();
    const waitMs = this.#overRateMs();
    if (waitMs > 0) await this.#throttle("messagesPerSecond", waitMs);
    return message;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<In> {
    for (;;) {
      const message = await this.receive();
      if (message === undefined) return;
      yield message;
    }
  }

  /** Moves past the next whole frame, whose bounds are then in the deframer; false if there is none. */
  #nextFrame(): boolean {
    const inbox = this.#inbox;
    const next = this.#endOfInput
      ? this.#deframer.finish(inbox.bytes, inbox.from, inbox.to)
      : this.#deframer.next(inbox.bytes, inbox.from, inbox.to);
    if (next < 0) return false;
    inbox.from = next;
    this.#frameMs = 0;
    return true;
  }

  #decode(): In {
    const { start, end } = this.#deframer;
    const message = this.#host.wire.codec.decode(
      this.#inbox.bytes.subarray(start, end),
    );
    this.#host.counters.messagesIn++;
    this.#greeted = true;
    return message;
  }

  async #read(): Promise<void> {
    const inbox = this.#inbox;
    if (inbox.from < inbox.to && this.#frameMs === 0) {
      this.#frameMs = this.#readMs;
    }
    const space = inbox.space(this.#deframer.wanted);
    let count: number | null = null;
    this.#reading = true;
    try {
      count = await this.#conn.read(space);
    } catch (error) {
      this.#conclude(readFailure(error));
      this.#drop();
    }
    this.#reading = false;
    this.#readMs = this.#host.clock.now();
    if (count === null) {
      this.#endOfInput = true;
      return;
    }
    inbox.received(count);
    this.#host.counters.bytesIn += count;
    const waitMs = this.#byteRate?.take(count, this.#readMs) ?? 0;
    if (waitMs > 0) await this.#throttle("bytesPerSecond", waitMs);
  }

  // The life of the connection

  /** Runs the connection to its end; never rejects. */
  async run(): Promise<void> {
    const { handler } = this.#host;
    try {
      await this.#converse();
      if (this.#draining) this.#conclude({ cause: "shut down" });
      else if (this.#endOfInput) this.#conclude({ cause: "peer closed" });
      else this.#conclude({ cause: "local closed" });
    } catch (error) {
      this.#conclude(
        error instanceof RemoteProtocolError
          ? brokenProtocol(error)
          : { cause: "failed", error },
      );
    }
    await this.#farewell;
    await this.#awaitPeersEnd();
    this.#finish();
    try {
      if (typeof handler !== "function") {
        await handler.close?.(this, this.#ending!);
      }
    } catch (error) {
      this.#host.callbackFailed(this, error);
    }
    this.#closed?.resolve(this.#ending!);
  }

  async #converse(): Promise<void> {
    const { handler } = this.#host;
    // Before `open` has returned there is no state yet, and the type says so.
    const stateless = this as Peer<In, Out, unknown> as Peer<In, Out>;
    if (typeof handler === "function") return void await handler(stateless);
    const state = handler.open?.(stateless);
    this.#state = state instanceof Promise ? await state : state;
    while (this.#ending === undefined) {
      const wait = this.#deliver();
      if (wait !== undefined) {
        await wait;
        continue;
      }
      const { clock, counters } = this.#host;
      if (this.#greeted) counters.handling.record(clock.now() - this.#readMs);
      if (this.#draining || this.#endOfInput) return;
      // Answers leave before more is read: one large read then follows, where an early one would get a small piece.
      await this.#outbox.flush();
      await this.#read();
    }
  }

  /** Handles every whole frame received. Returns what to wait for before going on, or undefined to read more. */
  #deliver(): unknown {
    const { handler } = this.#host;
    if (typeof handler === "function") return undefined;
    while (this.#ending === undefined) {
      if (this.isSlow) return this.#paused();
      let message: In;
      try {
        if (!this.#nextFrame()) return undefined;
        message = this.#decode();
      } catch (error) {
        return this.#invalid(error);
      }
      const result = handler.message(this, message);
      if (result instanceof Promise) return result;
      const waitMs = this.#overRateMs();
      if (waitMs > 0) return this.#throttle("messagesPerSecond", waitMs);
    }
  }

  async #invalid(error: unknown): Promise<void> {
    if (!(error instanceof RemoteProtocolError)) throw error;
    const { handler, counters } = this.#host;
    counters.invalid++;
    this.#host.invalid(this, error);
    const callback = typeof handler === "function"
      ? undefined
      : handler.invalid?.bind(handler);
    if (error.code !== "truncated") await callback?.(this, error);
    if (error.recoverable && callback !== undefined) return;
    if (error.code === "frame_too_large") {
      this.#end("maxFrameBytes", brokenProtocol(error));
    } else {
      this.#conclude(brokenProtocol(error));
    }
  }

  /** Finishes what has been received and says goodbye; the connection then ends with the cause `shut down`. */
  drain(notice: DrainNotice): void {
    if (this.#ending !== undefined || this.#draining) return;
    this.#draining = true;
    const { handler } = this.#host;
    try {
      if (typeof handler !== "function") handler.drain?.(this, notice);
    } catch (error) {
      this.#conclude({ cause: "failed", error });
    }
    if (this.#reading) this.#conclude({ cause: "shut down" });
  }

  async close(reason?: string): Promise<void> {
    this.#conclude({
      cause: "local closed",
      ...(reason === undefined ? {} : { reason }),
    });
    await this.closed;
  }

  abort(reason = "aborted"): void {
    this.#conclude({ cause: "local closed", reason });
    this.#drop();
  }

  /** Ends the connection at once because the server's time to drain is over. */
  cutShort(): void {
    this.#conclude({ cause: "shut down", reason: "out of time" });
    this.#drop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #conclude(ending: Ending): void {
    if (this.#ending !== undefined) return;
    if (this.feeds !== undefined) {
      this.#settleFeeds();
      for (const feed of this.feeds) feed.leave();
    }
    this.#ending = ending;
    this.#resume();
    this.#controller?.abort(ending);
    this.#farewell = this.#sayFarewell();
  }

  async #sayFarewell(): Promise<void> {
    await this.#outbox.flushed();
    try {
      await this.#conn.closeWrite();
    } catch {
      // Already gone: there is nobody to tell.
      this.#endOfInput = true;
    }
    const nowMs = this.#host.clock.now();
    this.#lingerUntilMs = nowMs + this.#host.limits.lingerMs;
    if (!this.#finished) this.#armDeadline(nowMs);
  }

  /** Reads on after the farewell: closing with unread input would reset the connection and lose our last words. */
  async #awaitPeersEnd(): Promise<void> {
    if (this.#reading) this.#drop();
    while (!this.#endOfInput) {
      this.#inbox.from = this.#inbox.to;
      await this.#read();
    }
  }

  #drop(): void {
    this.#outbox.fail();
    try {
      this.#conn.close();
    } catch {
      // Closed already.
    }
  }

  #finish(): void {
    this.#finished = true;
    this.#host.clock.cancel(this);
    this.#drop();
    if (!this.#reading) this.#inbox.release();
  }

  // Waiting and deadlines

  #paused(): Promise<void> {
    this.#pause ??= Promise.withResolvers();
    return this.#pause.promise;
  }

  #resume(): void {
    this.#pause?.resolve();
    this.#pause = undefined;
  }

  #overRateMs(): number {
    return this.#messageRate?.take(1, this.#host.clock.now()) ?? 0;
  }

  #throttle(limit: ConnectionLimitName, waitMs: number): Promise<void> {
    this.#host.limited(this, limit, `reading waits ${waitMs} ms`);
    const { clock } = this.#host;
    const timer = alarm(clock, waitMs, () => this.#resume());
    return this.#paused().finally(() => clock.cancel(timer));
  }

  /** Ends the connection because of `limit`, at once: the peer does not take what it is sent anyway. */
  cutOff(limit: ConnectionLimitName, reason: string): void {
    this.#end(limit, { cause: "limit", reason });
    this.#drop();
  }

  #end(limit: ConnectionLimitName, ending: Ending): void {
    if (this.#ending !== undefined) return;
    this.#host.limited(this, limit, ending.reason ?? "");
    this.#conclude(ending);
  }

  override expired(nowMs: number): void {
    const { limits } = this.#host;
    const { progressMs } = this.#outbox;
    if (this.#lingerUntilMs > 0 && nowMs >= this.#lingerUntilMs) {
      return this.#drop();
    }
    if (progressMs > 0 && nowMs - progressMs >= limits.writeMs) {
      const reason = `no write progress for ${limits.writeMs} ms`;
      this.#end("writeMs", { cause: "timed out", reason });
      return this.#drop();
    }
    if (this.#ending === undefined) this.#checkReading(nowMs);
    this.#armDeadline(nowMs);
  }

  #checkReading(nowMs: number): void {
    const { idleMs, frameMs, firstMessageMs } = this.#host.limits;
    if (!this.#reading) {
      // Silence counts only while we listen: a handler that takes its time is not the peer's fault.
      this.#readMs = nowMs;
    } else if (!this.#greeted && nowMs - this.#startedMs >= firstMessageMs) {
      const reason = `no whole first message within ${firstMessageMs} ms`;
      this.#end("firstMessageMs", { cause: "timed out", reason });
    } else if (this.#frameMs > 0 && nowMs - this.#frameMs >= frameMs) {
      const reason = `a frame was not whole within ${frameMs} ms`;
      this.#end("frameMs", { cause: "timed out", reason });
    } else if (nowMs - this.#readMs >= idleMs) {
      const reason = `idle for ${idleMs} ms`;
      this.#end("idleMs", { cause: "timed out", reason });
    }
  }

  /** Arms the timer no later than the next deadline; one that begins meanwhile is seen in time, as none is shorter. */
  #armDeadline(nowMs: number): void {
    const { idleMs, frameMs, firstMessageMs, writeMs } = this.#host.limits;
    const { progressMs } = this.#outbox;
    const { clock } = this.#host;
    if (this.#lingerUntilMs > 0) {
      clock.arm(this, Math.max(this.#lingerUntilMs - nowMs, 1));
      return;
    }
    let dueMs = (progressMs > 0 ? progressMs : nowMs) + writeMs;
    if (this.#reading) {
      const frameStartMs = this.#frameMs > 0 ? this.#frameMs : nowMs;
      dueMs = Math.min(dueMs, frameStartMs + frameMs, this.#readMs + idleMs);
      if (!this.#greeted) {
        dueMs = Math.min(dueMs, this.#startedMs + firstMessageMs);
      }
    } else {
      dueMs = Math.min(dueMs, nowMs + Math.min(frameMs, idleMs));
      if (!this.#greeted) dueMs = Math.min(dueMs, nowMs + firstMessageMs);
    }
    if (dueMs !== Infinity) clock.arm(this, Math.max(dueMs - nowMs, 1));
  }
}

function bucketOf(rate: number, nowMs: number): TokenBucket | undefined {
  return rate === Infinity ? undefined : new TokenBucket(rate, rate, nowMs);
}

function brokenProtocol(error: RemoteProtocolError): Ending {
  return error.code === "truncated"
    ? { cause: "peer closed", reason: "in the middle of a frame", error }
    : { cause: "limit", reason: error.message, error };
}

function readFailure(error: unknown): Ending {
  const reset = error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.UnexpectedEof;
  return reset
    ? { cause: "peer closed", reason: "reset", error }
    : { cause: "failed", error };
}

async function abortable(
  promise: Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signal === undefined) return await promise;
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
