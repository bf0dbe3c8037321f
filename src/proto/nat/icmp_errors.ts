import { ICMP, quotedPacket, writeIcmpChecksum } from "../ip_packet/icmp.ts";
import type { Ipv4Packet } from "../ip_packet/ipv4.ts";
import { PROTOCOLS } from "../ip_packet/transport.ts";
import type { NatRefusal } from "./events.ts";
import { endpointKey, type Mapping } from "./session.ts";
import type { NatTable } from "./table.ts";

/**
 * Translates an ICMP error from the outside, and the packet that it quotes, which must be one of a session that there
 * is (RFC 5508, REQ-4). The session is neither refreshed nor ended by it (REQ-6).
 */
export function translateErrorIn(
  table: NatTable,
  error: Ipv4Packet,
): NatRefusal | undefined {
  const { bytes, headerBytes } = error;
  if (bytes[headerBytes] === ICMP.redirect) return "unknown ICMP";
  const quoted = quotedPacket(error);
  if (quoted === undefined || quoted.source !== error.destination) {
    return "spoofed ICMP";
  }
  const { protocol, sourcePort, destination } = quoted;
  const mapping = table.outside.get(quoted.source)
    ?.mapping(protocol, sourcePort);
  const remotePort = protocol === PROTOCOLS.icmp ? 0 : quoted.destinationPort;
  const remote = endpointKey(destination, remotePort);
  if (!mapping?.sessions.has(remote)) return "spoofed ICMP";
  const { host, port } = mapping.inside;
  quoted.rewrite("source", host.address, port);
  error.rewrite("destination", host.address);
  writeIcmpChecksum(bytes, headerBytes);
  return undefined;
}

/**
 * Translates an ICMP error from the inside, about a packet that was let in (RFC 5508, REQ-5). Whoever on the inside says
 * it, it comes from the outside address of the host that the packet was for.
 */
export function translateErrorOut(
  table: NatTable,
  error: Ipv4Packet,
  accepts: (mapping: Mapping, remote: number) => boolean,
): NatRefusal | undefined {
  const { bytes, headerBytes } = error;
  if (bytes[headerBytes] === ICMP.redirect) return "unknown ICMP";
  const quoted = quotedPacket(error);
  if (quoted === undefined || quoted.source !== error.destination) {
    return "spoofed ICMP";
  }
  const { protocol, source, destination, destinationPort } = quoted;
  const remotePort = protocol === PROTOCOLS.icmp ? 0 : quoted.sourcePort;
  const mapping = table
    .mapping(destination, protocol, destinationPort, source, remotePort);
  if (
    mapping === undefined ||
    !mapping.sessions.has(endpointKey(source, remotePort)) &&
      !accepts(mapping, source)
  ) return "spoofed ICMP";
  quoted.rewrite("destination", mapping.outside.address, mapping.port);
  error.rewrite("source", mapping.outside.address);
  writeIcmpChecksum(bytes, headerBytes);
  return undefined;
}
