import type { Clock } from "../../io/clock.ts";
import { parseEndpoint } from "../../io/endpoint.ts";
import { MachineTimer } from "../../io/machine_timer.ts";
import type { Transports } from "../../io/transports.ts";
import type { LinkCounters } from "../../proto/link/impaired_link.ts";
import {
  type ByDirection,
  completeImpairments,
  type Impairments,
  type LinkDirection,
} from "../../proto/link/impairments.ts";
import { Schedule, type ScheduledChange } from "../../proto/link/schedule.ts";
import { changeImpairments } from "../../proto/link/settings.ts";
import { DatagramFront, isDatagramEndpoint } from "./datagram_front.ts";
import type { LinkEvent } from "./events.ts";
import { LinkPair } from "./link_pair.ts";
import { isPacketEndpoint, PacketFront } from "./packet_front.ts";
import { preciseClock } from "./precise_clock.ts";
import { LINK_TRANSPORTS, StreamFront } from "./stream_front.ts";

/** What a link takes in. `Infinity` switches a limit off. */
export interface LinkLimits {
  /** Connections, or clients that send datagrams, at a time; each takes a descriptor or two. @default {9_000} */
  maxConnections?: number;
  /** Milliseconds until the connection to the target must stand. @default {5_000} */
  connectMs?: number;
  /** Milliseconds of silence after which a client's datagrams are a new session. @default {60_000} */
  sessionIdleMs?: number;
}

/** The defaults of {@linkcode LinkLimits}. */
export const DEFAULT_LINK_LIMITS: Required<LinkLimits> = {
  maxConnections: 9_000,
  connectMs: 5_000,
  sessionIdleMs: 60_000,
};

/** Options of {@linkcode emulateLink}. */
export interface EmulateLinkOptions {
  /**
   * Where to listen: `tcp://`, `unix:`, `memory:` for connections, `udp://HOST:PORT` for datagrams, `tun:NAME` for a
   * network device that is made for the packets of the client's side.
   */
  listen: string;
  /** Where everything goes: an endpoint of the same kind; `tun:NAME` for the device of the server's side. */
  to: string;
  /** What it is called where several are listed. @default {listen} */
  name?: string;
  /** What happens to what the client sends. */
  up?: Impairments;
  /** What happens to what the server sends. */
  down?: Impairments;
  /** What changes with time. */
  schedule?: readonly ScheduledChange[];
  /** What chance is drawn from, so that the same may happen again; a whole number. @default {1} */
  seed?: number;
  /** What it takes in. */
  limits?: LinkLimits;
  /** Is told what happens. */
  observe?: (event: LinkEvent) => void;
  /** Where time comes from; the default is precise to a millisecond. */
  clock?: Clock;
  /** The roads that endpoints take, for simulations; by default TCP is one that can be reset. */
  transports?: Transports;
}

/** What a direction of a link does, and has done. */
export interface LinkDirectionState {
  /** How it behaves. */
  readonly impairments: Required<Impairments>;
  /** What it has done so far. */
  readonly counters: Readonly<LinkCounters>;
}

/** What a link does, and has done. */
export interface LinkState extends ByDirection<LinkDirectionState> {
  /** Its name. */
  readonly name: string;
  /** Where it listens. */
  readonly endpoint: string;
  /** Where everything goes. */
  readonly to: string;
  /** What chance is drawn from. */
  readonly seed: number;
  /** Connections or sessions now. */
  readonly connections: number;
}

/** The roads that carry a stream of bytes and nothing else. */
const STREAM_SCHEMES: readonly string[] = ["tcp", "unix", "memory"];

function kindOf(url: string): "packets" | "datagrams" | "streams" {
  if (isPacketEndpoint(url)) return "packets";
  if (isDatagramEndpoint(url)) return "datagrams";
  const { scheme } = parseEndpoint(url);
  if (STREAM_SCHEMES.includes(scheme)) return "streams";
  throw new TypeError(
    `Cannot link: tcp, unix, memory, udp or tun is expected, as what goes over them passes a link unseen: current value is "${url}"`,
  );
}

/**
 * A running link; made by {@linkcode emulateLink}.
 *
 * @example Usage
 * ```ts
 * import { emulateLink } from "./emulated_link.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using link = await emulateLink({
 *   listen: "memory:in front",
 *   to: "memory:behind",
 *   up: { latencyMs: 50 },
 * });
 * link.set({ latencyMs: 80 });
 * assertEquals(link.state.down.impairments.latencyMs, 80);
 * ```
 */
export class EmulatedLink implements AsyncDisposable {
  readonly #options: EmulateLinkOptions;
  readonly #seed: number;
  readonly #clock: Clock;
  readonly #pair: LinkPair;
  readonly #schedule: Schedule;
  readonly #timer: MachineTimer;
  #front: StreamFront | DatagramFront | PacketFront | undefined;

  /** Use {@linkcode emulateLink}. */
  constructor(options: EmulateLinkOptions) {
    const { up = {}, down = {}, seed = 1, clock = preciseClock } = options;
    this.#options = options;
    this.#seed = seed;
    this.#clock = clock;
    this.#pair = new LinkPair({
      impairments: {
        up: completeImpairments(up),
        down: completeImpairments(down),
      },
      isReliable: kindOf(options.listen) === "streams",
      seed,
      clock,
    });
    this.#schedule = new Schedule(
      options.schedule ?? [],
      clock.now(),
      ({ set, direction }) => this.set(set, direction),
    );
    // What cannot be applied is refused at once, not when its time has come.
    for (const { set, direction } of options.schedule ?? []) {
      changeImpairments(this.#pair.impairments, set, direction);
    }
    this.#timer = new MachineTimer(clock, this.#schedule);
  }

  /** Starts to listen. */
  async start(): Promise<void> {
    const { listen, to, limits, transports = LINK_TRANSPORTS } = this.#options;
    const { maxConnections, connectMs, sessionIdleMs } = {
      ...DEFAULT_LINK_LIMITS,
      ...limits,
    };
    const kind = kindOf(listen);
    if (kind !== kindOf(to)) {
      throw new TypeError(
        `Cannot link: ${kind} go to ${kind}: current value is "${listen}" to "${to}"`,
      );
    }
    const pair = this.#pair;
    const clock = this.#clock;
    const observe = (event: LinkEvent) => this.#tell(event);
    const shared = { listen, to, clock, observe };
    if (kind === "packets") {
      this.#front = new PacketFront({ listen, to, pair, observe });
    } else if (kind === "datagrams") {
      this.#front = new DatagramFront({
        ...shared,
        maxSessions: maxConnections,
        sessionIdleMs,
        pair,
      });
    } else {
      this.#front = await StreamFront.listen({
        ...shared,
        maxConnections,
        connectMs,
        seed: this.#seed,
        transports,
        pairFor: () => pair,
        ended: () => {},
      });
    }
    this.#timer.schedule(this.#clock.now());
  }

  /** Where it listens, with the port that the system chose. */
  get endpoint(): string {
    return this.#front?.endpoint ?? this.#options.listen;
  }

  /** Its name. */
  get name(): string {
    return this.#options.name ?? this.endpoint;
  }

  /** What it does, and has done. */
  get state(): LinkState {
    const front = this.#front;
    const of = (direction: LinkDirection): LinkDirectionState => {
      const { impairments, counters } = this.#pair.link(direction);
      return { impairments, counters: { ...counters } };
    };
    return {
      name: this.name,
      endpoint: this.endpoint,
      to: this.#options.to,
      seed: this.#seed,
      connections: front?.connections.size ?? 0,
      up: of("up"),
      down: of("down"),
    };
  }

  /**
   * Behaves otherwise from now on, in one direction or in both; what is not named stays as it is.
   *
   * @throws {RangeError} If a value makes no sense; then nothing changes.
   */
  set(set: Impairments, direction?: LinkDirection): void {
    this.#pair.change(
      changeImpairments(this.#pair.impairments, set, direction),
    );
    this.#tell({
      type: "changed",
      set,
      ...(direction === undefined ? {} : { direction }),
    });
  }

  #tell(event: LinkEvent): void {
    try {
      this.#options.observe?.(event);
    } catch (error) {
      reportError(error);
    }
  }

  /** Stops to listen, and cuts everything off. */
  async close(): Promise<void> {
    this.#timer.stop();
    await this.#front?.close();
    this.#pair.close();
  }

  /** Closes, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Puts a link that misbehaves on purpose between two programs: it listens, connects to the target, and delays, limits,
 * loses and cuts what passes, each direction by its own {@linkcode Impairments}. A stream loses no bytes: what is lost
 * comes later, as TCP would send it again. All connections share the link, and what it carries.
 *
 * @throws {RangeError} If an impairment makes no sense.
 * @throws {EndpointError} If it cannot listen.
 *
 * @example Usage
 * ```ts
 * import { emulateLink } from "./emulated_link.ts";
 * import { connect, lines, serve, text } from "../../../mod.ts";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * await using service = await serve({
 *   listen: "memory:service behind a link",
 *   wire,
 *   handler: { message: (peer, line) => peer.send(line.toUpperCase()) },
 * });
 * await using link = await emulateLink({
 *   listen: "memory:link",
 *   to: service.endpoint,
 *   up: { latencyMs: 20 },
 *   down: { latencyMs: 30 },
 * });
 * await using client = await connect({ to: link.endpoint, wire });
 * const startMs = performance.now();
 * client.send("ahoy");
 * assertEquals(await client.receive(), "AHOY");
 * assert(performance.now() - startMs >= 50);
 * ```
 */
export async function emulateLink(
  options: EmulateLinkOptions,
): Promise<EmulatedLink> {
  const link = new EmulatedLink(options);
  await link.start();
  return link;
}
