import { ByteWriter } from "../../bytes/writer.ts";
import { RemoteProtocolError } from "../../proto/errors.ts";
import { Timer } from "../../proto/timer_wheel.ts";
import { TokenBucket } from "../../proto/token_bucket.ts";
import { CLOSE_CODES, WebSocketError } from "../../proto/web_socket/close.ts";
import type {
  ControlSink,
  WebSocketDeframer,
} from "../../proto/web_socket/deframer.ts";
import {
  type MaskSource,
  type WebSocketFraming,
  writeClose,
  writeControl,
} from "../../proto/web_socket/framing.ts";
import { OPCODE } from "../../proto/web_socket/opcode.ts";
import type { Clock } from "../clock.ts";
import { closeQuietly } from "../close_quietly.ts";
import { writeAll } from "../greet.ts";
import type { Ending } from "../peer.ts";
import type { PeerIdentity } from "../peer_identity.ts";
import type { Conn, RoadFraming } from "../transport.ts";

/** Pings that may wait for their Pongs; of more, only the latest are answered (RFC 6455, 5.5.3, lets us). */
const MAX_WAITING_PONGS = 16;

const EMPTY = new Uint8Array(0);

/** What a {@linkcode WebSocketConn} is made of. */
export interface WebSocketConnParts {
  /** The road below, after the upgrade. */
  inner: Conn;
  /** What was read of it with the upgrade. */
  rest: Uint8Array;
  /** The subprotocol that was agreed on. */
  protocol: string | undefined;
  /** The writing side. */
  framing: WebSocketFraming;
  /** Where a client's masking keys come from; undefined for a server. */
  mask: MaskSource | undefined;
  /** Milliseconds between Pings. */
  pingMs: number;
  /** Control frames that the peer may send per second. */
  controlFramesPerSecond: number;
  /** Its time. */
  clock: Clock;
}

/** A WebSocket after its upgrade. It reads and writes frames as they are; what it adds is Pings, Pongs and the Close. */
export class WebSocketConn extends Timer implements Conn, ControlSink {
  readonly framed: RoadFraming & { readonly deframer: WebSocketDeframer };
  readonly #inner: Conn;
  readonly #protocol: string | undefined;
  readonly #mask: MaskSource | undefined;
  readonly #clock: Clock;
  readonly #pingMs: number;
  readonly #controlRate: number;
  #rest: Uint8Array;
  #bucket: TokenBucket | undefined;
  /** What the Pongs that are due must say. */
  #pongs: Uint8Array[] | undefined;
  #pingDue = false;
  /** A Ping was sent, and nothing has been received since. */
  #pinged = false;
  #reading = false;
  /** A write is on its way, or has failed. */
  #writing = false;
  #writeBytes = 0;
  /** The last write took part of a frame, so that nothing may come between it and the next. */
  #midFrame = false;
  /** Control frames are on their way. */
  #controlling: Promise<void> | undefined;
  #closeSent = false;
  #peerClose: { code: number | undefined; reason: string } | undefined;
  #failure: Error | undefined;

  constructor(parts: WebSocketConnParts) {
    super();
    this.#inner = parts.inner;
    this.#rest = parts.rest.length === 0 ? EMPTY : parts.rest;
    this.#protocol = parts.protocol;
    this.#mask = parts.mask;
    this.#clock = parts.clock;
    this.#pingMs = parts.pingMs;
    this.#controlRate = parts.controlFramesPerSecond;
    const { framing } = parts;
    this.framed = { framing, deframer: framing.deframer(this) };
    this.#armPing();
  }

  get remoteAddr(): Deno.Addr {
    return this.#inner.remoteAddr;
  }

  get localAddr(): Deno.Addr {
    return this.#inner.localAddr;
  }

  get identity(): PeerIdentity | undefined {
    const { identity } = this.#inner;
    return this.#protocol === undefined
      ? identity
      : { ...identity, subprotocol: this.#protocol };
  }

  get peerReason(): string | undefined {
    if (this.#peerClose === undefined) return "without a closing handshake";
    const { code, reason } = this.#peerClose;
    if (reason !== "") return `closed with ${code}: ${reason}`;
    return code === undefined || code === CLOSE_CODES.normal
      ? undefined
      : `closed with ${code}`;
  }

  // Reading

  read(into: Uint8Array): Promise<number | null> {
    if (this.#rest.length > 0) return Promise.resolve(this.#readRest(into));
    if (this.#peerClose !== undefined) {
      // A client leaves it to its server to end the connection below (RFC 6455, 7.1.1), if it still waits for that.
      if (this.#mask === undefined || !this.#closeSent) {
        return Promise.resolve(null);
      }
    } else {
      this.#sendControl();
    }
    this.#reading = true;
    return this.#inner.read(into).then(this.#readEnded, this.#readFailed);
  }

  #readRest(into: Uint8Array): number {
    const count = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, count));
    this.#rest = count === this.#rest.length
      ? EMPTY
      : this.#rest.subarray(count);
    return count;
  }

  readonly #readEnded = (count: number | null): number | null => {
    this.#reading = this.#pinged = false;
    return count;
  };

  readonly #readFailed = (error: unknown): never => {
    this.#reading = false;
    throw this.#failure ?? error;
  };

  ping(payload: Uint8Array): void {
    this.#countControl();
    const pongs = this.#pongs ??= [];
    if (pongs.length === MAX_WAITING_PONGS) pongs.shift();
    pongs.push(payload.slice());
  }

  pong(): void {
    this.#countControl();
  }

  #countControl(): void {
    const rate = this.#controlRate;
    const nowMs = this.#clock.now();
    this.#bucket ??= TokenBucket.of(rate, nowMs);
    if (this.#bucket === undefined || this.#bucket.take(1, nowMs) === 0) return;
    throw new WebSocketError(
      "too_complex",
      CLOSE_CODES.policyViolation,
      `more than ${rate} control frames per second`,
    );
  }

  closed(code: number | undefined, reason: string): void {
    this.#peerClose = { code, reason };
  }

  // Writing

  write(bytes: Uint8Array): Promise<number> {
    if (this.#mayControl) void this.#writeControl();
    if (this.#controlling !== undefined) return this.#writeAfter(bytes);
    this.#writing = true;
    this.#writeBytes = bytes.length;
    return this.#inner.write(bytes).then(this.#written);
  }

  async #writeAfter(bytes: Uint8Array): Promise<number> {
    while (this.#controlling !== undefined) await this.#controlling;
    return await this.write(bytes);
  }

  readonly #written = (count: number): number => {
    this.#writing = false;
    this.#midFrame = count < this.#writeBytes;
    this.#sendControl();
    return count;
  };

  get #mayControl(): boolean {
    return (this.#pongs !== undefined || this.#pingDue) && !this.#writing &&
      !this.#midFrame && !this.#closeSent && this.#controlling === undefined;
  }

  /** Sends what control frames are due, unless they have to wait for a message. */
  #sendControl(): void {
    if (this.#mayControl) void this.#writeControl();
  }

  #writeControl(): Promise<void> {
    const writer = new ByteWriter(64);
    for (const payload of this.#pongs ?? []) {
      writeControl(writer, OPCODE.pong, payload, this.#mask);
    }
    if (this.#pingDue) writeControl(writer, OPCODE.ping, EMPTY, this.#mask);
    this.#pongs = undefined;
    this.#pingDue = false;
    // If that fails, so do the reads and writes that somebody waits for.
    const written = writeAll(this.#inner, writer.view()).catch(() => {});
    return this.#controlling = written.then(() => {
      this.#controlling = undefined;
      this.#sendControl();
    });
  }

  // The peer's life

  #armPing(): void {
    if (this.#pingMs !== Infinity) this.#clock.arm(this, this.#pingMs);
  }

  /** Time for a Ping. Silence counts only while we listen. */
  override expired(): void {
    if (this.#closeSent || this.#peerClose !== undefined) return;
    if (this.#pinged && this.#reading) {
      this.#failure = new Deno.errors.TimedOut(
        `no answer to a ping for ${this.#pingMs} ms`,
      );
      return closeQuietly(this.#inner);
    }
    this.#pinged = this.#pingDue = true;
    this.#sendControl();
    this.#armPing();
  }

  // The end

  async closeWrite(ending?: Ending): Promise<void> {
    if (this.#closeSent) return;
    while (this.#controlling !== undefined) await this.#controlling;
    if (this.#mayControl) await this.#writeControl();
    this.#closeSent = true;
    this.#clock.cancel(this);
    if (!this.#midFrame) {
      const writer = new ByteWriter(128);
      const { code, reason } = this.#peerClose ?? closeFor(ending);
      writeClose(writer, code, reason, this.#mask);
      await writeAll(this.#inner, writer.view());
    }
    // Out of step, the peer's Close would not be seen: the end of its stream has to do.
    const { isOver } = this.framed.deframer;
    if (this.#midFrame || isOver && this.#peerClose === undefined) {
      await this.#inner.closeWrite(ending);
    }
  }

  close(): void {
    this.#clock.cancel(this);
    this.#closeSent = true;
    this.#inner.close();
  }
}

/** The code and the reason that tell a peer of `ending`. */
function closeFor(
  ending: Ending | undefined,
): { code: number; reason: string } {
  const { cause, reason = "", error } = ending ?? { cause: "local closed" };
  switch (cause) {
    case "local closed":
    case "peer closed":
      return { code: CLOSE_CODES.normal, reason };
    case "shut down":
      return { code: CLOSE_CODES.goingAway, reason };
    case "failed":
      // What went wrong here is no business of the peer's.
      return { code: CLOSE_CODES.internalError, reason: "" };
    case "timed out":
      return { code: CLOSE_CODES.policyViolation, reason };
    case "limit":
      return { code: codeOf(error), reason };
  }
}

function codeOf(error: unknown): number {
  if (error instanceof WebSocketError) return error.closeCode;
  if (!(error instanceof RemoteProtocolError)) {
    return CLOSE_CODES.policyViolation;
  }
  switch (error.code) {
    case "frame_too_large":
      return CLOSE_CODES.messageTooBig;
    case "malformed":
      return CLOSE_CODES.invalidPayload;
    case "invalid_frame":
    case "truncated":
      return CLOSE_CODES.protocolError;
    default:
      return CLOSE_CODES.policyViolation;
  }
}
