/**
 * The client of a resumable stream over WebSocket, for programs and for browsers: it needs nothing but `WebSocket` and
 * timers, and a gateway serves this very file, its types stripped.
 *
 * @module
 */

import { Backoff, type BackoffOptions } from "../proto/resilience/backoff.ts";
import {
  decodeResume,
  encodeResume,
  RESUME_PROTOCOL,
  type ResumeMessage,
} from "../proto/resume/messages.ts";
import { ResumableStream } from "../proto/resume/resumable_stream.ts";

/** Options of {@linkcode ResumableSocket}. */
export interface ResumableSocketOptions {
  /** How long to wait between attempts to connect again. @default 100 ms, growing to 20 s */
  reconnect?: BackoffOptions;
  /** Bytes sent and not acknowledged at which `write` asks to wait. @default {1_048_576} */
  maxUnacknowledgedBytes?: number;
  /** Is told when the road is lost (`false`) and when it is back (`true`). */
  connected?: (isConnected: boolean) => void;
}

/** Why a {@linkcode ResumableSocket} ended. */
export interface ResumableEnding {
  /** Everything that the other end sent has been read. */
  readonly isWhole: boolean;
  /** A few words for a person. */
  readonly reason: string;
}

/** Milliseconds after which what was received is acknowledged, however little it is. */
const ACKNOWLEDGE_MS = 200;

/**
 * A byte stream to whatever a gateway leads to, which goes on where it was when the WebSocket under it is lost: a
 * browser that changes its network, or a tab that slept, loses nothing.
 *
 * @example Usage
 * ```ts
 * import { gateway, lines, ResumableSocket, serve, text } from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using service = await serve({
 *   listen: "tcp://127.0.0.1:0",
 *   wire: lines(text()),
 *   handler: { message: (peer, line) => peer.send(line.toUpperCase()) },
 * });
 * await using door = await gateway({
 *   listen: "ws://127.0.0.1:0",
 *   to: service.endpoint,
 * });
 * const socket = new ResumableSocket(door.endpoint);
 * socket.write(new TextEncoder().encode("ahoy\n"));
 * assertEquals(new TextDecoder().decode(await socket.read()), "AHOY\n");
 * socket.close();
 * ```
 */
export class ResumableSocket {
  readonly #url: string;
  readonly #options: ResumableSocketOptions;
  readonly #stream: ResumableStream;
  readonly #backoff: Backoff;
  readonly #closed = Promise.withResolvers<ResumableEnding>();
  #socket: WebSocket | undefined;
  #token: Uint8Array | undefined;
  /** The gateway knows the session: what is sent leaves at once. */
  #isStarted = false;
  /** Data that was not read yet; it is acknowledged once it is, so that the gateway does not send without an end. */
  #unread: ResumeMessage[] = [];
  #change = Promise.withResolvers<void>();
  #hasEnded = false;
  #ending: ResumableEnding | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #acknowledge: ReturnType<typeof setTimeout> | undefined;

  /** Connects to the `ws:` or `wss:` URL of a gateway, and again whenever the connection is lost. */
  constructor(url: string, options: ResumableSocketOptions = {}) {
    this.#url = url;
    this.#options = options;
    this.#stream = new ResumableStream(options);
    this.#backoff = new Backoff(
      options.reconnect ?? {},
      Math.random,
      performance.now(),
    );
    this.#connect();
  }

  /** Resolves when it has ended. */
  get closed(): Promise<ResumableEnding> {
    return this.#closed.promise;
  }

  /** Whether a connection stands. */
  get isConnected(): boolean {
    return this.#isStarted;
  }

  /**
   * Sends bytes, now or when there is a connection again.
   *
   * @returns Whether to go on: false if much waits for the other end, see {@linkcode ResumableSocket.drained}.
   */
  write(bytes: Uint8Array): boolean {
    if (this.#ending !== undefined) return false;
    this.#send(this.#stream.send(bytes));
    return !this.#stream.isFull;
  }

  /** Resolves once the other end has taken enough, or the stream has ended. */
  async drained(): Promise<void> {
    while (this.#stream.isFull && this.#ending === undefined) {
      await this.#change.promise;
    }
  }

  /** The next bytes; undefined when the other end has ended its direction, or everything is over. */
  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const message = this.#unread.shift();
      if (message !== undefined) {
        const received = this.#stream.receive(message);
        this.#acknowledgeSoon();
        if (received instanceof Uint8Array) return received;
        if (received === "end") {
          this.#hasEnded = true;
          this.#finishIfDone();
        }
      }
      if (this.#hasEnded || this.#ending !== undefined) return undefined;
      if (this.#unread.length === 0) await this.#change.promise;
    }
  }

  /** What is read, until the other end ends. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const bytes = await this.read();
      if (bytes === undefined) return;
      yield bytes;
    }
  }

  /** Ends our direction; the other goes on. */
  end(): void {
    if (this.#ending === undefined) this.#send(this.#stream.end());
  }

  /** Ends both directions at once, and the session with them. */
  close(reason = "closed"): void {
    this.#send(encodeResume({ type: "gone", reason }));
    this.#finish({ isWhole: false, reason });
  }

  #connect(): void {
    const socket = new WebSocket(this.#url, [RESUME_PROTOCOL]);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () =>
      this.#write(encodeResume({
        type: "start",
        number: this.#stream.received,
        token: this.#token,
      }));
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#take(data);
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost();
    };
    // What failed is told by the close that follows.
    socket.onerror = (event) => event.preventDefault();
  }

  #take(data: unknown): void {
    try {
      if (!(data instanceof ArrayBuffer)) {
        return this.#finish({ isWhole: false, reason: "a text came" });
      }
      const message = decodeResume(new Uint8Array(data));
      switch (message.type) {
        case "started":
          return this.#start(message);
        case "gone":
          return this.#finish({ isWhole: false, reason: message.reason });
        case "ack":
          this.#stream.receive(message);
          this.#finishIfDone();
          return this.#changed();
        default:
          this.#unread.push(message);
          this.#changed();
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#finish({ isWhole: false, reason });
    }
  }

  #start({ token, number }: ResumeMessage & { type: "started" }): void {
    this.#token = token;
    this.#isStarted = true;
    this.#backoff.reset(performance.now());
    for (const bytes of this.#stream.unacknowledged(number)) this.#write(bytes);
    this.#options.connected?.(true);
    this.#changed();
  }

  #lost(): void {
    if (this.#ending !== undefined) return;
    if (this.#hasEnded) return this.#finish({ isWhole: true, reason: "done" });
    const wasStarted = this.#isStarted;
    this.#isStarted = false;
    // It is sent again: the gateway was not told that it has arrived.
    this.#unread = [];
    const waitMs = this.#backoff.next(performance.now());
    if (waitMs === undefined) {
      return this.#finish({ isWhole: false, reason: "cannot connect again" });
    }
    this.#retry = setTimeout(() => this.#connect(), waitMs);
    if (wasStarted) this.#options.connected?.(false);
  }

  #send(bytes: Uint8Array): void {
    if (this.#isStarted) this.#write(bytes);
  }

  #write(bytes: Uint8Array): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(bytes as Uint8Array<ArrayBuffer>);
  }

  #acknowledgeSoon(): void {
    const due = this.#stream.acknowledgement();
    if (due !== undefined) return this.#send(due);
    this.#acknowledge ??= setTimeout(() => {
      this.#acknowledge = undefined;
      const late = this.#stream.acknowledgement(true);
      if (late !== undefined) this.#send(late);
    }, ACKNOWLEDGE_MS);
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  #finishIfDone(): void {
    if (this.#stream.isDone) this.#finish({ isWhole: true, reason: "done" });
  }

  #finish(ending: ResumableEnding): void {
    if (this.#ending !== undefined) return;
    this.#ending = ending;
    this.#isStarted = false;
    clearTimeout(this.#retry);
    clearTimeout(this.#acknowledge);
    this.#socket?.close();
    this.#changed();
    this.#closed.resolve(ending);
  }
}
