import { read16, write16 } from "./checksum.ts";

/** Bytes of an IPv6 header without extensions. */
export const IPV6_HEADER_BYTES = 40;

/** Where the source address is in an IPv6 header. */
export const IPV6_SOURCE_AT = 8;

/** Where the destination address is in an IPv6 header. */
export const IPV6_DESTINATION_AT = 24;

/** The number of the fragment header. */
export const FRAGMENT_HEADER = 44;

/** Hop-by-hop options, routing and destination options, which may stand before the payload. */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60]);

/** A look at an IPv6 packet (RFC 8200) in the bytes that it came in. */
export interface Ipv6Packet {
  /** The packet, without what a link put behind it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where the payload begins, behind the extension headers. */
  readonly payloadAt: number;
  /** The protocol of the payload. */
  readonly protocol: number;
  /** What the fragment header says, if there is one. */
  readonly fragment:
    | { readonly offsetAndFlags: number; readonly identification: number }
    | undefined;
}

/** Looks at an IPv6 packet; undefined if it is none, or is cut off. With `quoted`, the beginning of one will do. */
export function parseIpv6Packet(
  bytes: Uint8Array<ArrayBuffer>,
  quoted = false,
): Ipv6Packet | undefined {
  if (bytes.length < IPV6_HEADER_BYTES || bytes[0]! >> 4 !== 6) return;
  const end = IPV6_HEADER_BYTES + read16(bytes, 4);
  if (!quoted && bytes.length < end) return;
  const whole = bytes.length > end ? bytes.subarray(0, end) : bytes;
  let protocol = whole[6]!;
  let at = IPV6_HEADER_BYTES;
  let fragment: Ipv6Packet["fragment"];
  while (EXTENSIONS.has(protocol) || protocol === FRAGMENT_HEADER) {
    if (at + 8 > whole.length) return;
    if (protocol === FRAGMENT_HEADER) {
      fragment = {
        offsetAndFlags: read16(whole, at + 2),
        identification: read16(whole, at + 6),
      };
    }
    const bytesHere = protocol === FRAGMENT_HEADER
      ? 8
      : (whole[at + 1]! + 1) * 8;
    protocol = whole[at]!;
    at += bytesHere;
  }
  if (at > whole.length) return;
  return { bytes: whole, payloadAt: at, protocol, fragment };
}

/** What {@linkcode writeIpv6Header} writes. */
export interface Ipv6Header {
  /** Bytes behind the header. */
  payloadBytes: number;
  /** The protocol of the payload, or the number of an extension header. */
  nextHeader: number;
  /** The source address. */
  source: Uint8Array;
  /** The destination address. */
  destination: Uint8Array;
  /** Routers that may pass it on. */
  hopLimit: number;
  /** DSCP and ECN. */
  trafficClass: number;
}

/** Writes an IPv6 header at the beginning of `bytes`. */
export function writeIpv6Header(bytes: Uint8Array, header: Ipv6Header): void {
  bytes[0] = 0x60 | header.trafficClass >> 4;
  bytes[1] = header.trafficClass << 4;
  write16(bytes, 2, 0);
  write16(bytes, 4, header.payloadBytes);
  bytes[6] = header.nextHeader;
  bytes[7] = header.hopLimit;
  bytes.set(header.source, IPV6_SOURCE_AT);
  bytes.set(header.destination, IPV6_DESTINATION_AT);
}
