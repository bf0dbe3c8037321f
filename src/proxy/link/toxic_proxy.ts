import { seededRandom } from "../../bytes/random.ts";
import type { Clock } from "../../io/clock.ts";
import type { LinkDirection } from "../../proto/link/impairments.ts";
import {
  type AppliedToxic,
  changeToxic,
  impairmentsOf,
  readToxic,
  type Toxic,
  ToxicError,
} from "../../proto/link/toxics.ts";
import { DEFAULT_LINK_LIMITS } from "./emulated_link.ts";
import type { LinkEvent } from "./events.ts";
import { LinkPair } from "./link_pair.ts";
import { LINK_TRANSPORTS, StreamFront } from "./stream_front.ts";

/** Toxics that a proxy may have. */
export const MAX_TOXICS = 100;

/** What is told of a proxy. */
export interface ToxicProxyState {
  /** Its name. */
  readonly name: string;
  /** Where it listens: `HOST:PORT`, with the port that the system chose. */
  readonly listen: string;
  /** Where its connections go. */
  readonly upstream: string;
  /** Whether it listens. */
  readonly enabled: boolean;
  /** Its toxics, those of `upstream` first. */
  readonly toxics: readonly Toxic[];
}

/** Options of {@linkcode ToxicProxy}. */
export interface ToxicProxyOptions {
  /** Its name. */
  name: string;
  /** Where to listen: `HOST:PORT`. */
  listen: string;
  /** Where connections go: `HOST:PORT`. */
  upstream: string;
  /** What chance is drawn from. */
  seed: number;
  /** Where time comes from. */
  clock: Clock;
  /** Is told what happens. */
  observe(event: LinkEvent): void;
}

/** A connection, and the toxics that hold for it: chance decides about each once. */
interface Poisoned {
  readonly pair: LinkPair;
  readonly startMs: number;
  readonly random: () => number;
  readonly applied: Map<string, AppliedToxic | undefined>;
}

/** A proxy of toxiproxy's: its toxics hold for each connection on its own, so each has a link of its own. */
export class ToxicProxy {
  readonly name: string;
  listen: string;
  upstream: string;
  readonly #options: ToxicProxyOptions;
  readonly #toxics = new Map<string, Toxic>();
  readonly #poisoned = new Map<number, Poisoned>();
  #front: StreamFront | undefined;

  /** Does nothing until `start`. */
  constructor(options: ToxicProxyOptions) {
    this.name = options.name;
    this.listen = options.listen;
    this.upstream = options.upstream;
    this.#options = options;
  }

  /** What is told of it. */
  get state(): ToxicProxyState {
    const { name, listen, upstream } = this;
    const enabled = this.#front !== undefined;
    return { name, listen, upstream, enabled, toxics: this.toxics };
  }

  /** Its toxics, those of `upstream` first. */
  get toxics(): Toxic[] {
    const all = [...this.#toxics.values()];
    return [
      ...all.filter(({ stream }) => stream === "upstream"),
      ...all.filter(({ stream }) => stream === "downstream"),
    ];
  }

  /**
   * Listens, if it does not yet.
   *
   * @throws {EndpointError} If that cannot be.
   */
  async start(): Promise<void> {
    if (this.#front !== undefined) return;
    const { clock, seed, observe } = this.#options;
    const { maxConnections, connectMs } = DEFAULT_LINK_LIMITS;
    this.#front = await StreamFront.listen({
      listen: endpointOf(this.listen),
      to: endpointOf(this.upstream),
      maxConnections,
      connectMs,
      seed,
      clock,
      transports: LINK_TRANSPORTS,
      pairFor: (id) => this.#poison(id),
      ended: (id) => this.#forget(id),
      observe,
    });
    this.listen = this.#front.endpoint.replace(/^tcp:\/\//, "")
      .replace(/^localhost:/, "127.0.0.1:");
  }

  /** Stops to listen, and cuts every connection off. */
  async stop(): Promise<void> {
    const front = this.#front;
    this.#front = undefined;
    await front?.close();
  }

  #poison(id: number): LinkPair {
    const { seed, clock } = this.#options;
    const connectionSeed = seed + id;
    const none = impairmentsOf([]);
    const pair = new LinkPair({
      impairments: { up: none, down: none },
      isReliable: true,
      seed: connectionSeed,
      clock,
    });
    const poisoned = {
      pair,
      startMs: clock.now(),
      random: seededRandom(~connectionSeed),
      applied: new Map(),
    };
    this.#poisoned.set(id, poisoned);
    this.#apply(id, poisoned);
    return pair;
  }

  #forget(id: number): void {
    this.#poisoned.get(id)?.pair.close();
    this.#poisoned.delete(id);
  }

  #applyAll(): void {
    for (const [id, poisoned] of [...this.#poisoned]) this.#apply(id, poisoned);
  }

  #apply(id: number, { pair, startMs, random, applied }: Poisoned): void {
    const connection = this.#front?.connections.get(id);
    const sinceMs = this.#options.clock.now() - startMs;
    for (const toxic of this.#toxics.values()) {
      const known = applied.get(toxic.name);
      if (applied.has(toxic.name)) {
        if (known !== undefined) applied.set(toxic.name, { ...known, toxic });
        continue;
      }
      const sinceBytes = toxic.stream === "upstream"
        ? connection?.bytesUp
        : connection?.bytesDown;
      const holds = random() < toxic.toxicity;
      applied.set(
        toxic.name,
        holds ? { toxic, sinceMs, sinceBytes: sinceBytes ?? 0 } : undefined,
      );
    }
    for (const name of applied.keys()) {
      if (!this.#toxics.has(name)) applied.delete(name);
    }
    const of = (stream: Toxic["stream"]) =>
      impairmentsOf(
        [...applied.values()].filter((it) => it !== undefined).filter((it) =>
          it.toxic.stream === stream
        ),
      );
    pair.change({ up: of("upstream"), down: of("downstream") });
  }

  /**
   * Adds a toxic, to connections that stand, too.
   *
   * @throws {ToxicError} If there is one of its name, or it is none.
   */
  add(body: unknown): Toxic {
    const toxic = readToxic(body);
    if (this.#toxics.has(toxic.name)) {
      throw new ToxicError(409, "Toxic already exists");
    }
    if (this.#toxics.size >= MAX_TOXICS) {
      throw new ToxicError(400, `A proxy has at most ${MAX_TOXICS} toxics`);
    }
    this.#toxics.set(toxic.name, toxic);
    this.#applyAll();
    return toxic;
  }

  /**
   * The toxic of this name.
   *
   * @throws {ToxicError} If there is none.
   */
  get(name: string): Toxic {
    const toxic = this.#toxics.get(name);
    if (toxic === undefined) throw new ToxicError(404, "Toxic not found");
    return toxic;
  }

  /**
   * Changes a toxic.
   *
   * @throws {ToxicError} If there is none, or the change makes no sense.
   */
  change(name: string, body: unknown): Toxic {
    const toxic = changeToxic(this.get(name), body);
    this.#toxics.set(name, toxic);
    this.#applyAll();
    return toxic;
  }

  /**
   * Removes a toxic; connections whose bytes it swallowed are cut off.
   *
   * @throws {ToxicError} If there is none.
   */
  remove(name: string): void {
    const { type, stream } = this.get(name);
    this.#toxics.delete(name);
    if (type === "timeout") this.#closeSwallowed(name, stream);
    this.#applyAll();
  }

  /** As toxiproxy does: a connection that was in a timeout is closed when that is taken away. */
  #closeSwallowed(name: string, stream: Toxic["stream"]): void {
    const direction: LinkDirection = stream === "upstream" ? "up" : "down";
    for (const [id, { pair, applied }] of [...this.#poisoned]) {
      if (applied.get(name) === undefined) continue;
      if (!pair.impairments[direction].blackHole) continue;
      this.#front?.connections.get(id)?.cut("closed");
    }
  }

  /** Removes every toxic. */
  clear(): void {
    for (const name of [...this.#toxics.keys()]) this.remove(name);
  }
}

/**
 * Makes an endpoint of `HOST:PORT`.
 *
 * @throws {ToxicError} If the text is none.
 */
export function endpointOf(address: string): string {
  const [, host, port] = /^(\[[^\]]*\]|[^:]*):(\d{1,5})$/.exec(address) ?? [];
  if (port === undefined || Number(port) > 65535) {
    throw new ToxicError(
      400,
      `Bad request body: HOST:PORT is expected: current value is "${address}"`,
    );
  }
  return `tcp://${host === "" ? "[::]" : host}:${Number(port)}`;
}
