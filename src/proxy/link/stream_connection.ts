import { seededRandom } from "../../bytes/random.ts";
import { alarm, type Clock } from "../../io/clock.ts";
import { closeQuietly } from "../../io/close_quietly.ts";
import type { Conn } from "../../io/transport.ts";
import { lifetimeMs } from "../../proto/link/slices.ts";
import type { Timer } from "../../proto/timer_wheel.ts";
import type { LinkPair } from "./link_pair.ts";
import { resetConn } from "./resettable_tcp.ts";
import { StreamDirection } from "./stream_direction.ts";

/** Why a connection through a link ended. */
export type LinkEnding =
  /** Both sides have said all. */
  | "done"
  /** By RST: one of the sides did it, or the link. */
  | "reset"
  /** The link closed it: at an age, at a limit, or because it was told to. */
  | "closed";

/** Options of {@linkcode StreamConnection}. */
export interface StreamConnectionOptions {
  /** Who connected. */
  client: Conn;
  /** Who was connected to. */
  server: Conn;
  /** What lies between. */
  pair: LinkPair;
  /** What chance is drawn from. */
  seed: number;
  /** Where time comes from. */
  clock: Clock;
}

/** A connection through a link. */
export class StreamConnection {
  readonly #options: StreamConnectionOptions;
  readonly #up: StreamDirection;
  readonly #down: StreamDirection;
  readonly #startMs: number;
  readonly #lifetimeDraw: number;
  readonly #ended = Promise.withResolvers<LinkEnding>();
  readonly #timers: Timer[] = [];
  #isOver = false;

  /** Does nothing until `run`. */
  constructor(options: StreamConnectionOptions) {
    const { client, server, pair, seed, clock } = options;
    this.#options = options;
    this.#startMs = clock.now();
    const random = seededRandom(seed);
    this.#lifetimeDraw = random();
    const shared = {
      pair,
      random,
      done: () => this.#done(),
      cut: (how: "reset" | "close") =>
        this.#end(how === "reset" ? "reset" : "closed"),
    };
    this.#up = new StreamDirection({
      ...shared,
      direction: "up",
      from: client,
      into: server,
      readerGone: () => this.#down.fail(),
    });
    this.#down = new StreamDirection({
      ...shared,
      direction: "down",
      from: server,
      into: client,
      readerGone: () => this.#up.fail(),
    });
  }

  /** Bytes that the client sent. */
  get bytesUp(): number {
    return this.#up.bytes;
  }

  /** Bytes that the server sent. */
  get bytesDown(): number {
    return this.#down.bytes;
  }

  /** Passes bytes on both ways until the connection is over; never rejects. */
  async run(): Promise<LinkEnding> {
    const unwatch = this.#options.pair.watch(() => this.#changed());
    this.#setTimers();
    void this.#up.run();
    void this.#down.run();
    const ending = await this.#ended.promise;
    unwatch();
    this.#clearTimers();
    return ending;
  }

  /** Cuts it off. */
  cut(how: "reset" | "closed"): void {
    this.#end(how);
  }

  #done(): void {
    if (this.#up.isDone && this.#down.isDone) this.#end("done");
  }

  #end(ending: LinkEnding): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { client, server } = this.#options;
    const end = ending === "reset" ? resetConn : closeQuietly;
    end(client);
    end(server);
    this.#up.stop();
    this.#down.stop();
    this.#ended.resolve(ending);
  }

  #changed(): void {
    const { up, down } = this.#options.pair.impairments;
    // What was swallowed is missing from the stream for good.
    if (
      this.#up.hasHole && !up.blackHole || this.#down.hasHole && !down.blackHole
    ) return this.#end("reset");
    this.#clearTimers();
    this.#setTimers();
  }

  #setTimers(): void {
    const { clock, pair } = this.#options;
    const both = [pair.impairments.up, pair.impairments.down];
    const ageMs = clock.now() - this.#startMs;
    const at = (dueMs: number, ending: LinkEnding) => {
      if (dueMs === Infinity) return;
      const delayMs = Math.max(0, dueMs - ageMs);
      this.#timers.push(alarm(clock, delayMs, () => this.#end(ending)));
    };
    const draw = () => this.#lifetimeDraw;
    at(Math.min(...both.map((it) => lifetimeMs(it, draw))), "reset");
    at(Math.min(...both.map(({ closeAfterMs }) => closeAfterMs)), "closed");
  }

  #clearTimers(): void {
    for (const timer of this.#timers.splice(0)) {
      this.#options.clock.cancel(timer);
    }
  }
}
