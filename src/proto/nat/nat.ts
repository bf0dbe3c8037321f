import {
  ICMP,
  icmpError,
  isIcmpError,
  UNREACHABLE,
} from "../ip_packet/icmp.ts";
import { formatIpv4, fragmentIpv4, Ipv4Packet } from "../ip_packet/ipv4.ts";
import {
  hasTransportHeader,
  PROTOCOLS,
  TCP_FLAGS,
  tcpFlags,
} from "../ip_packet/transport.ts";
import { TimerWheel } from "../timer_wheel.ts";
import { TokenBucket } from "../token_bucket.ts";
import type { NatEntry, NatRefusal } from "./events.ts";
import { type FragmentRoute, Fragments } from "./fragments.ts";
import { translateErrorIn, translateErrorOut } from "./icmp_errors.ts";
import {
  checkNatOptions,
  DEFAULT_NAT_LIMITS,
  DEFAULT_NAT_TIMEOUTS,
  type Ipv4Network,
  isWithin,
  NAT_TYPES,
  type NatBehavior,
  type NatOptions,
  type NatTimeouts,
  readIpv4,
  readIpv4Network,
} from "./options.ts";
import { endpointKey, type Mapping, type Session } from "./session.ts";
import { NatTable } from "./table.ts";
import { isLasting, nextTcpState } from "./tcp_state.ts";
import { UnsolicitedSyns } from "./unsolicited_syns.ts";

const TICK_MS = 100;
const SLOTS = 4_096;

type Side = "inside" | "outside";

/**
 * A NAPT for IPv4: TCP, UDP and ICMP of many inside hosts behind a few outside addresses, as RFC 4787, RFC 5382 and RFC
 * 5508 want it. Pure: packets, time and chance in; packets and events out. Packets are rewritten where they lie. It is
 * no router: the time to live stays as it is.
 *
 * @example Usage
 * ```ts
 * import { Nat } from "./nat.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const nat = new Nat({
 *   inside: ["192.168.1.0/24"],
 *   outside: ["203.0.113.1"],
 *   type: "full-cone",
 *   forwards: [
 *     { protocol: "tcp", outsidePort: 80, insideAddress: "192.168.1.2", insidePort: 8080 },
 *   ],
 *   random: () => 0.5,
 *   toInside: () => {},
 *   toOutside: () => {},
 * });
 * nat.fromInside(new Uint8Array(20), 0);
 * assertEquals(nat.refused.get("malformed"), 1);
 * assertEquals(nat.dump(), []);
 * ```
 */
export class Nat {
  /** How many packets were refused, by the reason. */
  readonly refused: ReadonlyMap<NatRefusal, number>;
  readonly #refused = new Map<NatRefusal, number>();
  readonly #options: NatOptions;
  readonly #inside: readonly Ipv4Network[];
  readonly #filtering: NatBehavior;
  readonly #timeouts: NatTimeouts;
  readonly #wheel: TimerWheel;
  readonly #table: NatTable;
  readonly #fragments: Fragments;
  readonly #unsolicited: UnsolicitedSyns;
  readonly #errors: TokenBucket;
  readonly #address: number;
  #nowMs: number;
  /** Where the packet at hand went. */
  #route: FragmentRoute | null = null;

  /**
   * Creates a NAT with an empty table.
   *
   * @throws {SyntaxError} If an address or a network is none.
   * @throws {RangeError} If an option has a value that is not allowed.
   */
  constructor(options: NatOptions) {
    this.#options = options;
    const { outside, random, nowMs = 0, type = "restricted" } = options;
    const behavior = NAT_TYPES[type];
    const limits = { ...DEFAULT_NAT_LIMITS, ...options.limits };
    checkNatOptions(options);
    this.#timeouts = { ...DEFAULT_NAT_TIMEOUTS, ...options.timeouts };
    this.refused = this.#refused;
    this.#inside = options.inside.map(readIpv4Network);
    this.#filtering = options.filtering ?? behavior.filtering;
    this.#nowMs = nowMs;
    this.#wheel = new TimerWheel(nowMs, TICK_MS, SLOTS);
    this.#table = new NatTable({
      outside: outside.map(readIpv4),
      random,
      wheel: this.#wheel,
      mapping: options.mapping ?? behavior.mapping,
      ports: {
        range: options.ports,
        preserve: options.preservePorts ?? behavior.preservePorts,
      },
      timeouts: this.#timeouts,
      limits,
      observe: options.observe,
    });
    this.#address = readIpv4(outside[0]!);
    this.#fragments = new Fragments({
      maxPackets: limits.maxFragmentedPackets,
      maxBytes: limits.maxFragmentBytes,
      timeoutMs: this.#timeouts.fragmentMs,
    });
    this.#unsolicited = new UnsolicitedSyns({
      wheel: this.#wheel,
      waitMs: this.#timeouts.unsolicitedSynMs,
      max: limits.maxUnsolicitedSyns,
      refuse: (bytes) => this.#refuseSyn(bytes),
    });
    const rate = limits.icmpErrorsPerSecond;
    this.#errors = new TokenBucket(rate, rate, nowMs);
    for (const forward of options.forwards ?? []) {
      if (!isWithin(this.#inside, readIpv4(forward.insideAddress))) {
        throw new RangeError(
          `Cannot forward a port: the host must be on the inside: current value is "${forward.insideAddress}"`,
        );
      }
      this.#table.forward(forward);
    }
  }

  /** Sessions in the table. */
  get size(): number {
    return this.#table.size;
  }

  /**
   * Translates a packet from the inside. The bytes are changed. With `isPartial`, its checksum of TCP or UDP is but the
   * sum of the pseudo header, as kernels leave it to hardware, and is left so.
   */
  fromInside(
    bytes: Uint8Array<ArrayBuffer>,
    nowMs: number,
    isPartial = false,
  ): void {
    this.advance(nowMs);
    const packet = Ipv4Packet.parse(bytes, false, isPartial);
    if (packet === undefined) return this.#refuse("inside", "malformed");
    if (!isWithin(this.#inside, packet.source)) {
      return this.#refuse("inside", "not inside", packet);
    }
    if (isWithin(this.#inside, packet.destination)) {
      return this.#deliver("inside", packet);
    }
    const { outsideMtu = Infinity } = this.#options;
    const isHairpin = this.#table.outside.has(packet.destination);
    if (isHairpin || this.#fits("inside", packet, outsideMtu)) {
      this.#handle("inside", packet);
    }
  }

  /**
   * Translates a packet from the outside. The bytes are changed. With `isPartial`, its checksum of TCP or UDP is but the
   * sum of the pseudo header, as kernels leave it to hardware, and is left so.
   */
  fromOutside(
    bytes: Uint8Array<ArrayBuffer>,
    nowMs: number,
    isPartial = false,
  ): void {
    this.advance(nowMs);
    const packet = Ipv4Packet.parse(bytes, false, isPartial);
    if (packet === undefined) return this.#refuse("outside", "malformed");
    if (
      !this.#table.outside.has(packet.destination) ||
      isWithin(this.#inside, packet.source) ||
      this.#table.outside.has(packet.source)
    ) return this.#refuse("outside", "not outside", packet);
    const { insideMtu = Infinity } = this.#options;
    if (this.#fits("outside", packet, insideMtu)) {
      this.#handle("outside", packet);
    }
  }

  /** Lets time pass: sessions end, and SYNs that nobody asked for are refused. */
  advance(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#wheel.advance(nowMs);
  }

  /** Milliseconds until `advance` has something to do, or undefined if it has nothing. */
  waitMs(nowMs: number): number | undefined {
    return this.#wheel.waitMs(nowMs);
  }

  /** All sessions, as `conntrack -L` shows them. */
  dump(): NatEntry[] {
    return Array.from(
      this.#table.sessions(),
      (session) => session.describe(this.#nowMs, this.#timeouts),
    );
  }

  /** Whether a packet passes; tells its sender if it does not. */
  #fits(from: Side, packet: Ipv4Packet, mtu: number): boolean {
    if (packet.bytes.length <= mtu || !packet.dontFragment) return true;
    const { unreachable: type } = ICMP;
    this.#sendError(from, packet, { type, code: UNREACHABLE.tooBig, mtu });
    this.#refuse(from, "too big", packet);
    return false;
  }

  #handle(from: Side, packet: Ipv4Packet): void {
    if (!packet.isFragment) return this.#translate(from, packet);
    const key = Fragments.key(from, packet);
    if (packet.fragmentOffset === 0) {
      this.#route = null;
      this.#translate(from, packet);
      const route = this.#route;
      for (const bytes of this.#fragments.settle(key, route, this.#nowMs)) {
        this.#follow(from, route, Ipv4Packet.parse(bytes)!);
      }
      return;
    }
    const route = this.#fragments.route(key, this.#nowMs);
    if (route !== undefined) this.#follow(from, route, packet);
    else if (!this.#fragments.hold(key, packet.bytes, this.#nowMs)) {
      this.#refuse(from, "fragment", packet);
    }
  }

  /** Sends a fragment where the first one of its packet went. */
  #follow(from: Side, route: FragmentRoute | null, packet: Ipv4Packet): void {
    if (route === null) return this.#refuse(from, "fragment", packet);
    packet.rewrite("source", route.source);
    packet.rewrite("destination", route.destination);
    this.#deliver(route.side, packet);
  }

  #translate(from: Side, packet: Ipv4Packet): void {
    const { bytes, headerBytes, protocol } = packet;
    const isKnown = protocol === PROTOCOLS.tcp || protocol === PROTOCOLS.udp ||
      protocol === PROTOCOLS.icmp;
    if (!isKnown || !hasTransportHeader(bytes, headerBytes, protocol)) {
      return this.#refuse(from, "malformed", packet);
    }
    if (protocol === PROTOCOLS.icmp && isIcmpError(bytes[headerBytes]!)) {
      return from === "inside" ? this.#errorOut(packet) : this.#errorIn(packet);
    }
    if (from === "inside") this.#outbound(packet);
    else this.#inbound("outside", packet);
  }

  #outbound(packet: Ipv4Packet): void {
    const { bytes, headerBytes, protocol, source, sourcePort } = packet;
    const remote = packet.destination;
    const isQuery = protocol === PROTOCOLS.icmp;
    const isTcp = protocol === PROTOCOLS.tcp;
    const remotePort = isQuery ? 0 : packet.destinationPort;
    const isHairpin = this.#table.outside.has(remote);
    if (isHairpin && this.#options.hairpin === false) {
      return this.#refuse("inside", "hairpin", packet);
    }
    const key = endpointKey(remote, remotePort);
    let session = this.#table
      .mapping(source, protocol, sourcePort, remote, remotePort)
      ?.sessions.get(key);
    const flags = isTcp ? tcpFlags(bytes, headerBytes) : 0;
    const tcp = isTcp ? nextTcpState(session?.tcp, flags, true) : undefined;
    if (isTcp && tcp === undefined) {
      return this.#refuse("inside", "no session", packet);
    }
    const isNew = session === undefined;
    if (session === undefined) {
      const type = bytes[headerBytes]!;
      if (isQuery && type !== ICMP.echo && type !== ICMP.timestamp) {
        return this.#refuse("inside", "unknown ICMP", packet);
      }
      const opened = this.#table
        .open(source, protocol, sourcePort, remote, remotePort, this.#nowMs);
      if (typeof opened === "string") {
        const { unreachable } = ICMP;
        const { prohibited } = UNREACHABLE;
        this.#sendError("inside", packet, {
          type: unreachable,
          code: prohibited,
        });
        return this.#refuse("inside", opened, packet);
      }
      session = opened;
    }
    session.lastMs = this.#nowMs;
    session.packetsOut++;
    session.bytesOut += bytes.length;
    if (tcp !== undefined) this.#moveTo(session, tcp);
    if (isNew) this.#tellCreated(session);
    const { outside, port } = session.mapping;
    if (isTcp && (flags & TCP_FLAGS.syn) !== 0 && !this.#unsolicited.isEmpty) {
      this.#unsolicited.drop(synKey(key, outside.address, port));
    }
    packet.rewrite("source", outside.address, port);
    if (isHairpin) this.#inbound("inside", packet);
    else this.#deliver("outside", packet);
  }

  #inbound(from: Side, packet: Ipv4Packet): void {
    const { bytes, headerBytes, protocol, source: remote } = packet;
    const isQuery = protocol === PROTOCOLS.icmp;
    const type = bytes[headerBytes]!;
    if (isQuery && type !== ICMP.echoReply && type !== ICMP.timestampReply) {
      return this.#refuse(from, "unknown ICMP", packet);
    }
    const remotePort = isQuery ? 0 : packet.sourcePort;
    const mapping = this.#table.outside.get(packet.destination)!
      .mapping(protocol, packet.destinationPort);
    if (mapping === undefined) {
      return this.#unwanted(from, "no mapping", packet);
    }
    let session = mapping.sessions.get(endpointKey(remote, remotePort));
    if (session === undefined && !this.#accepts(mapping, remote)) {
      return this.#unwanted(from, "filtered", packet);
    }
    if (protocol === PROTOCOLS.tcp) {
      const flags = tcpFlags(bytes, headerBytes);
      const tcp = nextTcpState(session?.tcp, flags, false);
      if (tcp === undefined) return this.#refuse(from, "no session", packet);
      const isNew = session === undefined;
      if (session === undefined) {
        const admitted = this.#table
          .admit(mapping, remote, remotePort, this.#nowMs);
        if (typeof admitted === "string") {
          return this.#refuse(from, admitted, packet);
        }
        session = admitted;
      }
      // What may be forged does not keep a connection half open.
      if (tcp !== session.tcp || isLasting(tcp)) session.lastMs = this.#nowMs;
      this.#moveTo(session, tcp);
      if (isNew) this.#tellCreated(session);
    } else if (session !== undefined) {
      this.#table.assure(session);
      if (this.#options.refreshInbound) session.lastMs = this.#nowMs;
    }
    if (session !== undefined) {
      session.packetsIn++;
      session.bytesIn += bytes.length;
    }
    const { host, port } = mapping.inside;
    packet.rewrite("destination", host.address, port);
    this.#deliver("inside", packet);
  }

  /**
   * Whether the filter lets a remote address in that has no session. One of ours is an inside host, by hairpin: those
   * must reach each other (RFC 4787, REQ-9), and the filter is there to keep the outside out.
   */
  #accepts(mapping: Mapping, remote: number): boolean {
    return mapping.isForward || this.#table.outside.has(remote) ||
      this.#filtering === "endpoint-independent" ||
      this.#filtering === "address-dependent" && mapping.remotes.has(remote);
  }

  #moveTo(session: Session, tcp: NonNullable<Session["tcp"]>): void {
    if (session.tcp === tcp) return;
    session.tcp = tcp;
    if (tcp === "established") this.#table.assure(session);
    this.#table.reschedule(session);
  }

  /** Drops what came for nobody; of a SYN, the sender is told after a while. */
  #unwanted(from: Side, reason: NatRefusal, packet: Ipv4Packet): void {
    const { bytes, headerBytes, protocol } = packet;
    const { ack, syn } = TCP_FLAGS;
    if (
      protocol === PROTOCOLS.tcp &&
      (tcpFlags(bytes, headerBytes) & (syn | ack)) === syn
    ) {
      const { source, sourcePort, destination, destinationPort } = packet;
      const remote = endpointKey(source, sourcePort);
      const key = synKey(remote, destination, destinationPort);
      this.#unsolicited.hold(key, bytes, this.#nowMs);
    }
    this.#refuse(from, reason, packet);
  }

  #refuseSyn(bytes: Uint8Array<ArrayBuffer>): void {
    const { port: code } = UNREACHABLE;
    const error = this.#mayError()
      ? icmpError(Ipv4Packet.parse(bytes)!, {
        from: Ipv4Packet.parse(bytes)!.destination,
        type: ICMP.unreachable,
        code,
      })
      : undefined;
    const packet = error && Ipv4Packet.parse(error);
    if (packet === undefined) return;
    // The SYN may have come from an inside host, by hairpin.
    if (this.#table.outside.has(packet.destination)) this.#errorIn(packet);
    else this.#deliver("outside", packet);
  }

  #errorIn(packet: Ipv4Packet): void {
    const refusal = translateErrorIn(this.#table, packet);
    if (refusal === undefined) this.#deliver("inside", packet);
    else this.#refuse("outside", refusal, packet);
  }

  #errorOut(packet: Ipv4Packet): void {
    const refusal = translateErrorOut(
      this.#table,
      packet,
      (mapping, remote) => this.#accepts(mapping, remote),
    );
    if (refusal !== undefined) return this.#refuse("inside", refusal, packet);
    if (this.#table.outside.has(packet.destination)) this.#errorIn(packet);
    else this.#deliver("outside", packet);
  }

  #mayError(): boolean {
    if (this.#errors.take(0, this.#nowMs) > 0) return false;
    this.#errors.take(1, this.#nowMs);
    return true;
  }

  /** Tells the sender of a packet what became of it. */
  #sendError(
    to: Side,
    packet: Ipv4Packet,
    error: { type: number; code: number; mtu?: number },
  ): void {
    if (!this.#mayError()) return;
    const from = to === "inside" ? this.#address : packet.destination;
    const bytes = icmpError(packet, { from, ...error });
    if (bytes === undefined) return;
    if (to === "inside") this.#options.toInside(bytes);
    else this.#options.toOutside(bytes);
  }

  #deliver(side: Side, packet: Ipv4Packet): void {
    const { source, destination, bytes } = packet;
    if (packet.isFragment) this.#route = { side, source, destination };
    const { toInside, toOutside, insideMtu, outsideMtu } = this.#options;
    const [send, mtu = Infinity] = side === "inside"
      ? [toInside, insideMtu]
      : [toOutside, outsideMtu];
    if (bytes.length <= mtu) send(bytes);
    else for (const fragment of fragmentIpv4(packet, mtu)) send(fragment);
  }

  #tellCreated(session: Session): void {
    const { observe } = this.#options;
    const entry = observe && session.describe(this.#nowMs, this.#timeouts);
    if (entry) observe({ type: "created", entry });
  }

  #refuse(from: Side, reason: NatRefusal, packet?: Ipv4Packet): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
    this.#options.observe?.({
      type: "refused",
      from,
      reason,
      ...(packet === undefined ? {} : {
        source: formatIpv4(packet.source),
        destination: formatIpv4(packet.destination),
      }),
    });
  }
}

/** What a SYN and the connection that answers to it have in common. */
function synKey(remote: number, outside: number, port: number): string {
  return `${remote} ${endpointKey(outside, port)}`;
}
