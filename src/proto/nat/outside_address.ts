import { PROTOCOLS } from "../ip_packet/transport.ts";
import { PortPool } from "./port_pool.ts";
import { type Mapping, portKey } from "./session.ts";

/** How outside ports are chosen. */
export interface PortPolicy {
  /** The first and the last; undefined to stay in the range of the inside port, below 1024 or not. */
  readonly range: readonly [first: number, last: number] | undefined;
  /** Whether the inside port is taken where it is free. */
  readonly preserve: boolean;
}

/** An outside address of a NAT, with its ports: each stands for one inside port at most, so none is overloaded. */
export class OutsideAddress {
  /** The address. */
  readonly address: number;
  /** Its mappings by {@linkcode portKey}. */
  readonly mappings = new Map<number, Mapping>();
  readonly #pools: Readonly<Record<number, PortPool>>;

  /** Has all ports free. */
  constructor(address: number, random: () => number) {
    this.address = address;
    this.#pools = {
      [PROTOCOLS.tcp]: new PortPool(random),
      [PROTOCOLS.udp]: new PortPool(random),
      [PROTOCOLS.icmp]: new PortPool(random),
    };
  }

  /** The mapping that has a port. */
  mapping(protocol: number, port: number): Mapping | undefined {
    return this.mappings.get(portKey(protocol, port));
  }

  /** Gives a mapping its port. */
  add(mapping: Mapping): void {
    const { protocol } = mapping.inside;
    this.#pools[protocol]!.add(mapping.port);
    this.mappings.set(portKey(protocol, mapping.port), mapping);
  }

  /** Takes the port of a mapping back. */
  delete(mapping: Mapping): void {
    const { protocol } = mapping.inside;
    this.#pools[protocol]!.delete(mapping.port);
    this.mappings.delete(portKey(protocol, mapping.port));
  }

  /**
   * A free port for an inside port: the same one if it is to be preserved, else one of the same parity in the same
   * range (RFC 4787, REQ-3 and REQ-4), else any. Undefined if none is left.
   */
  find(
    protocol: number,
    inside: number,
    { range, preserve }: PortPolicy,
  ): number | undefined {
    const pool = this.#pools[protocol]!;
    const isQuery = protocol === PROTOCOLS.icmp;
    const [first, last] = isQuery
      ? [0, 65_535]
      : range ?? (inside < 1024 ? [1, 1023] : [1024, 65_535]);
    if (preserve && inside >= first && inside <= last && !pool.has(inside)) {
      return inside;
    }
    return (isQuery ? undefined : pool.find(first, last, inside & 1)) ??
      pool.find(first, last);
  }
}
