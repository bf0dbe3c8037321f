import { internetChecksum, write16 } from "./checksum.ts";
import { IPV4_HEADER_BYTES, Ipv4Packet, writeIpv4Header } from "./ipv4.ts";
import { PROTOCOLS } from "./transport.ts";

/** Types of ICMP messages (RFC 792). */
export const ICMP = {
  echoReply: 0,
  unreachable: 3,
  sourceQuench: 4,
  redirect: 5,
  echo: 8,
  timeExceeded: 11,
  parameterProblem: 12,
  timestamp: 13,
  timestampReply: 14,
} as const;

/** Codes of {@linkcode ICMP.unreachable}. */
export const UNREACHABLE = { port: 3, tooBig: 4, prohibited: 13 } as const;

/** What an ICMP error may come to, as RFC 1812, section 4.3.2.3, wants it. */
const MAX_ERROR_BYTES = 576;

/** Whether ICMP messages of a type quote the packet that they are about. */
export function isIcmpError(type: number): boolean {
  return type === ICMP.unreachable || type === ICMP.sourceQuench ||
    type === ICMP.redirect || type === ICMP.timeExceeded ||
    type === ICMP.parameterProblem;
}

/** What {@linkcode icmpError} says. */
export interface IcmpErrorOptions {
  /** Who says it. */
  from: number;
  /** The type of the message. */
  type: number;
  /** The code of the message. */
  code: number;
  /** The largest packet that passes, where that is what it says. @default {0} */
  mtu?: number;
}

/**
 * An ICMP error to the sender of `packet`; undefined where RFC 1122, section 3.2.2, forbids one: about an ICMP error, a
 * fragment after the first, and what did not come from a single host.
 */
export function icmpError(
  packet: Ipv4Packet,
  { from, type, code, mtu = 0 }: IcmpErrorOptions,
): Uint8Array<ArrayBuffer> | undefined {
  const { bytes: about, headerBytes, protocol, source } = packet;
  if (packet.fragmentOffset > 0 || source === 0 || source >>> 28 >= 14) return;
  if (
    protocol === PROTOCOLS.icmp && isIcmpError(about[headerBytes] ?? ICMP.echo)
  ) return;
  const quoted = about.subarray(0, MAX_ERROR_BYTES - IPV4_HEADER_BYTES - 8);
  const bytes = new Uint8Array(IPV4_HEADER_BYTES + 8 + quoted.length);
  writeIpv4Header(bytes, {
    totalBytes: bytes.length,
    protocol: PROTOCOLS.icmp,
    source: from,
    destination: source,
  });
  bytes[IPV4_HEADER_BYTES] = type;
  bytes[IPV4_HEADER_BYTES + 1] = code;
  write16(bytes, IPV4_HEADER_BYTES + 6, mtu);
  bytes.set(quoted, IPV4_HEADER_BYTES + 8);
  writeIcmpChecksum(bytes, IPV4_HEADER_BYTES);
  return bytes;
}

/** Computes the checksum of the ICMP message that begins at `at`. */
export function writeIcmpChecksum(
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
): void {
  write16(bytes, at + 2, 0);
  write16(bytes, at + 2, internetChecksum(bytes, at));
}

/** The packet that an ICMP error quotes; undefined if the error, its checksum or the header that it quotes is at fault. */
export function quotedPacket(error: Ipv4Packet): Ipv4Packet | undefined {
  const { bytes, headerBytes } = error;
  if (error.isFragment || internetChecksum(bytes, headerBytes) !== 0) return;
  const quoted = Ipv4Packet.parse(bytes.subarray(headerBytes + 8), true);
  if (quoted === undefined || !quoted.isHeaderSound) return;
  // Ports, or an identifier, are in the first eight bytes, which every error quotes.
  if (quoted.bytes.length < quoted.headerBytes + 8) return;
  return quoted.fragmentOffset > 0 ? undefined : quoted;
}
