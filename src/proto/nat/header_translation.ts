import {
  adjustChecksum,
  foldSum,
  internetChecksum,
  read16,
  sum32,
  sumChange,
  sumWords,
  write16,
} from "../ip_packet/checksum.ts";
import { ICMP } from "../ip_packet/icmp.ts";
import {
  fragmentIpv4,
  IPV4_HEADER_BYTES,
  Ipv4Packet,
  writeIpv4Header,
} from "../ip_packet/ipv4.ts";
import {
  FRAGMENT_HEADER,
  IPV6_HEADER_BYTES,
  IPV6_SOURCE_AT,
  type Ipv6Packet,
  writeIpv6Header,
} from "../ip_packet/ipv6.ts";
import {
  checksumAt,
  hasTransportHeader,
  PROTOCOLS,
} from "../ip_packet/transport.ts";

const ECHO_REQUEST6 = 128;
const ECHO_REPLY6 = 129;

/** The largest packet that every link of IPv6 takes. */
const MIN_MTU6 = 1280;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;

/**
 * Translates the header of an IPv6 packet into one of IPv4, and the checksum behind it (RFC 7915, section 5): TCP, UDP
 * and ICMP echo. Undefined for anything else.
 */
export function toIpv4(
  packet: Ipv6Packet,
  source: number,
  destination: number,
  identification: number,
): Uint8Array<ArrayBuffer> | undefined {
  const { bytes, payloadAt, fragment } = packet;
  const isIcmp = packet.protocol === PROTOCOLS.icmpv6;
  const protocol = isIcmp ? PROTOCOLS.icmp : packet.protocol;
  const payload = bytes.subarray(payloadAt);
  const offset = (fragment?.offsetAndFlags ?? 0) >> 3;
  const isWhole = ((fragment?.offsetAndFlags ?? 0) & 0xfff9) === 0;
  if (!isTranslated(protocol, payload, offset > 0)) return;
  const totalBytes = IPV4_HEADER_BYTES + payload.length;
  const more = (fragment?.offsetAndFlags ?? 0) & 1 ? MORE_FRAGMENTS : 0;
  // A packet that every link of IPv6 takes may be fragmented on the way; of a larger one its sender wants to know.
  const flags = fragment === undefined && totalBytes > MIN_MTU6 - 20
    ? DONT_FRAGMENT
    : offset | more;
  const result = new Uint8Array(totalBytes);
  writeIpv4Header(result, {
    totalBytes,
    protocol,
    source,
    destination,
    ttl: bytes[7]!,
    trafficClass: (bytes[0]! & 15) << 4 | bytes[1]! >> 4,
    identification: fragment?.identification ?? identification,
    fragment: flags,
  });
  result.set(payload, IPV4_HEADER_BYTES);
  const addresses6 = sumWords(bytes, IPV6_SOURCE_AT, IPV6_HEADER_BYTES);
  if (isIcmp) {
    const type = payload[0];
    // Its checksum covers the length of the whole, which a fragment does not know.
    if (!isWhole || type !== ECHO_REQUEST6 && type !== ECHO_REPLY6) return;
    result[IPV4_HEADER_BYTES] = type === ECHO_REQUEST6
      ? ICMP.echo
      : ICMP.echoReply;
    const pseudo = addresses6 + payload.length + PROTOCOLS.icmpv6;
    const change = sumChange(
      foldSum(pseudo + (type << 8)),
      result[IPV4_HEADER_BYTES]! << 8,
    );
    adjust(result, IPV4_HEADER_BYTES, protocol, change);
  } else if (offset === 0) {
    const change = sumChange(addresses6, sum32(source) + sum32(destination));
    adjust(result, IPV4_HEADER_BYTES, protocol, change);
  }
  return result;
}

/**
 * Translates the header of an IPv4 packet into one of IPv6 (RFC 7915, section 4): TCP, UDP and ICMP echo, in fragments
 * where it may be fragmented and is too large for some link. Nothing for anything else.
 */
export function* toIpv6(
  packet: Ipv4Packet,
  source: Uint8Array,
  destination: Uint8Array,
): Generator<Uint8Array<ArrayBuffer>> {
  const { bytes, headerBytes } = packet;
  const payload = bytes.subarray(headerBytes);
  const isLater = packet.fragmentOffset > 0;
  if (!isTranslated(packet.protocol, payload, isLater)) return;
  const isIcmp = packet.protocol === PROTOCOLS.icmp;
  const type = payload[0];
  if (
    isIcmp &&
    (packet.isFragment || type !== ICMP.echo && type !== ICMP.echoReply)
  ) return;
  const copy = Ipv4Packet.parse(bytes.slice())!;
  const addresses6 = sumWords(source) + sumWords(destination);
  if (isIcmp) {
    const type6 = type === ICMP.echo ? ECHO_REQUEST6 : ECHO_REPLY6;
    copy.bytes[headerBytes] = type6;
    const pseudo = addresses6 + payload.length + PROTOCOLS.icmpv6;
    const change = sumChange(type! << 8, foldSum(pseudo + (type6 << 8)));
    adjust(copy.bytes, headerBytes, PROTOCOLS.icmp, change);
  } else if (!isLater) {
    const isUnchecked = packet.protocol === PROTOCOLS.udp &&
      read16(payload, 6) === 0;
    // IPv6 has no UDP without a checksum, and of a fragment none can be computed.
    if (isUnchecked && packet.isFragment) return;
    if (isUnchecked) {
      const pseudo = addresses6 + payload.length + PROTOCOLS.udp;
      const sum = internetChecksum(payload, 0, payload.length, pseudo);
      write16(copy.bytes, headerBytes + 6, sum || 0xffff);
    } else {
      const addresses4 = sum32(packet.source) + sum32(packet.destination);
      const change = sumChange(addresses4, foldSum(addresses6));
      adjust(copy.bytes, headerBytes, packet.protocol, change);
    }
  }
  const room = MIN_MTU6 - IPV6_HEADER_BYTES - (packet.isFragment ? 8 : 0);
  const isSplit = !packet.dontFragment && payload.length > room;
  const parts = isSplit
    ? fragmentIpv4(copy, MIN_MTU6 - IPV6_HEADER_BYTES - 8 + IPV4_HEADER_BYTES)
    : [copy.bytes];
  for (const part of parts) {
    yield withHeader6(Ipv4Packet.parse(part)!, source, destination);
  }
}

function withHeader6(
  packet: Ipv4Packet,
  source: Uint8Array,
  destination: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const { bytes, headerBytes } = packet;
  const payload = bytes.subarray(headerBytes);
  const nextHeader = packet.protocol === PROTOCOLS.icmp
    ? PROTOCOLS.icmpv6
    : packet.protocol;
  const extra = packet.isFragment ? 8 : 0;
  const result = new Uint8Array(IPV6_HEADER_BYTES + extra + payload.length);
  writeIpv6Header(result, {
    payloadBytes: extra + payload.length,
    nextHeader: packet.isFragment ? FRAGMENT_HEADER : nextHeader,
    source,
    destination,
    hopLimit: bytes[8]!,
    trafficClass: bytes[1]!,
  });
  if (packet.isFragment) {
    result[IPV6_HEADER_BYTES] = nextHeader;
    const more = packet.moreFragments ? 1 : 0;
    write16(result, IPV6_HEADER_BYTES + 2, packet.fragmentOffset | more);
    write16(result, IPV6_HEADER_BYTES + 6, packet.identification);
  }
  result.set(payload, IPV6_HEADER_BYTES + extra);
  return result;
}

function isTranslated(
  protocol: number,
  payload: Uint8Array,
  isLater: boolean,
): boolean {
  const isKnown = protocol === PROTOCOLS.tcp || protocol === PROTOCOLS.udp ||
    protocol === PROTOCOLS.icmp;
  return isKnown && (isLater || hasTransportHeader(payload, 0, protocol));
}

function adjust(
  bytes: Uint8Array,
  at: number,
  protocol: number,
  change: number,
): void {
  const sumAt = at + checksumAt(protocol);
  const sum = adjustChecksum(read16(bytes, sumAt), change);
  write16(bytes, sumAt, protocol === PROTOCOLS.udp && sum === 0 ? 0xffff : sum);
}
