import type { Timer } from "../proto/timer_wheel.ts";
import { Pipe } from "../proto/sim/pipe.ts";
import type { Link } from "../proto/sim/link.ts";
import { alarm, type Clock } from "../io/clock.ts";
import type { Conn } from "../io/transport.ts";
import { ReadPace } from "./read_pace.ts";

/** Whose a connection is. */
export interface ConnOwner {
  /** Lists its connections. */
  readonly conns: Set<VirtualConn>;
  /** Bytes per second that it reads from each of them. */
  readonly readBytesPerSecond: number;
}

/** Where a connection ends. */
export interface Place {
  /** The process that has this end. */
  readonly owner: ConnOwner;
  /** The name of its host. */
  readonly host: string;
  /** Its address on the connection. */
  readonly address: Deno.Addr;
  /** The same for a person: `server:9999`. */
  readonly label: string;
}

/** Is told what arrives at a connection. */
export type ArrivalObserver = (
  type: "delivered" | "ended" | "reset" | "timed out",
  conn: VirtualConn,
  bytes: number,
) => void;

/** What the two ends of a connection share. */
export interface PairParts {
  /** The network's time, which goes on when a host is down. */
  clock: Clock;
  /** Who connects, and how its packets travel. */
  client: { place: Place; link: Link };
  /** Who accepts, and how its packets travel. */
  server: { place: Place; link: Link };
  /** Takes the server's end when the handshake is over; false if nobody wants it any more. */
  opened: (server: VirtualConn) => boolean;
  /** Is told what arrives. */
  observe: ArrivalObserver;
}

interface Parts {
  clock: Clock;
  here: Place;
  there: Place;
  input: Pipe;
  output: Pipe;
  opened: (conn: VirtualConn) => boolean;
  observe: ArrivalObserver;
}

/** One end of a virtual TCP connection, with the errors that a socket of the runtime has. */
export class VirtualConn implements Conn {
  readonly localAddr: Deno.Addr;
  readonly remoteAddr: Deno.Addr;
  /** Where it is. */
  readonly here: Place;
  /** Where its peer is. */
  readonly there: Place;
  readonly #clock: Clock;
  readonly #in: Pipe;
  readonly #out: Pipe;
  readonly #opened: (conn: VirtualConn) => boolean;
  readonly #observe: ArrivalObserver;
  /** When the next packet is due. */
  readonly #timer: Timer;
  #peer!: VirtualConn;
  /** `closed`: by its program; `orphaned`: the program is dead; `unknown`: the system has forgotten it too. */
  #state: "open" | "closed" | "orphaned" | "unknown" = "open";
  /** Why the connection is over; told once, by whichever call comes first. */
  #failure: Error | undefined;
  /** It has failed: the stream ends after what was received. */
  #failed = false;
  readonly #pace = new ReadPace();
  #waiting: (() => void)[] = [];

  private constructor(parts: Parts) {
    this.localAddr = parts.here.address;
    this.remoteAddr = parts.there.address;
    this.here = parts.here;
    this.there = parts.there;
    this.#clock = parts.clock;
    this.#in = parts.input;
    this.#out = parts.output;
    this.#opened = parts.opened;
    this.#observe = parts.observe;
    this.#timer = alarm(parts.clock, Infinity, () => this.#receive());
    parts.here.owner.conns.add(this);
  }

  /** Makes both ends of a connection; returns the client's. The server's is told to `opened` when it knows. */
  static pair(parts: PairParts): VirtualConn {
    const forth = new Pipe(parts.client.link);
    const back = new Pipe(parts.server.link);
    const client = new VirtualConn({
      ...parts,
      here: parts.client.place,
      there: parts.server.place,
      input: back,
      output: forth,
    });
    const server = new VirtualConn({
      ...parts,
      here: parts.server.place,
      there: parts.client.place,
      input: forth,
      output: back,
    });
    client.#peer = server;
    server.#peer = client;
    forth.open(parts.clock.now());
    server.#schedule();
    return client;
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (into.length === 0) return 0;
    for (;;) {
      if (this.#state !== "open") return await this.#unusable();
      const nowMs = this.#clock.now();
      const { readBytesPerSecond: rate } = this.here.owner;
      const most = this.#pace.allowance(into.length, rate, nowMs);
      if (most > 0) {
        const count = this.#in.read(into.subarray(0, most), nowMs);
        if (typeof count === "number") {
          const pauseMs = this.#pace.read(count, rate, nowMs);
          if (pauseMs > 0) alarm(this.#clock, pauseMs, () => this.#wake());
          this.#schedule();
          return count;
        }
        if (count === null) return null;
        this.#tellFailure();
        if (this.#failed) return null;
      }
      await this.#change();
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    for (;;) {
      if (this.#state !== "open") return await this.#unusable();
      this.#tellFailure();
      if (this.#out.ended) {
        throw new Deno.errors.BrokenPipe("Cannot write: the stream is closed");
      }
      const count = this.#out.write(bytes, this.#clock.now());
      if (count > 0 || bytes.length === 0) {
        this.#peer.#schedule();
        return count;
      }
      await this.#change();
    }
  }

  async closeWrite(): Promise<void> {
    if (this.#state !== "open") return await this.#unusable();
    this.#out.end(this.#clock.now());
    this.#peer.#schedule();
  }

  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closed";
    this.#finish();
    this.#wake();
  }

  /** The program that owns it has died: the system closes it. */
  orphan(): void {
    if (this.#state !== "open") return;
    this.#state = "orphaned";
    this.#waiting = [];
    this.#finish();
  }

  /** The machine that it is on has died: nobody is told. */
  forget(): void {
    this.#state = "unknown";
    this.#waiting = [];
    this.#in.discard();
    this.#out.drop();
    this.#leave();
  }

  /** Ends both ends at once, as a middlebox does that has lost its table. */
  cut(): void {
    if (this.#state !== "open" && this.#peer.#state !== "open") return;
    for (const end of [this, this.#peer]) {
      end.#fail(new Deno.errors.ConnectionReset("The connection was reset"));
      end.#observe("reset", end, 0);
    }
  }

  /** The end of the program's part: what was written still leaves, unless something unread is thrown away. */
  #finish(): void {
    const nowMs = this.#clock.now();
    this.#out.end(nowMs);
    if (this.#in.unreadBytes > 0) this.#out.reset(nowMs);
    this.#in.discard();
    this.#leave();
    this.#schedule();
    this.#peer.#schedule();
  }

  /** Is listed no longer once it is closed and its last word has arrived. */
  #leave(): void {
    if (this.#state !== "open" && this.#out.idle) {
      this.here.owner.conns.delete(this);
    }
  }

  /** Takes what has arrived. */
  #receive(): void {
    for (const { kind, bytes } of this.#in.advance(this.#clock.now())) {
      this.#arrived(kind, bytes.length);
    }
    if (this.#in.timedOut && !this.#peer.#failed) {
      this.#peer.#fail(new Deno.errors.TimedOut("The peer does not answer"));
      this.#observe("timed out", this.#peer, 0);
    }
    this.#schedule();
    this.#wake();
    this.#peer.#leave();
    this.#peer.#wake();
  }

  #arrived(kind: "open" | "data" | "end" | "reset", bytes: number): void {
    if (this.#state === "unknown" && kind !== "reset") return this.refuse();
    switch (kind) {
      case "open":
        return this.#opened(this) ? undefined : this.refuse();
      case "data":
        if (this.#state !== "open") return this.refuse();
        return this.#observe("delivered", this, bytes);
      case "end":
        return this.#observe("ended", this, 0);
      case "reset":
        this.#out.drop();
        // After the end the reader knows all there is to know; only writing fails.
        if (this.#in.finished) this.#failed = true;
        else this.#fail(new Deno.errors.ConnectionReset("Reset by the peer"));
        return this.#observe("reset", this, 0);
    }
  }

  /** Answers what nobody reads, or a peer that nobody takes in. */
  refuse(): void {
    if (this.#state === "open") this.forget();
    this.#in.discard();
    this.#out.reset(this.#clock.now());
    this.#peer.#schedule();
  }

  #fail(error: Error): void {
    this.#failed = true;
    this.#failure = error;
    this.#out.drop();
    this.#leave();
    this.#wake();
  }

  #tellFailure(): void {
    const error = this.#failure;
    if (error === undefined) return;
    this.#failure = undefined;
    throw error;
  }

  /** Looks again whether it may read. */
  repace(): void {
    this.#pace.reset();
    this.#wake();
  }

  /** A closed connection fails; to a dead program nothing happens any more. */
  #unusable(): Promise<never> {
    if (this.#state !== "closed") return new Promise(() => {});
    return Promise.reject(
      new Deno.errors.BadResource("The connection is closed"),
    );
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #schedule(): void {
    const { nextMs } = this.#in;
    if (nextMs === Infinity) return;
    const delayMs = nextMs - this.#clock.now();
    this.#clock.arm(this.#timer, Math.max(delayMs, 0));
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
