import { Climb, WinnerMemory } from "../proto/climb.ts";
import type { Timer } from "../proto/timer_wheel.ts";
import { alarm, type Clock, systemClock } from "../io/clock.ts";
import { closeQuietly } from "../io/close_quietly.ts";
import {
  type Endpoint,
  formatEndpoint,
  parseEndpoint,
} from "../io/endpoint.ts";
import { EndpointError } from "../io/endpoint_error.ts";
import type { Conn, TransportConnectOptions } from "../io/transport.ts";
import { systemTransports, type Transports } from "../io/transports.ts";

/** Where a {@linkcode Ladder} notes which road won; a program may keep it over its end. */
export interface WinnerStore {
  /** The road that won last in `network`, as a URL; undefined if none is known, or it is too long ago. */
  recall(network: string): string | undefined | Promise<string | undefined>;
  /** Notes that `road` has won. */
  remember(network: string, road: string): unknown;
}

/** Options of {@linkcode ladder}. */
export interface LadderOptions {
  /** Endpoint URLs of one server, the best first: `quic://…`, `tls://…`, `wss://…`. */
  roads: string[];
  /** Milliseconds that each road has before the next one is tried beside it. @default {250} */
  headStartMs?: number;
  /** Names the network that this program is in now. @default {networkByAddresses} */
  network?: () => string;
  /** Where winners are remembered. @default {in memory, for ten minutes} */
  store?: WinnerStore;
  /** Where deadlines take their time from. @default {systemClock} */
  clock?: Clock;
  /** The roads themselves, for simulations. @default {systemTransports} */
  transports?: Transports;
}

/** Several roads to one server, as one: spread it into the options of {@linkcode connect} or {@linkcode keepConnected}. */
export interface Ladder {
  /** The first of the roads, under which all of them go. */
  readonly to: string;
  /** Tries the roads when `to` is connected to. */
  readonly transports: Transports;
  /** Where the time comes from. */
  readonly clock: Clock;
  /** The road that won last; undefined before that. */
  winner(): string | undefined;
}

/** Ten minutes, as RFC 8305, section 4 proposes for such memories. */
const REMEMBERED_MS = 600_000;

/**
 * Tries several roads to one server: the one that won last in this network first, the others in their order, each after a
 * head start. The first that stands is taken, its handshake done; the others are closed. A client that is made with it
 * does so for each of its connections, so one that stays connected climbs again when it is lost.
 *
 * @example Usage
 * ```ts
 * import { ladder } from "./ladder.ts";
 * import { connect } from "./connect.ts";
 * import { serve } from "../server/serve.ts";
 * import { lines } from "../proto/framing/delimited.ts";
 * import { text } from "../proto/codec/text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * await using server = await serve({
 *   listen: "memory:open road",
 *   wire,
 *   handler: { message: (peer, line) => peer.send(line) },
 * });
 * const roads = ladder({ roads: ["memory:closed road", server.endpoint] });
 * await using client = await connect({ ...roads, wire });
 * client.send("here");
 * assertEquals(await client.receive(), "here");
 * assertEquals(roads.winner(), "memory:open road");
 * ```
 */
export function ladder(options: LadderOptions): Ladder {
  const { clock = systemClock, transports = systemTransports } = options;
  const endpoints = options.roads.map(parseEndpoint);
  const [first] = endpoints;
  if (first === undefined) {
    throw new TypeError(
      "Cannot make a ladder: 'roads' must name an endpoint: current value is []",
    );
  }
  const to = formatEndpoint(first);
  const store = options.store ?? storeInMemory(clock);
  const { network = networkByAddresses, headStartMs = 250 } = options;
  let winner: string | undefined;

  async function climb(connectOptions: TransportConnectOptions): Promise<Conn> {
    const here = network();
    const known = await store.recall(here);
    const preferred = endpoints.findIndex((endpoint) =>
      formatEndpoint(endpoint) === known
    );
    const attempt = new Attempt(
      endpoints,
      new Climb(
        endpoints.length,
        preferred < 0 ? undefined : preferred,
        headStartMs,
        clock.now(),
      ),
      { clock, transports, connectOptions },
    );
    const { conn, road } = await attempt.run();
    winner = formatEndpoint(road);
    await store.remember(here, winner);
    return conn;
  }

  const base = transports[first.scheme];
  return {
    to,
    clock,
    transports: {
      ...transports,
      [first.scheme]: {
        listen: base.listen.bind(base),
        connect: (endpoint: Endpoint, options: TransportConnectOptions) =>
          formatEndpoint(endpoint) === to
            ? climb(options)
            : base.connect(endpoint, options),
      },
    },
    winner: () => winner,
  };
}

function storeInMemory(clock: Clock): WinnerStore {
  const memory = new WinnerMemory(REMEMBERED_MS);
  return {
    recall: (network) => memory.recall(network, clock.now()),
    remember: (network, road) => memory.remember(network, road, clock.now()),
  };
}

/**
 * Names the network that this machine is in by the addresses that it has there. Needs `--allow-sys=networkInterfaces`;
 * without it, all networks are one.
 *
 * @example Usage
 * ```ts
 * import { networkByAddresses } from "./ladder.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(networkByAddresses(), networkByAddresses());
 * ```
 */
export function networkByAddresses(): string {
  const { state } = Deno.permissions.querySync({
    name: "sys",
    kind: "networkInterfaces",
  });
  if (state !== "granted") return "";
  return Deno.networkInterfaces()
    // Those of the link alone change without the network.
    .filter(({ name, cidr }) => name !== "lo" && !cidr.startsWith("fe80:"))
    .map(({ cidr }) => cidr)
    .sort()
    .join(" ");
}

/** One climb: begins roads as it is told, and takes the first that stands. */
class Attempt {
  readonly #endpoints: Endpoint[];
  readonly #climb: Climb;
  readonly #parts: {
    clock: Clock;
    transports: Transports;
    connectOptions: TransportConnectOptions;
  };
  /** Those under way. */
  readonly #underWay = new Set<AbortController>();
  #isOver = false;
  readonly #won = Promise.withResolvers<{ conn: Conn; road: Endpoint }>();
  readonly #failures: unknown[] = [];
  #timer: Timer | undefined;

  constructor(
    endpoints: Endpoint[],
    climb: Climb,
    parts: {
      clock: Clock;
      transports: Transports;
      connectOptions: TransportConnectOptions;
    },
  ) {
    this.#endpoints = endpoints;
    this.#climb = climb;
    this.#parts = parts;
  }

  async run(): Promise<{ conn: Conn; road: Endpoint }> {
    const { connectOptions: { signal } } = this.#parts;
    const giveUp = () => this.#won.reject(signal!.reason);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", giveUp, { once: true });
    this.#goOn();
    try {
      return await this.#won.promise;
    } finally {
      signal?.removeEventListener("abort", giveUp);
      this.#stop();
    }
  }

  #stop(): void {
    this.#isOver = true;
    this.#rest();
    for (const loser of this.#underWay) {
      loser.abort(new Error("Cannot go on: it is not needed any more"));
    }
  }

  /** Begins what is due, and comes back when the next one is. */
  #goOn(): void {
    if (this.#isOver) return;
    const { clock } = this.#parts;
    const nowMs = clock.now();
    for (
      let index = this.#climb.next(nowMs);
      index !== undefined;
      index = this.#climb.next(nowMs)
    ) void this.#try(this.#endpoints[index]!);
    this.#rest();
    const waitMs = this.#climb.waitMs(nowMs);
    if (waitMs === undefined) return;
    this.#timer = alarm(clock, waitMs, () => this.#goOn());
  }

  #rest(): void {
    if (this.#timer !== undefined) this.#parts.clock.cancel(this.#timer);
  }

  async #try(road: Endpoint): Promise<void> {
    const { clock, transports, connectOptions } = this.#parts;
    const mine = new AbortController();
    this.#underWay.add(mine);
    try {
      const conn = await transports[road.scheme].connect(road, {
        ...connectOptions,
        signal: mine.signal,
      });
      this.#underWay.delete(mine);
      if (this.#isOver) return closeQuietly(conn);
      this.#stop();
      this.#won.resolve({ conn, road });
    } catch (error) {
      this.#underWay.delete(mine);
      this.#failures.push(error);
      this.#climb.failed(clock.now());
      if (this.#climb.isLost) this.#lose();
      else this.#goOn();
    }
  }

  #lose(): void {
    const reasons = this.#failures.map((failure) =>
      failure instanceof EndpointError
        ? `${failure.endpoint}: ${failure.reason}`
        : String(failure)
    );
    const cause = new AggregateError(this.#failures, reasons.join("; "));
    const [first] = this.#endpoints;
    this.#won.reject(new EndpointError("connect to", first!, cause));
  }
}
