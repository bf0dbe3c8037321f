import { read32 } from "../ip_packet/checksum.ts";
import { parseIp } from "../ip.ts";
import type { NatEvent, NatProtocol } from "./events.ts";

/** What a mapping, or a filter, depends on (RFC 4787, sections 4.1 and 5). */
export type NatBehavior =
  | "endpoint-independent"
  | "address-dependent"
  | "address-and-port-dependent";

/** The types of RFC 3489 that discovery tools report. */
export type NatType =
  /** Everybody may send to a mapped port. */
  | "full-cone"
  /** Whoever was sent something may answer, from any port. */
  | "restricted"
  /** Whoever was sent something may answer, from the port that it was sent to. */
  | "port-restricted"
  /** The same, and every remote endpoint sees another port. */
  | "symmetric";

/** What a {@linkcode NatType} comes to. */
export interface NatTypeBehavior {
  /** Whether an inside port has one outside port for all, or for each remote address, or remote endpoint. */
  readonly mapping: NatBehavior;
  /** Who may send to it from the outside. */
  readonly filtering: NatBehavior;
  /** Whether the outside port is that of the inside where it is free. */
  readonly preservePorts: boolean;
}

/** The behaviour of each {@linkcode NatType}. */
export const NAT_TYPES: Readonly<Record<NatType, NatTypeBehavior>> = {
  "full-cone": {
    mapping: "endpoint-independent",
    filtering: "endpoint-independent",
    preservePorts: true,
  },
  "restricted": {
    mapping: "endpoint-independent",
    filtering: "address-dependent",
    preservePorts: true,
  },
  "port-restricted": {
    mapping: "endpoint-independent",
    filtering: "address-and-port-dependent",
    preservePorts: true,
  },
  "symmetric": {
    mapping: "address-and-port-dependent",
    filtering: "address-and-port-dependent",
    preservePorts: false,
  },
};

/** After how many idle milliseconds a NAT forgets. */
export interface NatTimeouts {
  /** UDP sessions. RFC 4787 wants at least two minutes. @default {300_000} */
  udpMs: number;
  /** TCP connections that stand. RFC 5382 wants at least 2 hours and 4 minutes. @default {7_440_000} */
  tcpEstablishedMs: number;
  /** TCP connections that open or close. RFC 5382 wants at least 4 minutes. @default {240_000} */
  tcpTransitoryMs: number;
  /** ICMP queries. RFC 5508 wants at least a minute. @default {60_000} */
  icmpMs: number;
  /** How long a SYN that nobody asked for waits before it is refused. RFC 5382 wants at least 6 s. @default {6_000} */
  unsolicitedSynMs: number;
  /** How long the fragments of a packet may take. @default {30_000} */
  fragmentMs: number;
}

/** The defaults of {@linkcode NatTimeouts}. */
export const DEFAULT_NAT_TIMEOUTS: NatTimeouts = {
  udpMs: 300_000,
  tcpEstablishedMs: 7_440_000,
  tcpTransitoryMs: 240_000,
  icmpMs: 60_000,
  unsolicitedSynMs: 6_000,
  fragmentMs: 30_000,
};

/** What a NAT holds at most. */
export interface NatLimits {
  /** Sessions in all. @default {65_536} */
  maxSessions: number;
  /** Sessions of one inside host. @default {8_192} */
  maxSessionsPerHost: number;
  /** Outside ports of one inside host, of all protocols. @default {4_096} */
  maxPortsPerHost: number;
  /** Packets of which fragments are awaited. @default {1_024} */
  maxFragmentedPackets: number;
  /** Bytes of fragments that wait for the first one of their packet. @default {262_144} */
  maxFragmentBytes: number;
  /** Unsolicited SYNs that wait. @default {256} */
  maxUnsolicitedSyns: number;
  /** ICMP errors of its own in a second. @default {100} */
  icmpErrorsPerSecond: number;
}

/** The defaults of {@linkcode NatLimits}. */
export const DEFAULT_NAT_LIMITS: NatLimits = {
  maxSessions: 65_536,
  maxSessionsPerHost: 8_192,
  maxPortsPerHost: 4_096,
  maxFragmentedPackets: 1_024,
  maxFragmentBytes: 262_144,
  maxUnsolicitedSyns: 256,
  icmpErrorsPerSecond: 100,
};

/** A port of the NAT that always leads to the same inside host. */
export interface NatForward {
  /** TCP or UDP. */
  readonly protocol: Exclude<NatProtocol, "icmp">;
  /** The outside address. @default {the first one} */
  readonly outsideAddress?: string;
  /** The outside port. */
  readonly outsidePort: number;
  /** The inside host. */
  readonly insideAddress: string;
  /** Its port. */
  readonly insidePort: number;
}

/** Options of a {@linkcode Nat}. */
export interface NatOptions {
  /** The networks behind it, in CIDR notation. */
  inside: readonly string[];
  /** Its addresses on the outside; each inside host keeps to one of them. */
  outside: readonly string[];
  /** Takes packets that go to the inside; the bytes are its own only until it returns. */
  toInside: (packet: Uint8Array<ArrayBuffer>) => void;
  /** Takes packets that go to the outside. */
  toOutside: (packet: Uint8Array<ArrayBuffer>) => void;
  /** Where chance comes from, in [0, 1). */
  random: () => number;
  /** The time of creation, in milliseconds of any origin. @default {0} */
  nowMs?: number;
  /** What it is like to those who traverse it. @default {"restricted"} */
  type?: NatType;
  /** Overrides the mapping of the type. */
  mapping?: NatBehavior;
  /** Overrides the filtering of the type. */
  filtering?: NatBehavior;
  /** Overrides whether the type keeps ports. */
  preservePorts?: boolean;
  /**
   * The first and the last outside port.
   *
   * @default {[1024, 65535], and 1 to 1023 for inside ports in that range}
   */
  ports?: readonly [first: number, last: number];
  /** Whether inside hosts reach each other by outside addresses. @default {true} */
  hairpin?: boolean;
  /** Whether packets from the outside keep UDP and ICMP sessions alive too, not only those from the inside. @default {false} */
  refreshInbound?: boolean;
  /** Ports that always lead to the same inside host. */
  forwards?: readonly NatForward[];
  /** The largest packet that the inside takes, in bytes. @default {Infinity} */
  insideMtu?: number;
  /** The largest packet that the outside takes, in bytes. @default {Infinity} */
  outsideMtu?: number;
  /** After how long it forgets. */
  timeouts?: Partial<NatTimeouts>;
  /** What it holds at most. */
  limits?: Partial<NatLimits>;
  /** Is told what begins, ends and is refused. */
  observe?: (event: NatEvent) => void;
}

/** A network of IPv4. */
export interface Ipv4Network {
  /** Its address. */
  readonly address: number;
  /** The bits of its mask. */
  readonly mask: number;
}

/**
 * Reads an IPv4 address as a number.
 *
 * @throws {SyntaxError} If the text is none.
 */
export function readIpv4(text: string): number {
  const bytes = parseIp(text);
  if (bytes?.length !== 4) {
    throw new SyntaxError(
      `Cannot read address: an IPv4 address is expected: current value is "${text}"`,
    );
  }
  return read32(bytes, 0);
}

/**
 * Reads an IPv4 network in CIDR notation.
 *
 * @throws {SyntaxError} If the text is none.
 */
export function readIpv4Network(text: string): Ipv4Network {
  const [, address = "", bits = "32"] =
    /^([^/]*)(?:\/(\d{1,2}))?$/.exec(text) ??
      [];
  const count = Number(bits);
  if (count > 32 || parseIp(address)?.length !== 4) {
    throw new SyntaxError(
      `Cannot read network: ADDRESS/BITS of IPv4 is expected: current value is "${text}"`,
    );
  }
  const mask = count === 0 ? 0 : -1 << 32 - count >>> 0;
  return { address: (readIpv4(address) & mask) >>> 0, mask };
}

/** Whether an address is in one of the networks. */
export function isWithin(
  networks: readonly Ipv4Network[],
  address: number,
): boolean {
  for (const network of networks) {
    if ((address & network.mask) >>> 0 === network.address) return true;
  }
  return false;
}

/**
 * Checks what addresses do not tell.
 *
 * @throws {RangeError} If an option has a value that is not allowed.
 */
export function checkNatOptions(options: NatOptions): void {
  const { inside, outside, ports, insideMtu, outsideMtu } = options;
  if (inside.length === 0 || outside.length === 0) {
    throw new RangeError(
      `Cannot create NAT: at least one inside network and one outside address are needed: current value is ${inside.length} and ${outside.length}`,
    );
  }
  if (
    ports !== undefined &&
    !(1 <= ports[0] && ports[0] <= ports[1] && ports[1] <= 65_535)
  ) {
    throw new RangeError(
      `Cannot create NAT: 'ports' must be a range within 1 to 65535: current value is ${
        ports[0]
      } to ${ports[1]}`,
    );
  }
  for (const [name, value] of Object.entries({ insideMtu, outsideMtu })) {
    if (value !== undefined && !(value >= 68)) {
      throw new RangeError(
        `Cannot create NAT: '${name}' must be 68 or more: current value is ${value}`,
      );
    }
  }
  for (
    const [name, value] of Object.entries({
      ...options.limits,
      ...options.timeouts,
    })
  ) {
    if (!(value >= 0)) {
      throw new RangeError(
        `Cannot create NAT: '${name}' must be 0 or more: current value is ${value}`,
      );
    }
  }
}
