import { formatIpv4 } from "../ip_packet/ipv4.ts";
import { PROTOCOLS } from "../ip_packet/transport.ts";
import { Timer } from "../timer_wheel.ts";
import type { NatEntry, NatProtocol } from "./events.ts";
import type { NatTimeouts } from "./options.ts";
import type { OutsideAddress } from "./outside_address.ts";
import { isLasting, type TcpState } from "./tcp_state.ts";
import type { Used } from "./fair_lru.ts";

const NAMES: Readonly<Record<number, NatProtocol>> = {
  [PROTOCOLS.tcp]: "tcp",
  [PROTOCOLS.udp]: "udp",
  [PROTOCOLS.icmp]: "icmp",
};

/** One number for an endpoint. */
export function endpointKey(address: number, port: number): number {
  return address * 65_536 + port;
}

/** One number for a port of a protocol. */
export function portKey(protocol: number, port: number): number {
  return protocol << 16 | port;
}

/** A host behind the NAT that has mappings. */
export interface InsideHost {
  /** Its address. */
  readonly address: number;
  /** The one outside address that it keeps to (RFC 4787, REQ-2). */
  readonly outside: OutsideAddress;
  /** Its ports that are mapped, by {@linkcode portKey}. */
  readonly ports: Map<number, InsidePort>;
  /** Outside ports that it has. */
  mappings: number;
}

/** A port of an inside host, and what it is mapped to. */
export interface InsidePort {
  /** Whose it is. */
  readonly host: InsideHost;
  /** The protocol. */
  readonly protocol: number;
  /** The port, or ICMP identifier. */
  readonly port: number;
  /** Its mappings by what the mapping depends on: nothing (0), the remote address, the remote endpoint. */
  readonly mappings: Map<number, Mapping>;
  /** The mapping that a static forward gave it. */
  forward: Mapping | undefined;
}

/** An outside port that stands for an inside port. */
export interface Mapping {
  /** What it stands for. */
  readonly inside: InsidePort;
  /** The outside address. */
  readonly outside: OutsideAddress;
  /** The outside port, or ICMP identifier. */
  readonly port: number;
  /** Where it is among the mappings of its inside port. */
  readonly key: number;
  /** Whether it is there for good, open to everybody. */
  readonly isForward: boolean;
  /** Its sessions by remote endpoint. */
  readonly sessions: Map<number, Session>;
  /** How many sessions there are with each remote address. */
  readonly remotes: Map<number, number>;
}

/** What passes between an inside port and a remote endpoint. */
export class Session extends Timer implements Used<InsideHost> {
  /** The mapping that it uses. */
  readonly mapping: Mapping;
  /** The remote address. */
  readonly remote: number;
  /** The remote port; 0 for ICMP. */
  readonly remotePort: number;
  /** Of TCP, the state of the connection. */
  tcp: TcpState | undefined;
  /** Whether both sides were heard, so that it is worth more than what may be a flood. */
  isAssured = false;
  lastMs: number;
  rankMs: number;
  /** See {@linkcode NatEntry}. */
  packetsOut = 0;
  /** See {@linkcode NatEntry}. */
  packetsIn = 0;
  /** See {@linkcode NatEntry}. */
  bytesOut = 0;
  /** See {@linkcode NatEntry}. */
  bytesIn = 0;
  readonly #expire: (session: Session, nowMs: number) => void;

  /** Begins at `nowMs`; `expire` is called when its timer rings. */
  constructor(
    mapping: Mapping,
    remote: number,
    remotePort: number,
    nowMs: number,
    expire: (session: Session, nowMs: number) => void,
  ) {
    super();
    this.mapping = mapping;
    this.remote = remote;
    this.remotePort = remotePort;
    this.lastMs = nowMs;
    this.rankMs = nowMs;
    this.#expire = expire;
  }

  /** The host whose it is. */
  get owner(): InsideHost {
    return this.mapping.inside.host;
  }

  override expired(nowMs: number): void {
    this.#expire(this, nowMs);
  }

  /** Until when it is remembered if it is not used. */
  endMs(timeouts: NatTimeouts): number {
    if (this.tcp === undefined) {
      return this.lastMs +
        (this.mapping.inside.protocol === PROTOCOLS.udp
          ? timeouts.udpMs
          : timeouts.icmpMs);
    }
    return this.lastMs +
      (isLasting(this.tcp)
        ? timeouts.tcpEstablishedMs
        : timeouts.tcpTransitoryMs);
  }

  /** What a person reads of it. */
  describe(nowMs: number, timeouts: NatTimeouts): NatEntry {
    const { inside, outside, port } = this.mapping;
    return {
      protocol: NAMES[inside.protocol]!,
      inside: `${formatIpv4(inside.host.address)}:${inside.port}`,
      outside: `${formatIpv4(outside.address)}:${port}`,
      remote: `${formatIpv4(this.remote)}:${this.remotePort}`,
      state: this.tcp ?? (this.isAssured ? "replied" : "unreplied"),
      expiresInMs: Math.max(0, this.endMs(timeouts) - nowMs),
      packetsOut: this.packetsOut,
      packetsIn: this.packetsIn,
      bytesOut: this.bytesOut,
      bytesIn: this.bytesIn,
    };
  }
}
