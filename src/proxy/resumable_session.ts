import { decodeResume, encodeResume } from "../proto/resume/messages.ts";
import { ResumableStream } from "../proto/resume/resumable_stream.ts";
import { alarm, type Clock } from "../io/clock.ts";
import type { Peer } from "../io/peer.ts";
import type { Client } from "../client/client.ts";
import { type Bridge, type GatewayPeer, pass } from "./bridge.ts";

/** How long a session is kept, and how many of them. */
export interface ResumeOptions {
  /** Milliseconds that a session without a connection is kept. @default {60_000} */
  keepMs?: number;
  /** Sessions at once, with and without a connection. @default {10_000} */
  maxSessions?: number;
  /** Bytes kept for a client until it has acknowledged them; the service is not read beyond that. @default {1_048_576} */
  maxUnacknowledgedBytes?: number;
}

/** Milliseconds after which what was received is acknowledged, however little it is. */
const ACKNOWLEDGE_MS = 200;

/** A connection to a service that outlives the client's connections to the gateway. */
export class ResumableSession implements Bridge {
  readonly token: Uint8Array;
  readonly #clock: Clock;
  readonly #keepMs: number;
  readonly #stream: ResumableStream;
  readonly #forget: (session: ResumableSession) => void;
  #target: Client<Uint8Array> | undefined;
  #peer: GatewayPeer | undefined;
  #expiry: ReturnType<typeof alarm> | undefined;
  #late: ReturnType<typeof alarm> | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #isOver = false;

  constructor(
    token: Uint8Array,
    clock: Clock,
    options: Required<ResumeOptions>,
    forget: (session: ResumableSession) => void,
  ) {
    this.token = token;
    this.#clock = clock;
    this.#keepMs = options.keepMs;
    this.#stream = new ResumableStream(options);
    this.#forget = forget;
  }

  /** Takes the connection to the service. */
  serve(target: Client<Uint8Array>): void {
    this.#target = target;
    void target.closed.then(() => this.#targetEnded());
  }

  /** Goes on over `peer`, which has received everything up to `number`. */
  attach(peer: GatewayPeer, number: number): void {
    const again = this.#stream.unacknowledged(number);
    if (this.#expiry !== undefined) this.#clock.cancel(this.#expiry);
    this.#peer?.abort("the session goes on over another connection");
    this.#peer = peer;
    peer.send(encodeResume({
      type: "started",
      number: this.#stream.received,
      token: this.token,
      keepMs: this.#keepMs,
    }));
    for (const bytes of again) peer.send(bytes);
    this.#wake();
  }

  /** Takes what the service sends; the promise resolves when more may come. */
  async fromTarget(data: Uint8Array): Promise<void> {
    this.#send(this.#stream.send(data));
    while (this.#stream.isFull && !this.#isOver) {
      this.#room ??= Promise.withResolvers();
      await this.#room.promise;
    }
  }

  fromPeer(bytes: Uint8Array): Promise<void> | undefined {
    const message = decodeResume(bytes);
    if (message.type === "gone") return void this.end(message.reason);
    const received = this.#stream.receive(message);
    this.#wake();
    this.#acknowledgeSoon();
    if (received instanceof Uint8Array) return pass(this.#target!, received);
    if (received === "end") void this.#target!.end();
    if (this.#stream.isSent) this.end("the service has ended");
    return undefined;
  }

  #acknowledgeSoon(): void {
    const due = this.#stream.acknowledgement();
    if (due !== undefined) return void this.#peer?.send(due);
    this.#late ??= alarm(this.#clock, ACKNOWLEDGE_MS, () => {
      this.#late = undefined;
      const late = this.#stream.acknowledgement(true);
      if (late !== undefined) this.#peer?.send(late);
    });
  }

  /** The session stays for a while after its connection. */
  finish(): Promise<void> | undefined {
    return undefined;
  }

  peerClosed(peer: Peer<Uint8Array, Uint8Array, unknown>): void {
    if (peer !== this.#peer || this.#isOver) return;
    this.#peer = undefined;
    this.#expiry = alarm(
      this.#clock,
      this.#keepMs,
      () => this.end("nobody came back for it"),
    );
  }

  #targetEnded(): void {
    if (this.#isOver) return;
    // The client may still have to read what the service sent last.
    this.#send(this.#stream.end());
  }

  /** Sends what is kept anyway; without a connection it leaves with the next one. */
  #send(bytes: Uint8Array): void {
    this.#peer?.send(bytes);
  }

  #wake(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** Ends it, on both sides. */
  end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const timer of [this.#expiry, this.#late]) {
      if (timer !== undefined) this.#clock.cancel(timer);
    }
    this.#wake();
    this.#forget(this);
    void this.#target?.close(reason);
    void this.#peer?.close(reason);
  }
}
