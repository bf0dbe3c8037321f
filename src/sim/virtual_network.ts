import { seededRandom } from "../bytes/random.ts";
import {
  completeLink,
  DEFAULT_LINK_OPTIONS,
  Link,
  type LinkOptions,
} from "../proto/sim/link.ts";
import type { NetworkEvent, NetworkObserver } from "./network_event.ts";
import { SocketTable } from "./socket_table.ts";
import { VirtualClock } from "./virtual_clock.ts";
import { processOf, VirtualHost } from "./virtual_host.ts";
import { VirtualNames } from "./virtual_names.ts";

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
  readonly #cuts = new Set<string>();

  /** Starts without hosts. */
  constructor(options: VirtualNetworkOptions = {}) {
    const { seed = 1, clock = new VirtualClock(), link = {} } = options;
    this.clock = clock;
    this.#chance = seededRandom(seed);
    this.random = this.#generator();
    this.names = new VirtualNames(this.#reachable);
    this.#defaults = completeLink(link, DEFAULT_LINK_OPTIONS);
    this.#observe = options.observe;
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
      sockets: (process) => new SocketTable({})
      changed: (type) => {
        this.#refresh();
        this.#tell(type, name, name);
      },
    });
    this.#hosts.set(name, host);
    this.#reachable.set(name, host).set(host.address, host);
    return host;
  }
}
