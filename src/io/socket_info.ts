import { findConnection, type SocketAddresses } from "./ffi/descriptor.ts";
import { KERNEL } from "./ffi/kernel_socket.ts";
import { openLibc } from "./ffi/libc.ts";

/** What the kernel knows about a TCP connection (TCP_INFO of tcp(7)). */
export interface SocketInfo {
  /** Where the connection stands (RFC 9293, 3.3.2). */
  state: string;
  /** Smoothed round-trip time in milliseconds. */
  rttMs: number;
  /** How much it varies, in milliseconds. */
  rttVarianceMs: number;
  /** The shortest round trip lately, in milliseconds. */
  minRttMs: number;
  /** Milliseconds until unacknowledged data is sent again. */
  retransmitTimeoutMs: number;
  /** Segments sent again since the connection began. */
  retransmits: number;
  /** How often in a row the oldest unacknowledged segment was sent again: above 0 while the peer is silent. */
  unansweredRetransmits: number;
  /** Keep-alive or zero-window probes in a row without an answer. */
  unansweredProbes: number;
  /** Segments on their way. */
  unackedSegments: number;
  /** Segments held to be lost. */
  lostSegments: number;
  /** The congestion window in segments. */
  congestionWindowSegments: number;
  /** Bytes of the largest segment to send. */
  segmentBytes: number;
  /** Bytes that wait to be sent for the first time. */
  unsentBytes: number;
  /** Bytes that the peer has acknowledged. */
  ackedBytes: number;
  /** Bytes received. */
  receivedBytes: number;
  /** Bytes per second that the network lately delivered. */
  deliveryBytesPerSecond: number;
  /** Milliseconds since the last data came in. */
  lastReceivedMs: number;
  /** Milliseconds since the last acknowledgement came in. */
  lastAckMs: number;
}

/** States by the kernel's numbers. */
const STATES = [
  "unknown",
  "established",
  "syn-sent",
  "syn-received",
  "fin-wait-1",
  "fin-wait-2",
  "time-wait",
  "closed",
  "close-wait",
  "last-ack",
  "listen",
  "closing",
];

/** `struct tcp_info` up to `tcpi_delivery_rate`; a shorter one of an old kernel leaves zeros. */
const INFO_BYTES = 168;

/**
 * Asks the kernel about the connection of a peer, of a client or of a `Deno.Conn`. Needs `--allow-ffi` for the C
 * library, on Linux.
 *
 * @throws {Deno.errors.NotSupported} If the kernel cannot be asked; the message says what is missing.
 *
 * @example Usage
 * ```ts
 * import { socketInfo } from "./socket_info.ts";
 * import { assert, assertStringIncludes } from "@std/assert";
 *
 * using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * using conn = await Deno.connect({ port: listener.addr.port });
 * try {
 *   assert(socketInfo(conn).rttMs >= 0);
 * } catch (error) {
 *   assertStringIncludes(String(error), "Cannot read TCP_INFO: needs --allow-ffi");
 * }
 * ```
 */
export function socketInfo(socket: SocketAddresses): SocketInfo {
  const libc = openLibc();
  if (typeof libc === "string") throw unreadable(libc);
  const bytes = findConnection(libc, socket)?.read(KERNEL.info, INFO_BYTES);
  if (bytes === undefined) {
    throw unreadable("no TCP connection of this process");
  }
  const view = new DataView(new Uint8Array(INFO_BYTES).buffer);
  new Uint8Array(view.buffer).set(bytes);
  const word = (at: number): number => view.getUint32(at, true);
  const long = (at: number): number => Number(view.getBigUint64(at, true));
  return {
    state: STATES[bytes[0]!] ?? "unknown",
    rttMs: word(68) / 1000,
    rttVarianceMs: word(72) / 1000,
    minRttMs: word(148) / 1000,
    retransmitTimeoutMs: word(8) / 1000,
    retransmits: word(100),
    unansweredRetransmits: bytes[2]!,
    unansweredProbes: bytes[3]!,
    unackedSegments: word(24),
    lostSegments: word(32),
    congestionWindowSegments: word(80),
    segmentBytes: word(16),
    unsentBytes: word(144),
    ackedBytes: long(120),
    receivedBytes: long(128),
    deliveryBytesPerSecond: long(160),
    lastReceivedMs: word(52),
    lastAckMs: word(56),
  };
}

function unreadable(reason: string): Error {
  return new Deno.errors.NotSupported(`Cannot read TCP_INFO: ${reason}`);
}
