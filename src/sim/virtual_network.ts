import { seededRandom } from "../bytes/random.ts";
import {
  completeLink,
  DEFAULT_LINK_OPTIONS,
  Link,
  type LinkOptions,
} from "../proto/sim/link.ts";
import type { NetworkEvent, NetworkObserver } from "./network_event.ts";
import { VirtualClock } from "./virtual_clock.ts";
import { processOf, VirtualHost } from "./virtual_host.ts";
import { VirtualNames } from "./virtual_names.ts";
import { type Fabric, VirtualSockets } from "./virtual_sockets.ts";

/** Where the ports begin that the system chooses (RFC 6335, section 6); it begins again after the last. */
const FIRST_DYNAMIC_PORT = 49152;

/** Options of a {@linkcode VirtualNetwork}. */
export interface VirtualNetworkOptions {
  /** Decides everything that chance decides. @default {1} */
  seed?: number;
  /** The time that passes in it. @default {new VirtualClock()} */
  clock?: VirtualClock;
  /** How links behave that `link` was not called for. */
  link?: LinkOptions;
  /** Is told what happens. */
  observe?: NetworkObserver;
}

/**
 * A network inside this program: hosts with names, links with latency, jitter, bandwidth and loss, partitions, crashes,
 * resets and slow readers, all of it in virtual time. What happens depends on the seed alone. Streams behave as TCP's do:
 * bounded buffers, half-close, end or reset, retransmission with growing waits, connections that nobody answers.
 *
 * @example Usage
 * ```ts
 * import { VirtualNetwork } from "./virtual_network.ts";
 * import { serve } from "../server/serve.ts";
 * import { connect } from "../client/connect.ts";
 * import { inOrder } from "../client/correlation.ts";
 * import { lines } from "../proto/framing/delimited.ts";
 * import { text } from "../proto/codec/text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * const network = new VirtualNetwork({ seed: 7, link: { latencyMs: 40 } });
 * const { clock } = network;
 * await serve({
 *   ...network.host("server"),
 *   listen: "tcp://0.0.0.0:9999",
 *   wire,
 *   handler: { message: (peer, line) => peer.send(line.toUpperCase()) },
 * });
 * await clock.runUntil((async () => {
 *   const client = await connect({
 *     ...network.host("client"),
 *     to: "tcp://server:9999",
 *     wire,
 *     correlate: inOrder(),
 *   });
 *   const askedMs = clock.now();
 *   assertEquals(await client.request("ahoy"), "AHOY");
 *   assertEquals(clock.now() - askedMs, 80);
 * })());
 * ```
 */
export class VirtualNetwork {
  /** The time that passes in it. */
  readonly clock: VirtualClock;
  /** Its name service. */
  readonly names: VirtualNames;
  /** Numbers from 0 to below 1 from the network's seed, for a test's own choices. */
  readonly random: () => number;
  readonly #chance: () => number;
  readonly #defaults: Required<LinkOptions>;
  readonly #observe: NetworkObserver | undefined;
  /** By name. */
  readonly #hosts = new Map<string, VirtualHost>();
  /** By name and by address. */
  readonly #reachable = new Map<string, VirtualHost>();
  readonly #links = new Map<string, { from: string; to: string; link: Link }>();
  /** Pairs of hosts, in both orders. */
  readonly #cuts = new Set<string>();
  readonly #fabric: Fabric;

  /** Starts without hosts. */
  constructor(options: VirtualNetworkOptions = {}) {
    const { seed = 1, clock = new VirtualClock(), link = {} } = options;
    this.clock = clock;
    this.#chance = seededRandom(seed);
    this.random = this.#generator();
    this.names = new VirtualNames(this.#reachable);
    this.#defaults = completeLink(link, DEFAULT_LINK_OPTIONS);
    this.#observe = options.observe;
    let ports = 0;
    this.#fabric = {
      clock,
      names: this.names,
      link: (from, to) => this.#link(from.name, to.name),
      freePort: () =>
        FIRST_DYNAMIC_PORT + ports++ % (65536 - FIRST_DYNAMIC_PORT),
      tell: (type, from, to, bytes) => this.#tell(type, from, to, bytes),
    };
  }

  /** The host called `name`; it is there from when it is first asked for. */
  host(name: string): VirtualHost {
    const known = this.#hosts.get(name);
    if (known !== undefined) return known;
    const number = this.#hosts.size + 1;
    const host: VirtualHost = new VirtualHost({
      name,
      address: `10.${number >> 16}.${number >> 8 & 255}.${number & 255}`,
      clock: this.clock,
      random: this.#generator(),
      road: (process, host) => new VirtualSockets(process, host, this.#fabric),
      changed: (type) => {
        this.#refresh();
        this.#tell(type, name, name);
      },
    });
    this.#hosts.set(name, host);
    this.#reachable.set(name, host).set(host.address, host);
    return host;
  }

  /**
   * Sets how the link between two hosts behaves from now on, in both directions; what is not given is as in the
   * network's own `link`.
   *
   * @throws {RangeError} If a value is negative, or the loss is total.
   */
  link(a: string, b: string, options: LinkOptions): void {
    const complete = completeLink(options, this.#defaults);
    this.#link(a, b).options = this.#link(b, a).options = complete;
  }

  /**
   * Lets nothing through between the hosts `a` and the hosts `b`; without `b`, between `a` and every other. Nobody is
   * told: connections stall, and go on after `heal` unless somebody has given up.
   */
  partition(a: string | string[], b?: string | string[]): void {
    this.#separate("partitioned", a, b);
  }

  /** Undoes `partition`; without arguments, all of them. */
  heal(
    a: string | string[] = [...this.#hosts.keys()],
    b?: string | string[],
  ): void {
    this.#separate("healed", a, b);
  }

  /** Resets every connection between two hosts, at both ends, as a middlebox does that has lost its table. */
  reset(a: string, b: string): void {
    for (const conn of processOf(this.host(a)).conns) {
      if (conn.there.host === b) conn.cut();
    }
  }

  #separate(
    type: "partitioned" | "healed",
    a: string | string[],
    b: string | string[] = [...this.#hosts.keys()],
  ): void {
    for (const from of [a].flat()) {
      for (const to of [b].flat()) {
        if (from === to) continue;
        const separate = this.#cuts.has(`${from} ${to}`);
        if (separate === (type === "partitioned")) continue;
        for (const key of [`${from} ${to}`, `${to} ${from}`]) {
          if (separate) this.#cuts.delete(key);
          else this.#cuts.add(key);
        }
        this.#tell(type, from, to);
      }
    }
    this.#refresh();
  }

  /** Brings every link up or down as its ends and the partitions say. */
  #refresh(): void {
    for (const { from, to, link } of this.#links.values()) {
      link.up = this.#isUp(from, to);
    }
  }

  #isUp(from: string, to: string): boolean {
    return this.host(from).isUp && this.host(to).isUp &&
      !this.#cuts.has(`${from} ${to}`);
  }

  #link(from: string, to: string): Link {
    const key = `${from} ${to}`;
    const known = this.#links.get(key);
    if (known !== undefined) return known.link;
    const link = new Link(this.#defaults, this.#generator());
    link.up = this.#isUp(from, to);
    this.#links.set(key, { from, to, link });
    return link;
  }

  /** A source of chance of its own: what one host or link draws does not change what another gets. */
  #generator(): () => number {
    return seededRandom(this.#chance() * 0x100000000);
  }

  #tell(type: NetworkEvent["type"], from: string, to: string, bytes = 0): void {
    this.#observe?.({ atMs: this.clock.now(), type, from, to, bytes });
  }
}
