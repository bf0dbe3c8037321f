import { formatIp } from "../ip.ts";
import { Ipv4Packet } from "../ip_packet/ipv4.ts";
import {
  IPV6_DESTINATION_AT,
  IPV6_SOURCE_AT,
  parseIpv6Packet,
} from "../ip_packet/ipv6.ts";
import type { NatEntry, NatEvent } from "./events.ts";
import { toIpv4, toIpv6 } from "./header_translation.ts";
import { embedIpv4, extractIpv4, WELL_KNOWN_PREFIX } from "./ipv4_embedded.ts";
import { Nat } from "./nat.ts";
import { type Ipv6Prefix, readIpv6Prefix } from "./nptv6.ts";
import { type NatOptions, readIpv4, readIpv4Network } from "./options.ts";

/** Addresses by which the inside hosts go between the two translations; they are never seen outside of it. */
const HOSTS = "100.64.0.0/10";
const FIRST_HOST = readIpv4Network(HOSTS).address + 1;

/** Options of {@linkcode Nat64}. */
export interface Nat64Options
  extends Omit<NatOptions, "inside" | "forwards" | "insideMtu"> {
  /** The prefix of the inside hosts. */
  inside: string;
  /** The prefix by which inside hosts name hosts of IPv4. @default {"64:ff9b::/96"} */
  prefix?: string;
  /** Inside hosts that have sessions at the same time. @default {16_384} */
  maxHosts?: number;
}

interface Host {
  readonly address6: Uint8Array;
  readonly text: string;
  readonly address4: number;
  sessions: number;
}

/**
 * Lets IPv6 hosts reach IPv4 hosts (stateful NAT64, RFC 6146): headers are translated by RFC 7915, addresses by RFC
 * 6052, and ports by a {@linkcode Nat}. TCP, UDP and ICMP echo pass; ICMP errors do not.
 *
 * @example Usage
 * ```ts
 * import { Nat64 } from "./nat64.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const nat64 = new Nat64({
 *   inside: "2001:db8::/64",
 *   outside: ["203.0.113.1"],
 *   random: () => 0.5,
 *   toInside: () => {},
 *   toOutside: () => {},
 * });
 * assertEquals(nat64.dump(), []);
 * ```
 */
export class Nat64 {
  readonly #options: Nat64Options;
  readonly #nat: Nat;
  readonly #inside: Ipv6Prefix;
  readonly #prefix: Ipv6Prefix;
  readonly #maxHosts: number;
  readonly #hosts = new Map<string, Host>();
  readonly #byAddress = new Map<number, Host>();
  #next = 0;

  /**
   * Creates a NAT64 with an empty table.
   *
   * @throws {SyntaxError} If an address or a prefix is none.
   * @throws {RangeError} If an option has a value that is not allowed.
   */
  constructor(options: Nat64Options) {
    this.#options = options;
    this.#inside = readIpv6Prefix(options.inside);
    this.#prefix = readIpv6Prefix(options.prefix ?? WELL_KNOWN_PREFIX);
    embedIpv4(this.#prefix, 0);
    this.#maxHosts = options.maxHosts ?? 16_384;
    this.#nat = new Nat({
      ...options,
      inside: [HOSTS],
      toInside: (packet) => this.#toInside(packet),
      observe: (event) => this.#observe(event),
    });
  }

  /** Translates an IPv6 packet from the inside; drops what cannot be. */
  fromInside(bytes: Uint8Array<ArrayBuffer>, nowMs: number): void {
    const packet = parseIpv6Packet(bytes);
    if (packet === undefined) return;
    const source = bytes.subarray(IPV6_SOURCE_AT, IPV6_SOURCE_AT + 16);
    const { bytes: prefix, bits } = this.#inside;
    for (let index = 0; index * 8 < bits; index++) {
      const mask = 0xff00 >> Math.min(bits - index * 8, 8) & 0xff;
      if ((source[index]! & mask) !== prefix[index]) return;
    }
    const destination = extractIpv4(
      this.#prefix,
      bytes.subarray(IPV6_DESTINATION_AT, IPV6_DESTINATION_AT + 16),
    );
    if (destination === undefined) return;
    const host = this.#host(source);
    if (host === undefined) return;
    const identification = Math.floor(this.#options.random() * 0x10000);
    const packet4 = toIpv4(packet, host.address4, destination, identification);
    // Held on to: its last session may have to make room for the one that begins.
    host.sessions++;
    if (packet4 !== undefined) this.#nat.fromInside(packet4, nowMs);
    host.sessions--;
    if (host.sessions === 0) this.#forget(host);
  }

  /** Translates an IPv4 packet from the outside; drops what cannot be. */
  fromOutside(bytes: Uint8Array<ArrayBuffer>, nowMs: number): void {
    this.#nat.fromOutside(bytes, nowMs);
  }

  /** Lets time pass. */
  advance(nowMs: number): void {
    this.#nat.advance(nowMs);
  }

  /** Milliseconds until `advance` has something to do, or undefined if it has nothing. */
  waitMs(nowMs: number): number | undefined {
    return this.#nat.waitMs(nowMs);
  }

  /** All sessions. */
  dump(): NatEntry[] {
    return this.#nat.dump().map((entry) => this.#withHost(entry));
  }

  #host(address6: Uint8Array): Host | undefined {
    const text = formatIp(address6);
    const known = this.#hosts.get(text);
    if (known !== undefined) return known;
    if (this.#hosts.size >= this.#maxHosts) return undefined;
    let address4: number;
    do {
      address4 = FIRST_HOST + this.#next;
      this.#next = (this.#next + 1) % (2 * this.#maxHosts);
    } while (this.#byAddress.has(address4));
    const host = { address6: address6.slice(), text, address4, sessions: 0 };
    this.#hosts.set(text, host);
    this.#byAddress.set(address4, host);
    return host;
  }

  #forget(host: Host): void {
    this.#hosts.delete(host.text);
    this.#byAddress.delete(host.address4);
  }

  #toInside(bytes: Uint8Array<ArrayBuffer>): void {
    const packet = Ipv4Packet.parse(bytes);
    const host = packet && this.#byAddress.get(packet.destination);
    if (packet === undefined || host === undefined) return;
    const source = embedIpv4(this.#prefix, packet.source);
    for (const packet6 of toIpv6(packet, source, host.address6)) {
      this.#options.toInside(packet6);
    }
  }

  #observe(event: NatEvent): void {
    const { observe } = this.#options;
    if (event.type === "refused") return observe?.(event);
    const host = this.#hostOf(event.entry);
    const told = { ...event, entry: this.#withHost(event.entry) };
    if (host !== undefined) {
      host.sessions += event.type === "created" ? 1 : -1;
      if (host.sessions === 0) this.#forget(host);
    }
    observe?.(told);
  }

  #hostOf({ inside }: NatEntry): Host | undefined {
    const address = inside.slice(0, inside.lastIndexOf(":"));
    return this.#byAddress.get(readIpv4(address));
  }

  #withHost(entry: NatEntry): NatEntry {
    const host = this.#hostOf(entry);
    if (host === undefined) return entry;
    const port = entry.inside.slice(entry.inside.lastIndexOf(":"));
    return { ...entry, inside: `[${host.text}]${port}` };
  }
}
