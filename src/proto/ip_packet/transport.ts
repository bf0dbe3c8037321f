import { read16 } from "./checksum.ts";

/** The protocols above IP that are translated, by their numbers. */
export const PROTOCOLS = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;

/** The names of {@linkcode PROTOCOLS}. */
export type ProtocolName = keyof typeof PROTOCOLS;

/** The flags of a TCP header (RFC 9293). */
export const TCP_FLAGS = { fin: 1, syn: 2, rst: 4, ack: 16 } as const;

/** Where the checksum is in a header of TCP, UDP or ICMP. */
export function checksumAt(protocol: number): number {
  if (protocol === PROTOCOLS.tcp) return 16;
  return protocol === PROTOCOLS.udp ? 6 : 2;
}

/** Whether a whole header of TCP, UDP or ICMP begins at `at`. */
export function hasTransportHeader(
  bytes: Uint8Array,
  at: number,
  protocol: number,
): boolean {
  const left = bytes.length - at;
  if (protocol !== PROTOCOLS.tcp) return left >= 8;
  const headerBytes = left < 20 ? 0 : (bytes[at + 12]! >> 4) * 4;
  return headerBytes >= 20 && headerBytes <= left;
}

/** The flags of the TCP header that begins at `at`: see {@linkcode TCP_FLAGS}. */
export function tcpFlags(bytes: Uint8Array, at: number): number {
  return read16(bytes, at + 12) & 0x1ff;
}
