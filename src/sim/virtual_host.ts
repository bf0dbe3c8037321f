import type { Clock } from "../io/clock.ts";
import type { Transport } from "../io/transport.ts";
import type { Transports } from "../io/transports.ts";
import { webSocketOver } from "../io/web_socket.ts";
import { VirtualProcess } from "./virtual_process.ts";

/** What a host asks of its network. */
export interface HostParts {
  /** Its name. */
  name: string;
  /** Its address. */
  address: string;
  /** The network's time. */
  clock: Clock;
  /** The chance of its programs. */
  random: () => number;
  /** Makes the roads of a process. */
  road: (process: VirtualProcess, host: VirtualHost) => Transport;
  /** Is told that the host went down or came up. */
  changed: (type: "crashed" | "restarted" | "killed") => void;
}

/** The process that runs on `host`; for the network. */
export let processOf: (host: VirtualHost) => VirtualProcess;

/**
 * A machine in a {@linkcode VirtualNetwork}. Spread it into the options of a server or a client that runs there: it
 * brings their `clock`, `transports` and `random`. After a crash they are new ones, for the programs that start then;
 * the old programs do not run on.
 *
 * @example Usage
 * ```ts
 * import { VirtualNetwork } from "./virtual_network.ts";
 * import { serve } from "../server/serve.ts";
 * import { lines } from "../proto/framing/delimited.ts";
 * import { text } from "../proto/codec/text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const network = new VirtualNetwork({ seed: 1 });
 * const server = await serve({
 *   ...network.host("server"),
 *   listen: "tcp://0.0.0.0:9999",
 *   wire: lines(text()),
 *   handler: () => {},
 * });
 * assertEquals(server.endpoint, "tcp://0.0.0.0:9999");
 * ```
 */
export class VirtualHost {
  /** The time of its programs: the network's, as long as the host lives. */
  clock: Clock;
  /** The roads of its programs. */
  transports: Transports;
  /** The chance of its programs: numbers from 0 to below 1, from the network's seed. */
  readonly random: () => number;
  readonly #parts: HostParts;
  #process: VirtualProcess;
  #up = true;

  static {
    processOf = (host) => host.#process;
  }

  /** Use {@linkcode VirtualNetwork.host}. */
  constructor(parts: HostParts) {
    this.#parts = parts;
    this.random = parts.random;
    this.#process = new VirtualProcess(parts.clock, Infinity);
    this.clock = this.#process.clock;
    this.transports = this.#roads();
  }

  /** Its name. */
  get name(): string {
    return this.#parts.name;
  }

  /** Its IPv4 address. */
  get address(): string {
    return this.#parts.address;
  }

  /** Whether it runs. */
  get isUp(): boolean {
    return this.#up;
  }

  /** Bytes per second that its programs read from each connection: Infinity at first; 0 while they hang. */
  get readBytesPerSecond(): number {
    return this.#process.readBytesPerSecond;
  }

  set readBytesPerSecond(rate: number) {
    if (!(rate >= 0)) {
      throw new RangeError(
        `Cannot read at that rate: 'readBytesPerSecond' must be 0 or more: current value is ${rate}`,
      );
    }
    this.#process.readBytesPerSecond = rate;
    for (const conn of this.#process.conns) conn.repace();
  }

  /** Its programs die, as by `kill -9`; the system ends their connections and refuses new ones. */
  kill(): void {
    this.#process.kill();
    this.#boot();
    this.#parts.changed("killed");
  }

  /** The power fails: nobody is told, and nothing answers until `restart`. */
  crash(): void {
    this.#process.crash();
    this.#boot();
    this.#up = false;
    this.#parts.changed("crashed");
  }

  /** Comes up after a crash, without programs: it refuses connections, and resets those that it has forgotten. */
  restart(): void {
    this.#up = true;
    this.#parts.changed("restarted");
  }

  #boot(): void {
    const { clock } = this.#parts;
    this.#process = new VirtualProcess(clock, this.readBytesPerSecond);
    this.clock = this.#process.clock;
    this.transports = this.#roads();
  }

  #roads(): Transports {
    const road = this.#parts.road(this.#process, this);
    const webSocket = webSocketOver(road, {
      clock: this.clock,
      fillRandom: (bytes) => {
        bytes.forEach((_, at) => bytes[at] = this.random() * 256);
      },
    });
    return {
      tcp: road,
      tls: road,
      quic: road,
      ws: webSocket,
      wss: webSocket,
      unix: road,
      memory: road,
    };
  }
}
