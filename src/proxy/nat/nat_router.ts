import { nextTurn } from "../../io/turn.ts";
import { OFFLOAD_HEADER_BYTES, Tun, TunWaiter } from "../../io/tun.ts";
import type { NatEntry, NatRefusal } from "../../proto/nat/events.ts";
import { Nat } from "../../proto/nat/nat.ts";
import type { NatOptions } from "../../proto/nat/options.ts";
import { setUpNatRoutes } from "./nat_routes.ts";

/** Packets read from one side before the other side has its turn. */
const BATCH = 64;

/** The largest packet of IPv4. */
const MAX_PACKET_BYTES = 65_535;

/** The bit of a header of offloading that says that the checksum is partial. */
const NEEDS_CHECKSUM = 1;

/** Options of {@linkcode natRouter}. */
export interface NatRouterOptions
  extends Omit<NatOptions, "toInside" | "toOutside" | "random" | "nowMs"> {
  /** The network device where the inside is. */
  insideDevice: string;
  /** The network device where the outside is. */
  outsideDevice: string;
  /** The network namespace of the router; that of this process when left out. */
  namespace?: string;
  /** Where chance comes from, in [0, 1). @default {the system's secure source} */
  random?: () => number;
}

/**
 * A NAT between two network devices of this machine; {@linkcode natRouter} starts one.
 *
 * @example Usage
 * ```ts no-assert ignore
 * import { NatRouter } from "./nat_router.ts";
 *
 * await using router = await NatRouter.start({
 *   insideDevice: "lan0",
 *   inside: ["192.168.1.0/24"],
 *   outsideDevice: "wan0",
 *   outside: ["203.0.113.1"],
 * });
 * console.table(router.dump());
 * ```
 */
export class NatRouter implements AsyncDisposable {
  /** Settles when it has stopped; rejects if it had to, because a device is gone. */
  readonly stopped: Promise<void>;
  /** Packets that came in from both sides. */
  packets = 0;
  /** Packets that the kernel did not take. */
  dropped = 0;
  readonly #nat: Nat;
  readonly #inside: Tun;
  readonly #outside: Tun;
  readonly #waiter: TunWaiter;
  readonly #restore: () => Promise<void>;
  /** The packet at hand, behind its header of offloading. */
  readonly #buffer = new Uint8Array(OFFLOAD_HEADER_BYTES + MAX_PACKET_BYTES);
  /** For packets of our own, which have an empty header. */
  readonly #own = new Uint8Array(OFFLOAD_HEADER_BYTES + MAX_PACKET_BYTES);
  #isClosing = false;

  private constructor(
    options: NatRouterOptions,
    devices: readonly [inside: Tun, outside: Tun],
    restore: () => Promise<void>,
  ) {
    [this.#inside, this.#outside] = devices;
    this.#restore = restore;
    this.#nat = new Nat({
      random: secureRandom,
      ...options,
      nowMs: performance.now(),
      toInside: (packet) => this.#write(this.#inside, packet),
      toOutside: (packet) => this.#write(this.#outside, packet),
    });
    this.#waiter = new TunWaiter(devices);
    this.stopped = this.#run();
    // Whoever waits for it is told; nobody has to.
    this.stopped.catch(() => {});
  }

  /** See {@linkcode natRouter}. */
  static async start(options: NatRouterOptions): Promise<NatRouter> {
    using stack = new DisposableStack();
    const inside = stack.use(Tun.open("natin%d", { offload: true }));
    const outside = stack.use(Tun.open("natout%d", { offload: true }));
    const restore = await setUpNatRoutes({
      ...options,
      insideTun: inside.name,
      outsideTun: outside.name,
    });
    try {
      const router = new NatRouter(options, [inside, outside], restore);
      stack.move();
      return router;
    } catch (error) {
      await restore();
      throw error;
    }
  }

  /** Sessions in the table. */
  get size(): number {
    return this.#nat.size;
  }

  /** How many packets were refused, by the reason. */
  get refused(): ReadonlyMap<NatRefusal, number> {
    return this.#nat.refused;
  }

  /** All sessions. */
  dump(): NatEntry[] {
    this.#nat.advance(performance.now());
    return this.#nat.dump();
  }

  /** Stops, removes its devices and rules. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#waiter.wake();
    await this.stopped.catch(() => {});
  }

  /** Stops, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#isClosing) {
        const nowMs = performance.now();
        this.#nat.advance(nowMs);
        await this.#waiter.wait(Math.ceil(this.#nat.waitMs(nowMs) ?? -1));
        // While packets keep coming, reading again is cheaper than waiting.
        while (!this.#isClosing && this.#pass()) {
          await new Promise<void>((resolve) => nextTurn(resolve));
        }
      }
    } finally {
      this.#waiter.close();
      await this.#restore();
      this.#inside.close();
      this.#outside.close();
    }
  }

  /** Translates what waits, up to a batch from each side; returns whether there was anything. */
  #pass(): boolean {
    const nowMs = performance.now();
    const inside = this.#read(
      this.#inside,
      (packet, isPartial) => this.#nat.fromInside(packet, nowMs, isPartial),
    );
    const outside = this.#read(
      this.#outside,
      (packet, isPartial) => this.#nat.fromOutside(packet, nowMs, isPartial),
    );
    this.packets += inside + outside;
    return inside + outside > 0;
  }

  #read(
    device: Tun,
    take: (packet: Uint8Array<ArrayBuffer>, isPartial: boolean) => void,
  ): number {
    const buffer = this.#buffer;
    let count = 0;
    for (; count < BATCH; count++) {
      const bytes = device.read(buffer);
      if (bytes <= OFFLOAD_HEADER_BYTES) break;
      // The kernel looks for routers of IPv6 on every device.
      if (buffer[OFFLOAD_HEADER_BYTES]! >> 4 === 6) continue;
      const isPartial = (buffer[0]! & NEEDS_CHECKSUM) !== 0;
      take(buffer.subarray(OFFLOAD_HEADER_BYTES, bytes), isPartial);
    }
    return count;
  }

  #write(device: Tun, packet: Uint8Array<ArrayBuffer>): void {
    const end = OFFLOAD_HEADER_BYTES + packet.length;
    let whole = this.#buffer.subarray(0, end);
    if (packet.buffer !== this.#buffer.buffer) {
      whole = this.#own.subarray(0, end);
      whole.set(packet, OFFLOAD_HEADER_BYTES);
    }
    if (!device.write(whole)) this.dropped++;
  }
}

/**
 * Starts a NAT between two network devices of this machine, by two TUN devices and a rule of routing. Needs Linux, root,
 * `--allow-ffi` for the C library, and `--allow-run=ip,sysctl`. Packets of the inside's device go through it, those of
 * this machine itself do not; the outside addresses must be none of this machine's own.
 *
 * @throws {Error} If a device, a rule or a permission is missing.
 *
 * @example Usage
 * ```ts no-assert ignore
 * import { natRouter } from "./nat_router.ts";
 *
 * await using router = await natRouter({
 *   insideDevice: "lan0",
 *   inside: ["192.168.1.0/24"],
 *   outsideDevice: "wan0",
 *   outside: ["203.0.113.1"],
 *   observe: (event) => console.log(event),
 * });
 * await router.stopped;
 * ```
 */
export function natRouter(options: NatRouterOptions): Promise<NatRouter> {
  return NatRouter.start(options);
}

function secureRandom(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 0x100000000;
}
