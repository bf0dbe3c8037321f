import { Tun, TunWaiter } from "../../io/tun.ts";
import type { LinkPacket } from "../../proto/link/impaired_link.ts";
import type { LinkDirection } from "../../proto/link/impairments.ts";
import type { LinkEvent } from "./events.ts";
import type { LinkPair, LinkSink } from "./link_pair.ts";

/** The longest packet of IP. */
const MAX_PACKET_BYTES = 65535;

/** Packets taken from a device before the other has its turn. */
const BATCH = 256;

/** Options of {@linkcode PacketFront}. */
export interface PacketFrontOptions {
  /** The device whose packets are those of the client: `tun:NAME`. */
  listen: string;
  /** The device of the server: `tun:NAME`. */
  to: string;
  /** What lies between. */
  pair: LinkPair;
  /** Is told what happens. */
  observe(event: LinkEvent): void;
}

/** Whether an endpoint is a device for packets. */
export function isPacketEndpoint(url: string): boolean {
  return url.startsWith("tun:");
}

/**
 * Reads the name of a device for packets.
 *
 * @throws {SyntaxError} If the text is none.
 */
export function parsePacketEndpoint(url: string): string {
  const name = /^tun:([\w.-]{1,15})$/.exec(url)?.[1];
  if (name === undefined) {
    throw new SyntaxError(
      `Cannot parse endpoint: tun:NAME with at most 15 characters is expected: current value is "${url}"`,
    );
  }
  return name;
}

/** Two network devices with a link between them: the kernels on both sides see its losses. */
export class PacketFront {
  readonly endpoint: string;
  /** None: packets belong to no connection that is known here. */
  readonly connections: ReadonlyMap<string, unknown> = new Map();
  readonly #options: PacketFrontOptions;
  readonly #left: Tun;
  readonly #right: Tun;
  readonly #waiter: TunWaiter;
  readonly #running: Promise<void>;
  readonly #buffer = new Uint8Array(MAX_PACKET_BYTES);
  readonly #sinks: Record<LinkDirection, LinkSink>;
  #closed = false;

  /**
   * Makes the devices.
   *
   * @throws {Error} Without root, or without `--allow-ffi` for the C library.
   */
  constructor(options: PacketFrontOptions) {
    this.#options = options;
    this.endpoint = options.listen;
    this.#left = Tun.open(parsePacketEndpoint(options.listen));
    try {
      this.#right = Tun.open(parsePacketEndpoint(options.to));
    } catch (error) {
      this.#left.close();
      throw error;
    }
    const sink = (tun: Tun): LinkSink => ({
      lastArrivalMs: 0,
      // A device that is down loses it, as a cable does that nobody has plugged in.
      arrived: ({ bytes }: LinkPacket<LinkSink>) =>
        void tun.write(bytes as Uint8Array<ArrayBuffer>),
    });
    this.#sinks = { up: sink(this.#right), down: sink(this.#left) };
    this.#waiter = new TunWaiter([this.#left, this.#right]);
    options.observe({ type: "listening", endpoint: this.endpoint });
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#closed) {
        await this.#waiter.wait(-1);
        this.#take("up", this.#left);
        this.#take("down", this.#right);
      }
    } catch (error) {
      this.#options.observe({ type: "device failed", error });
    }
  }

  #take(direction: LinkDirection, tun: Tun): void {
    const flow = this.#sinks[direction];
    for (let taken = 0; taken < BATCH; taken++) {
      const count = tun.read(this.#buffer);
      if (count === 0) return;
      const bytes = this.#buffer.slice(0, count);
      this.#options.pair.send(direction, { kind: "data", bytes, flow });
    }
  }

  /** Removes the devices. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiter.wake();
    await this.#running;
    this.#waiter.close();
    this.#left.close();
    this.#right.close();
  }
}
