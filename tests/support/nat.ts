/**
 * A NAT without a network: packets from text, and text from packets.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../src/bytes/random.ts";
import {
  internetChecksum,
  read16,
  write16,
} from "../../src/proto/ip_packet/checksum.ts";
import { isIcmpError } from "../../src/proto/ip_packet/icmp.ts";
import {
  formatIpv4,
  Ipv4Packet,
  ipv4PseudoSum,
  writeIpv4Header,
} from "../../src/proto/ip_packet/ipv4.ts";
import {
  checksumAt,
  PROTOCOLS,
  TCP_FLAGS,
  tcpFlags,
} from "../../src/proto/ip_packet/transport.ts";
import type { NatEvent } from "../../src/proto/nat/events.ts";
import { Nat } from "../../src/proto/nat/nat.ts";
import { type NatOptions, readIpv4 } from "../../src/proto/nat/options.ts";

/** The hosts of the tests. */
export const A = "192.168.1.2";
export const B = "192.168.1.3";
export const OUTSIDE = "203.0.113.1";
export const SERVER = "198.51.100.1";
export const STRANGER = "198.51.100.2";

/** What a packet is made of beside its ends. */
export interface PacketParts {
  payload?: Uint8Array;
  dontFragment?: boolean;
  id?: number;
  noChecksum?: boolean;
}

function split(endpoint: string): [number, number] {
  const [address = "", port = "0"] = endpoint.split(":");
  return [readIpv4(address), Number(port)];
}

function build(
  protocol: number,
  [source, destination]: [number, number],
  body: Uint8Array<ArrayBuffer>,
  { dontFragment = false, id = 7, noChecksum = false }: PacketParts,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(20 + body.length);
  writeIpv4Header(bytes, {
    totalBytes: bytes.length,
    protocol,
    source,
    destination,
    identification: id,
    fragment: dontFragment ? 0x4000 : 0,
  });
  bytes.set(body, 20);
  const pseudo = protocol === PROTOCOLS.icmp
    ? 0
    : ipv4PseudoSum(source, destination, protocol, body.length);
  const sum = internetChecksum(bytes, 20, bytes.length, pseudo);
  if (!noChecksum) write16(bytes, 20 + checksumAt(protocol), sum || 0xffff);
  return bytes;
}

/** A UDP datagram. */
export function udp(
  from: string,
  to: string,
  parts: PacketParts = {},
): Uint8Array<ArrayBuffer> {
  const [source, sourcePort] = split(from);
  const [destination, destinationPort] = split(to);
  const { payload = new Uint8Array([1, 2, 3]) } = parts;
  const body = new Uint8Array(8 + payload.length);
  write16(body, 0, sourcePort);
  write16(body, 2, destinationPort);
  write16(body, 4, body.length);
  body.set(payload, 8);
  return build(PROTOCOLS.udp, [source, destination], body, parts);
}

/** A TCP segment with the flags that are named, such as `"syn ack"`. */
export function tcp(
  from: string,
  to: string,
  flags: string,
  parts: PacketParts = {},
): Uint8Array<ArrayBuffer> {
  const [source, sourcePort] = split(from);
  const [destination, destinationPort] = split(to);
  const { payload = new Uint8Array(0) } = parts;
  const body = new Uint8Array(20 + payload.length);
  write16(body, 0, sourcePort);
  write16(body, 2, destinationPort);
  body[12] = 0x50;
  for (const flag of flags.split(" ")) {
    body[13]! |= TCP_FLAGS[flag as keyof typeof TCP_FLAGS] ?? 0;
  }
  body.set(payload, 20);
  return build(PROTOCOLS.tcp, [source, destination], body, parts);
}

/** An ICMP message; the endpoint that has a port gives the identifier. */
export function icmp(
  from: string,
  to: string,
  type: number,
  parts: PacketParts = {},
): Uint8Array<ArrayBuffer> {
  const [source, identifier] = split(from);
  const [destination, other] = split(to);
  const { payload = new Uint8Array(4) } = parts;
  const body = new Uint8Array(8 + payload.length);
  body[0] = type;
  write16(body, 4, identifier || other);
  body.set(payload, 8);
  return build(PROTOCOLS.icmp, [source, destination], body, parts);
}

/** An ICMP error about a packet. */
export function icmpAbout(
  from: string,
  to: string,
  about: Uint8Array<ArrayBuffer>,
  type = 3,
  code = 3,
): Uint8Array<ArrayBuffer> {
  const body = new Uint8Array(8 + Math.min(about.length, 60));
  body[0] = type;
  body[1] = code;
  body.set(about.subarray(0, 60), 8);
  return build(PROTOCOLS.icmp, [readIpv4(from), readIpv4(to)], body, {});
}

/** A packet as text, after its checksums were found right. */
export function show(bytes: Uint8Array<ArrayBuffer>, isQuoted = false): string {
  const packet = Ipv4Packet.parse(bytes, isQuoted)!;
  assert(packet !== undefined, "no packet");
  assert(packet.isHeaderSound, "wrong header checksum");
  const { source, destination, protocol, headerBytes, fragmentOffset } = packet;
  const ends = [formatIpv4(source), formatIpv4(destination)];
  if (fragmentOffset > 0) {
    return `${ends.join(" > ")} from byte ${fragmentOffset}${
      packet.moreFragments ? "+" : ""
    }`;
  }
  const length = packet.bytes.length - headerBytes;
  const pseudo = protocol === PROTOCOLS.icmp
    ? 0
    : ipv4PseudoSum(source, destination, protocol, length);
  const isUnchecked = protocol === PROTOCOLS.udp &&
    read16(packet.bytes, headerBytes + 6) === 0;
  const isWhole = !isQuoted && !packet.isFragment;
  if (isWhole && !isUnchecked) {
    const sum = internetChecksum(
      packet.bytes,
      headerBytes,
      packet.bytes.length,
      pseudo,
    );
    assertEquals(sum, 0, "wrong checksum");
  }
  if (protocol === PROTOCOLS.icmp) {
    const type = packet.bytes[headerBytes]!;
    if (isIcmpError(type)) {
      const code = packet.bytes[headerBytes + 1];
      const about = show(packet.bytes.subarray(headerBytes + 8), true);
      return `icmp ${type}/${code} ${ends.join(" > ")} (${about})`;
    }
    return `icmp ${type} ${ends.join(" > ")} #${packet.sourcePort}`;
  }
  const flags = protocol === PROTOCOLS.tcp
    ? Object.entries(TCP_FLAGS).filter(([, bit]) =>
      tcpFlags(packet.bytes, headerBytes) & bit
    ).map(([name]) => ` ${name}`).join("")
    : "";
  const name = protocol === PROTOCOLS.tcp ? "tcp" : "udp";
  return `${name} ${ends[0]}:${packet.sourcePort} > ${
    ends[1]
  }:${packet.destinationPort}${flags}${packet.moreFragments ? " begins" : ""}`;
}

/** A NAT in virtual time. */
export class TestNat {
  readonly nat: Nat;
  readonly events: NatEvent[] = [];
  nowMs = 0;
  #sent: string[] = [];
  /** What was sent last, as bytes. */
  last: Uint8Array<ArrayBuffer> = new Uint8Array();

  constructor(options: Partial<NatOptions> = {}) {
    const keep = (side: string) => (bytes: Uint8Array<ArrayBuffer>) => {
      this.last = bytes.slice();
      this.#sent.push(`${side}: ${show(bytes)}`);
    };
    this.nat = new Nat({
      inside: ["192.168.1.0/24"],
      outside: [OUTSIDE],
      random: seededRandom(1),
      toInside: keep("in"),
      toOutside: keep("out"),
      observe: (event) => this.events.push(event),
      ...options,
    });
  }

  /** Sends from the inside, and returns what came of it. */
  out(packet: Uint8Array<ArrayBuffer>): string[] {
    this.nat.fromInside(packet.slice(), this.nowMs);
    return this.take();
  }

  /** Sends from the outside, and returns what came of it. */
  in(packet: Uint8Array<ArrayBuffer>): string[] {
    this.nat.fromOutside(packet.slice(), this.nowMs);
    return this.take();
  }

  /** Lets time pass, and returns what was sent meanwhile. */
  wait(ms: number): string[] {
    this.nowMs += ms;
    this.nat.advance(this.nowMs);
    return this.take();
  }

  /** The outside endpoint that a packet from the inside gets. */
  mapped(packet: Uint8Array<ArrayBuffer>): string {
    const [line = ""] = this.out(packet);
    return /^out: \w+ (\S+) >/.exec(line)?.[1] ?? "";
  }

  /** Why packets were refused, in order. */
  get refusals(): string[] {
    return this.events.flatMap((event) =>
      event.type === "refused" ? [event.reason] : []
    );
  }

  /** What was sent since. */
  take(): string[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }
}
