import type { TcpState } from "./tcp_state.ts";

/** A protocol whose ports, or identifiers, a NAT translates. */
export type NatProtocol = "tcp" | "udp" | "icmp";

/** A session in the table of a NAT, as a person reads it. */
export interface NatEntry {
  /** The protocol; of ICMP, queries alone have sessions. */
  readonly protocol: NatProtocol;
  /** The host and port, or ICMP identifier, behind the NAT. */
  readonly inside: string;
  /** What others see in its place. */
  readonly outside: string;
  /** Whom it speaks with. */
  readonly remote: string;
  /** What is known of it: of TCP the state of the connection, of others whether there was a reply. */
  readonly state: TcpState | "unreplied" | "replied";
  /** Milliseconds until it is forgotten unless it is used. */
  readonly expiresInMs: number;
  /** Packets from the inside. */
  readonly packetsOut: number;
  /** Packets to the inside. */
  readonly packetsIn: number;
  /** Bytes from the inside, with their IP headers. */
  readonly bytesOut: number;
  /** Bytes to the inside, with their IP headers. */
  readonly bytesIn: number;
}

/** Why a session was forgotten. */
export type NatEnding =
  /** It was idle for too long. */
  | "expired"
  /** It had to make room for others. */
  | "evicted";

/** Why a packet was not translated. */
export type NatRefusal =
  /** It is no sound IPv4 packet of a protocol that is translated. */
  | "malformed"
  /** It came from the inside with an address that is not there: a spoofed one. */
  | "not inside"
  /** It came from the outside, to an address that is none of the NAT's, or from one that only the inside has. */
  | "not outside"
  /** It came from the outside, to a port that is nobody's. */
  | "no mapping"
  /** It came from the outside, from somebody whom the filter does not let in. */
  | "filtered"
  /** It belongs to a TCP connection whose beginning was not seen. */
  | "no session"
  /** There is no port left. */
  | "ports exhausted"
  /** The host has as many sessions, or ports, as one may have. */
  | "host limit"
  /** The table is full. */
  | "table full"
  /** An ICMP error about a packet that was never sent, or whose checksum is wrong. */
  | "spoofed ICMP"
  /** An ICMP message that is neither a query, nor a reply, nor an error that may pass. */
  | "unknown ICMP"
  /** It must not be fragmented, and is larger than what passes. */
  | "too big"
  /** A fragment for which there was no room, or whose beginning did not come. */
  | "fragment"
  /** It goes to the NAT's own address from the inside, and hairpinning is off. */
  | "hairpin";

/** Everything that a NAT tells its observer. */
export type NatEvent =
  /** A session began. */
  | { type: "created"; entry: NatEntry }
  /** A session was forgotten. */
  | { type: "destroyed"; entry: NatEntry; ending: NatEnding }
  /** A packet was dropped. */
  | {
    type: "refused";
    from: "inside" | "outside";
    reason: NatRefusal;
    source?: string;
    destination?: string;
  };
