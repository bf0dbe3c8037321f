import { RemoteProtocolError } from "../proto/errors.ts";
import { writeFrame } from "../proto/frame_writer.ts";
import type { Wire } from "../proto/framing/framing.ts";
import type { Agreement } from "../proto/hello/agreement.ts";
import { TokenBucket } from "../proto/token_bucket.ts";
import { formatAddress } from "../proto/address.ts";
import { abortable } from "./abortable.ts";
import { alarm } from "./clock.ts";
import type {
  ConnectionHost,
  ConnectionLimitName,
  Feed,
} from "./connection_host.ts";
import { type DeadlineOwner, Deadlines } from "./deadlines.ts";
import {
  brokenProtocol,
  handlerFailure,
  peerClosed,
  readFailure,
  writeFailure,
} from "./endings.ts";
import type { DrainNotice } from "./handler.ts";
import { Lifetime } from "./lifetime.ts";
import type { ConnectionLimits } from "./limits.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import {
  ConnectionEndedError,
  type Ending,
  type Peer,
  type WaitOptions,
} from "./peer.ts";
import type { PeerIdentity } from "./peer_identity.ts";
import { Receiver } from "./receiver.ts";
import { iterate } from "./iterate.ts";
import { readableOf, writableOf } from "./streams.ts";
import type { Conn } from "./transport.ts";
import { flushAtEndOfTurn } from "./turn.ts";

let lastId = 0;

const UNAWAITED_RECEIVE =
  "Cannot go on: the handler has returned while its receive() was waiting";

/** One connection: reads frames, calls the handler, writes replies, keeps the limits, ends once. */
export class Connection<In, Out, State>
  implements Peer<In, Out, State>, OutboxOwner, DeadlineOwner {
  readonly id: number = ++lastId;
  readonly endpoint: string;
  /** What groups have queued for this peer. */
  feeds: Feed[] | undefined;
  readonly #host: ConnectionHost<In, Out, State>;
  readonly #conn: Conn;
  readonly #receiver: Receiver<In>;
  readonly #outbox: Outbox;
  #state: State | undefined;
  readonly #rate: TokenBucket | undefined;
  readonly #deadlines: Deadlines;
  readonly #lifetime: Lifetime;
  /** A callback of the handler is running, or the whole of it if it is a function. */
  #handling = false;
  /** The handler's `open` has returned. */
  #opened = false;
  /** No more may be sent. */
  #sentLast = false;
  #receiving = false;
  /** What the handler does because the server drains; undefined while it does not. */
  #lastWord: Promise<void> | undefined;
  /** The observer knows that the peer is slow. */
  #toldSlow = false;
  /** What delivery waits for: a slow peer to catch up, or a rate limit. */
  #pause: PromiseWithResolvers<void> | undefined;

  /** Takes over `conn`; call {@linkcode Connection.run} next. */
  constructor(
    host: ConnectionHost<In, Out, State>,
    conn: Conn,
    endpoint: string,
  ) {
    const { wire, limits, clock } = host;
    this.#host = host;
    this.#conn = conn;
    this.endpoint = endpoint;
    this.#outbox = new Outbox(conn, this, clock, host.counters);
    this.#deadlines = new Deadlines(this, this.#outbox, limits, clock);
    this.#lifetime = new Lifetime(conn, this.#outbox, this.#deadlines);
    const { messagesPerSecond, bytesPerSecond } = limits;
    this.#rate = TokenBucket.of(messagesPerSecond, this.#deadlines.readMs);
    this.#receiver = new Receiver({
      wire,
      deframer: conn.framed?.deframer ?? wire.framing.deframer(),
      deadlines: this.#deadlines,
      counters: host.counters,
      bytesPerSecond,
    });
  }

  get remoteAddr(): Deno.Addr {
    return this.#conn.remoteAddr;
  }

  get localAddr(): Deno.Addr {
    return this.#conn.localAddr;
  }

  get address(): string {
    const { remoteAddr } = this.#conn;
    return "hostname" in remoteAddr
      ? formatAddress(remoteAddr.hostname, remoteAddr.port)
      : `${this.endpoint.slice(0, this.endpoint.indexOf(":"))}#${this.id}`;
  }

  get state(): State {
    return this.#state as State;
  }

  /** Framing and codec. */
  get wire(): Wire<In, Out> {
    return this.#host.wire;
  }

  get identity(): PeerIdentity | undefined {
    return this.#conn.identity;
  }

  get agreement(): Agreement | undefined {
    return this.#host.agreement;
  }

  get signal(): AbortSignal {
    return this.#lifetime.signal;
  }

  get ending(): Ending | undefined {
    return this.#lifetime.ending;
  }

  get closed(): Promise<Ending> {
    return this.#lifetime.closed;
  }

  get bufferedBytes(): number {
    return this.#outbox.buffered;
  }

  get isSlow(): boolean {
    return this.#outbox.buffered > this.#host.limits.slowBytes;
  }

  /** Bytes that can be queued before the peer is cut off. */
  get roomBytes(): number {
    return this.#host.limits.maxBufferedBytes - this.#outbox.buffered;
  }

  get maxFrameBytes(): number {
    return this.#receiver.maxFrameBytes;
  }

  set maxFrameBytes(bytes: number) {
    this.#receiver.maxFrameBytes = bytes;
  }

  get idleMs(): number {
    return this.#deadlines.idleMs;
  }

  set idleMs(ms: number) {
    this.#deadlines.idleMs = ms;
  }

  get readable(): ReadableStream<In> {
    return readableOf(this);
  }

  get writable(): WritableStream<Out> {
    return writableOf(this);
  }

  // Sending

  send(message: Out): boolean {
    if (this.ending !== undefined || this.#sentLast) return false;
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
    if (this.ending !== undefined || this.#sentLast) return;
    this.#outbox.share(bytes);
    this.#host.counters.messagesOut += count;
    flushAtEndOfTurn(this.#outbox);
    this.#keepsUp();
  }

  #settleFeeds(): void {
    for (const feed of this.feeds!) feed.settle();
  }

  #leaveFeeds(): void {
    this.#settleFeeds();
    for (const feed of this.feeds!) feed.leave();
  }

  #keepsUp(): boolean {
    const { buffered } = this.#outbox;
    const { slowBytes, maxBufferedBytes } = this.#host.limits;
    if (buffered <= slowBytes) return true;
    if (buffered > maxBufferedBytes) {
      const detail = `${buffered} bytes unsent, ${maxBufferedBytes} allowed`;
      this.cutOff("maxBufferedBytes", detail);
    } else {
      this.#outbox.notifyAt(slowBytes / 2);
      this.#tellSlow(true);
    }
    return false;
  }

  #tellSlow(slow: boolean): void {
    if (slow === this.#toldSlow) return;
    this.#toldSlow = slow;
    this.#host.slow(this, slow);
  }

  outboxDrained(): void {
    this.#resume();
    // Requests that have waited come first, or a group that always has more to tell would keep them waiting.
    queueMicrotask(() => this.#refill());
  }

  #refill(): void {
    try {
      for (const feed of this.feeds ?? []) feed.resume();
    } catch (error) {
      // A callback of a group threw.
      this.#conclude({ cause: "failed", error });
    }
    if (!this.isSlow && this.ending === undefined) this.#tellSlow(false);
  }

  outboxFailed(error: unknown): void {
    this.#conclude(writeFailure(error));
    this.#lifetime.drop();
  }

  async drained(options: WaitOptions = {}): Promise<void> {
    const { signal } = options;
    signal?.throwIfAborted();
    while (this.ending === undefined && this.isSlow) {
      await abortable(this.#paused(), signal);
    }
    if (this.ending !== undefined) {
      throw new ConnectionEndedError(`send to ${this.address}`, this.ending);
    }
  }

  // Receiving

  receive(): Promise<In | undefined> {
    // What has arrived already needs no waiting machinery.
    if (
      this.#rate === undefined && !this.#receiving && !this.isSlow &&
      this.ending === undefined && !this.#receiver.reading
    ) {
      try {
        if (this.#receiver.nextFrame()) {
          return Promise.resolve(this.#receiver.decode());
        }
      } catch (error) {
        this.#tellInvalid(error);
        return Promise.reject(error);
      }
    }
    return this.#receive();
  }

  async #receive(): Promise<In | undefined> {
    if (this.#receiving || this.#receiver.reading) {
      throw new TypeError(
        `Cannot receive from ${this.address}: another receive is waiting`,
      );
    }
    this.#receiving = true;
    try {
      while (this.ending === undefined) {
        if (this.#mustWait) await this.#paused();
        else if (this.#receiver.nextFrame()) return await this.#received();
        else if (this.#isLast) return undefined;
        else await this.#read();
      }
      return undefined;
    } catch (error) {
      this.#tellInvalid(error);
      throw error;
    } finally {
      this.#receiving = false;
    }
  }

  async #received(): Promise<In> {
    const message = this.#receiver.decode();
    const waitMs = this.#overRateMs();
    if (waitMs > 0) await this.#throttle("messagesPerSecond", waitMs);
    return message;
  }

  [Symbol.asyncIterator](): AsyncIterator<In> {
    return iterate(this);
  }

  /** Reads once. {@linkcode Connection.run} does the same inline: a suspended call costs each idle connection memory. */
  async #read(): Promise<void> {
    if (this.ending === undefined) {
      const owedMs = this.#receiver.takeOwedMs();
      if (owedMs > 0) return await this.#throttle("bytesPerSecond", owedMs);
      const written = this.#outbox.flush();
      if (written !== undefined) await written;
      if (this.#isLast) return;
    }
    const space = this.#receiver.readBegins();
    try {
      this.#receiver.readEnded(await this.#conn.read(space));
    } catch (error) {
      this.#readFailed(error);
    }
  }

  /** No more messages are taken. */
  get #isLast(): boolean {
    return this.#receiver.ended || this.#lastWord !== undefined ||
      this.ending !== undefined;
  }

  #readFailed(error: unknown): void {
    this.#receiver.readEnded(null);
    this.#conclude(readFailure(error));
    this.#lifetime.drop();
  }

  // The life of the connection

  /** Runs the connection to its end; never rejects. */
  async run(): Promise<void> {
    const { handler } = this.#host;
    // Before `open` has returned there is no state yet, and the type says so.
    const stateless = this as Peer<In, Out, unknown> as Peer<In, Out>;
    try {
      this.#handling = true;
      if (typeof handler === "function") {
        this.#deadlines.opened = true;
        await handler(stateless);
      } else {
        const state = handler.open?.(stateless);
        this.#state = state instanceof Promise ? await state : state;
        this.#opened = this.#deadlines.opened = true;
        while (this.ending === undefined) {
          this.#handling = true;
          const wait = this.#deliver();
          if (wait !== undefined) {
            await wait;
            continue;
          }
          this.#handling = false;
          if (this.#isLast) break;
          const owedMs = this.#receiver.takeOwedMs();
          if (owedMs > 0) {
            await this.#throttle("bytesPerSecond", owedMs);
            continue;
          }
          // Answers leave before more is read: one large read then follows, where an early one would get a small piece.
          const written = this.#outbox.flush();
          if (written !== undefined && !this.#host.readsOn) {
            await written;
            if (this.#isLast) break;
          }
          if (this.#receiving) throw new TypeError(UNAWAITED_RECEIVE);
          const space = this.#receiver.readBegins();
          try {
            this.#receiver.readEnded(await this.#conn.read(space));
          } catch (error) {
            this.#readFailed(error);
          }
        }
        this.#handling = true;
        if (this.ending === undefined) await handler.finish?.(this);
      }
      if (this.ending === undefined) await this.#lastWord;
      if (this.#lastWord !== undefined) this.#conclude({ cause: "shut down" });
      else if (this.#receiver.ended) this.#conclude(peerClosed(this.#conn));
      else this.#conclude({ cause: "local closed" });
    } catch (error) {
      // A peer that left before it was let in is no failure of the handler's.
      const left = this.#receiver.ended && !this.#opened;
      this.#conclude(
        left ? { cause: "peer closed", error } : handlerFailure(error),
      );
    }
    await this.#end();
  }

  /** Everything after the last message: farewell, the peer's end, the handler's `close`. */
  async #end(): Promise<void> {
    this.#handling = false;
    const { handler } = this.#host;
    await this.#lifetime.farewell;
    await this.#awaitPeersEnd();
    this.#lifetime.finish();
    this.#receiver.release();
    try {
      if (this.#opened && typeof handler !== "function") {
        this.#handling = true;
        await handler.close?.(this, this.ending!);
      }
    } catch (error) {
      this.#host.callbackFailed(this, error);
    }
    this.#announceEnd();
  }

  #announceEnd(): void {
    if (this.#lifetime.announce()) this.#host.ended(this);
  }

  /** Handles every whole frame received. Returns what to wait for before going on, or undefined to read more. */
  #deliver(): unknown {
    const { handler } = this.#host;
    if (typeof handler === "function") return undefined;
    while (this.ending === undefined) {
      if (this.#mustWait) return this.#paused();
      let message: In;
      try {
        if (!this.#receiver.nextFrame()) {
          this.#measure();
          return undefined;
        }
        message = this.#receiver.decode();
      } catch (error) {
        return this.#invalid(error);
      }
      const waitMs = this.#overRateMs();
      const result = handler.message(this, message);
      if (waitMs > 0) {
        const pause = this.#throttle("messagesPerSecond", waitMs);
        return Promise.all([result, pause]);
      }
      if (result instanceof Promise) return result;
    }
  }

  #measure(): void {
    if (!this.#deadlines.greeted) return;
    const { clock, counters } = this.#host;
    counters.handling.record(clock.now() - this.#deadlines.readMs);
  }

  #tellInvalid(error: unknown): void {
    if (!(error instanceof RemoteProtocolError)) return;
    this.#host.counters.invalid++;
    if (error.code === "frame_too_large") {
      this.#host.limited(this, "maxFrameBytes", error.message);
    } else {
      this.#host.invalid(this, error);
    }
  }

  async #invalid(error: unknown): Promise<void> {
    if (!(error instanceof RemoteProtocolError)) throw error;
    this.#tellInvalid(error);
    const { handler } = this.#host;
    const callback = typeof handler === "function"
      ? undefined
      : handler.invalid?.bind(handler);
    if (error.code !== "truncated") await callback?.(this, error);
    if (error.recoverable && callback !== undefined) return;
    this.#conclude(brokenProtocol(error));
  }

  /** Finishes what has been received and says goodbye; the connection then ends with the cause `shut down`. */
  drain(notice: DrainNotice): void {
    if (this.ending !== undefined) return;
    this.#lastWord ??= this.#sayLastWord(notice);
    // A rate that reading waits for does not matter any more.
    this.#resume();
  }

  async #sayLastWord(notice: DrainNotice): Promise<void> {
    const { handler } = this.#host;
    // Whoever is not let in yet has no state that a callback could use.
    const callbacks = typeof handler === "function" || !this.#opened
      ? undefined
      : handler;
    try {
      await callbacks?.drain?.(this, notice);
      // Otherwise something is being handled, and the end comes after that.
      if (!this.#receiver.reading) return;
      await callbacks?.finish?.(this);
      this.#conclude({ cause: "shut down" });
    } catch (error) {
      this.#conclude({ cause: "failed", error });
    }
  }

  async close(reason?: string): Promise<void> {
    this.#conclude({
      cause: "local closed",
      ...(reason === undefined ? {} : { reason }),
    });
    // A handler that closes its own connection would wait for itself.
    await (this.#handling ? this.#lifetime.farewell : this.closed);
  }

  async end(): Promise<void> {
    if (this.ending !== undefined || this.#sentLast) return;
    if (this.feeds !== undefined) this.#leaveFeeds();
    this.#sentLast = true;
    await this.#lifetime.sendEnd();
  }

  abort(reason = "aborted"): void {
    this.#cut({ cause: "local closed", reason });
  }

  /** Ends the connection at once because the server's time to drain is over; a handler that hangs is left behind. */
  cutShort(): void {
    this.#cut({ cause: "shut down", reason: "out of time" });
    if (!this.#handling) return;
    this.#lifetime.finish();
    this.#announceEnd();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #conclude(ending: Ending): void {
    if (this.ending !== undefined) return;
    if (this.feeds !== undefined) {
      this.#leaveFeeds();
      // What they handed over may have been too much, and have ended it.
      if (this.ending !== undefined) return;
    }
    this.#lifetime.conclude(ending);
    this.#resume();
  }

  /** Ends at once: without a farewell, and without what is queued here and in groups. */
  #cut(ending: Ending): void {
    this.#lifetime.drop();
    if (this.ending !== undefined) return;
    this.#lifetime.conclude(ending);
    if (this.feeds !== undefined) {
      for (const feed of this.feeds) feed.leave();
    }
    this.#resume();
  }

  /** Reads on after the farewell: closing with unread input would reset the connection and lose our last words. */
  async #awaitPeersEnd(): Promise<void> {
    if (this.#receiver.reading) this.#lifetime.drop();
    while (!this.#receiver.ended) {
      this.#receiver.discard();
      await this.#read();
    }
  }

  // Waiting and limits

  /** Whether the peer has to take more before it is heard again. */
  get #mustWait(): boolean {
    return this.isSlow && !this.#host.readsOn;
  }

  #paused(): Promise<void> {
    this.#pause ??= Promise.withResolvers();
    return this.#pause.promise;
  }

  #resume(): void {
    this.#pause?.resolve();
    this.#pause = undefined;
  }

  #overRateMs(): number {
    return this.#rate?.take(1, this.#host.clock.now()) ?? 0;
  }

  async #throttle(limit: ConnectionLimitName, waitMs: number): Promise<void> {
    this.#host.limited(this, limit, `reading waits ${waitMs} ms`);
    const { clock } = this.#host;
    let isOver = false;
    const timer = alarm(clock, waitMs, () => {
      isOver = true;
      this.#resume();
    });
    // A slow peer that has caught up resumes too, which is no reason to exceed the rate.
    while (!isOver && !this.#isLast) await this.#paused();
    clock.cancel(timer);
  }

  /** Tells that a group did not deliver messages to this slow peer. */
  missed(group: string, count: number): void {
    this.#host.counters.skipped += count;
    this.#host.gap(this, group, count);
  }

  /** Ends the connection because of `limit`, at once: the peer does not take what it is sent anyway. */
  cutOff(limit: ConnectionLimitName, reason: string): void {
    if (this.ending !== undefined) return;
    this.#host.limited(this, limit, reason);
    this.#cut({ cause: "limit", reason });
  }

  #limit(limit: ConnectionLimitName, ending: Ending): void {
    if (this.ending !== undefined) return;
    this.#host.limited(this, limit, ending.reason ?? "");
    this.#conclude(ending);
  }

  deadlinePassed(limit: keyof ConnectionLimits, reason: string): void {
    this.#limit(limit, { cause: "timed out", reason });
    // Who takes nothing will not take a farewell either.
    if (limit === "writeMs") this.#lifetime.drop();
  }

  lingered(): void {
    this.#lifetime.drop();
  }
}
