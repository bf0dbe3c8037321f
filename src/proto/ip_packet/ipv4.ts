import {
  adjustChecksum,
  foldSum,
  internetChecksum,
  read16,
  read32,
  sum32,
  sumChange,
  write16,
  write32,
} from "./checksum.ts";
import { checksumAt, PROTOCOLS } from "./transport.ts";

/** Bytes of an IPv4 header without options. */
export const IPV4_HEADER_BYTES = 20;

/** Where the source address is in an IPv4 header. */
export const IPV4_SOURCE_AT = 12;

/** Where the destination address is in an IPv4 header. */
export const IPV4_DESTINATION_AT = 16;

/** Which end of a packet to rewrite. */
export type PacketEnd = "source" | "destination";

/** A look at an IPv4 packet (RFC 791) in the bytes that it came in; what is rewritten is rewritten there. */
export class Ipv4Packet {
  /** The packet, without what a link put behind it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes of the header with its options, where the payload begins. */
  readonly headerBytes: number;
  /** The protocol of the payload: see {@linkcode PROTOCOLS}. */
  readonly protocol: number;
  /** Whether its checksum of TCP or UDP is but the sum of the pseudo header, to which hardware adds the rest. */
  readonly isPartial: boolean;

  private constructor(
    bytes: Uint8Array<ArrayBuffer>,
    headerBytes: number,
    isPartial: boolean,
  ) {
    this.bytes = bytes;
    this.isPartial = isPartial;
    this.headerBytes = headerBytes;
    this.protocol = bytes[9]!;
  }

  /**
   * Looks at a packet; undefined if it is none, or is cut off. With `quoted`, the beginning of a packet will do, as
   * ICMP errors quote it. See `isPartial`.
   */
  static parse(
    bytes: Uint8Array<ArrayBuffer>,
    quoted = false,
    isPartial = false,
  ): Ipv4Packet | undefined {
    if (bytes.length < IPV4_HEADER_BYTES || bytes[0]! >> 4 !== 4) return;
    const headerBytes = (bytes[0]! & 15) * 4;
    const totalBytes = read16(bytes, 2);
    if (headerBytes < IPV4_HEADER_BYTES || totalBytes < headerBytes) return;
    if (quoted ? bytes.length < headerBytes : bytes.length < totalBytes) return;
    return new Ipv4Packet(
      bytes.length > totalBytes ? bytes.subarray(0, totalBytes) : bytes,
      headerBytes,
      isPartial,
    );
  }

  /** The source address. */
  get source(): number {
    return read32(this.bytes, IPV4_SOURCE_AT);
  }

  /** The destination address. */
  get destination(): number {
    return read32(this.bytes, IPV4_DESTINATION_AT);
  }

  /** What the fragments of a packet have in common. */
  get identification(): number {
    return read16(this.bytes, 4);
  }

  /** Whether it must not be fragmented. */
  get dontFragment(): boolean {
    return (this.bytes[6]! & 0x40) !== 0;
  }

  /** Whether fragments follow this one. */
  get moreFragments(): boolean {
    return (this.bytes[6]! & 0x20) !== 0;
  }

  /** Where the payload of this fragment belongs, in bytes. */
  get fragmentOffset(): number {
    return (read16(this.bytes, 6) & 0x1fff) * 8;
  }

  /** Whether this is a part of a packet. */
  get isFragment(): boolean {
    return (read16(this.bytes, 6) & 0x3fff) !== 0;
  }

  /** Whether the checksum of the header is right. */
  get isHeaderSound(): boolean {
    return internetChecksum(this.bytes, 0, this.headerBytes) === 0;
  }

  /** The source port, or the identifier of an ICMP query. */
  get sourcePort(): number {
    return read16(this.bytes, this.headerBytes + this.#portAt("source"));
  }

  /** The destination port, or the identifier of an ICMP query. */
  get destinationPort(): number {
    return read16(this.bytes, this.headerBytes + this.#portAt("destination"));
  }

  /**
   * Puts another address, and with `port` another port or ICMP identifier, in its place, and brings the checksums up to
   * date. Without `port` only the header is touched, as in fragments after the first.
   */
  rewrite(end: PacketEnd, address: number, port?: number): void {
    const { bytes, headerBytes } = this;
    const addressAt = end === "source" ? IPV4_SOURCE_AT : IPV4_DESTINATION_AT;
    const moved = sumChange(sum32(read32(bytes, addressAt)), sum32(address));
    write32(bytes, addressAt, address);
    write16(bytes, 10, adjustChecksum(read16(bytes, 10), moved));
    if (port === undefined) return;
    const portAt = headerBytes + this.#portAt(end);
    const change = sumChange(read16(bytes, portAt), port) +
      (this.protocol === PROTOCOLS.icmp ? 0 : moved);
    write16(bytes, portAt, port);
    if (this.isPartial && this.protocol !== PROTOCOLS.icmp) {
      const sumAt = headerBytes + checksumAt(this.protocol);
      write16(bytes, sumAt, foldSum(read16(bytes, sumAt) + moved));
    } else adjustTransport(bytes, headerBytes, this.protocol, change);
  }

  #portAt(end: PacketEnd): number {
    if (this.protocol === PROTOCOLS.icmp) return 4;
    return end === "source" ? 0 : 2;
  }
}

/** Brings the checksum of TCP, UDP or ICMP at `at` up to date, as far as it is among the bytes. */
function adjustTransport(
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
  protocol: number,
  change: number,
): void {
  const sumAt = at + checksumAt(protocol);
  if (sumAt + 2 > bytes.length) return;
  const old = read16(bytes, sumAt);
  const isUdp = protocol === PROTOCOLS.udp;
  // A UDP checksum of zero means that there is none (RFC 768).
  if (isUdp && old === 0) return;
  const sum = adjustChecksum(old, change);
  write16(bytes, sumAt, isUdp && sum === 0 ? 0xffff : sum);
}

/** What {@linkcode writeIpv4Header} writes. */
export interface Ipv4Header {
  /** Bytes of the whole packet. */
  totalBytes: number;
  /** The protocol of the payload. */
  protocol: number;
  /** The source address. */
  source: number;
  /** The destination address. */
  destination: number;
  /** Routers that may pass it on. @default {64} */
  ttl?: number;
  /** The class of traffic: DSCP and ECN. @default {0} */
  trafficClass?: number;
  /** What its fragments have in common. @default {0} */
  identification?: number;
  /** The three flags and the offset of a fragment. @default {0} */
  fragment?: number;
}

/** Writes an IPv4 header without options, with its checksum, at the beginning of `bytes`. */
export function writeIpv4Header(
  bytes: Uint8Array<ArrayBuffer>,
  header: Ipv4Header,
): void {
  bytes[0] = 0x45;
  bytes[1] = header.trafficClass ?? 0;
  write16(bytes, 2, header.totalBytes);
  write16(bytes, 4, header.identification ?? 0);
  write16(bytes, 6, header.fragment ?? 0);
  bytes[8] = header.ttl ?? 64;
  bytes[9] = header.protocol;
  write16(bytes, 10, 0);
  write32(bytes, IPV4_SOURCE_AT, header.source);
  write32(bytes, IPV4_DESTINATION_AT, header.destination);
  write16(bytes, 10, internetChecksum(bytes, 0, IPV4_HEADER_BYTES));
}

/** The sum of the pseudo header that the checksums of TCP and UDP cover (RFC 793). */
export function ipv4PseudoSum(
  source: number,
  destination: number,
  protocol: number,
  transportBytes: number,
): number {
  return sum32(source) + sum32(destination) + protocol + transportBytes;
}

/** Cuts a packet into fragments of at most `mtu` bytes, in order (RFC 791); options go into the first alone. */
export function* fragmentIpv4(
  packet: Ipv4Packet,
  mtu: number,
): Generator<Uint8Array<ArrayBuffer>> {
  const { bytes, headerBytes } = packet;
  const flags = read16(bytes, 6);
  const payload = bytes.subarray(headerBytes);
  for (let at = 0; at < payload.length;) {
    const header = bytes.subarray(0, at === 0 ? headerBytes : 20);
    const room = (mtu - header.length) & ~7;
    const isLast = payload.length - at <= mtu - header.length;
    const part = payload.subarray(at, isLast ? payload.length : at + room);
    const fragment = new Uint8Array(header.length + part.length);
    fragment.set(header);
    fragment.set(part, header.length);
    fragment[0] = 0x40 | header.length / 4;
    write16(fragment, 2, fragment.length);
    write16(fragment, 6, (flags + at / 8) | (isLast ? 0 : 0x2000));
    write16(fragment, 10, 0);
    write16(fragment, 10, internetChecksum(fragment, 0, header.length));
    yield fragment;
    at += part.length;
  }
}

/** Writes an IPv4 address as text. */
export function formatIpv4(address: number): string {
  return `${address >>> 24}.${address >>> 16 & 255}.${address >>> 8 & 255}.${
    address & 255
  }`;
}
