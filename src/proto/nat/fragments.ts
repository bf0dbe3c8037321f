import type { Ipv4Packet } from "../ip_packet/ipv4.ts";

/** Where the fragments of a packet go, and what their addresses become. */
export interface FragmentRoute {
  /** To which side. */
  readonly side: "inside" | "outside";
  /** The source address. */
  readonly source: number;
  /** The destination address. */
  readonly destination: number;
}

interface Fragmented {
  readonly key: string;
  readonly endMs: number;
  /** Undefined until the first fragment came; then null if it was refused. */
  route: FragmentRoute | null | undefined;
  held: Uint8Array<ArrayBuffer>[];
}

/** Options of {@linkcode Fragments}. */
export interface FragmentsOptions {
  /** Packets of which fragments are awaited. */
  maxPackets: number;
  /** Bytes that wait for the first fragment of their packet. */
  maxBytes: number;
  /** How long the fragments of a packet may take. */
  timeoutMs: number;
}

/**
 * Remembers where the first fragment of a packet went, since the others have no ports; those that come before it are
 * held (RFC 4787, REQ-14). What is held is bounded: the oldest make room.
 */
export class Fragments {
  readonly #options: FragmentsOptions;
  /** In the order of their ends. */
  readonly #packets = new Map<string, Fragmented>();
  #heldBytes = 0;

  constructor(options: FragmentsOptions) {
    this.#options = options;
  }

  /** Bytes that wait. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** What the fragments of a packet have in common. */
  static key(from: string, packet: Ipv4Packet): string {
    const { source, destination, protocol, identification } = packet;
    return `${from} ${source} ${destination} ${protocol} ${identification}`;
  }

  /** Where a packet goes: null if it was refused, undefined if its first fragment has not come. */
  route(key: string, nowMs: number): FragmentRoute | null | undefined {
    this.#expire(nowMs);
    return this.#packets.get(key)?.route;
  }

  /** Holds a copy of a fragment until the first one comes; false if it is larger than all that may be held. */
  hold(key: string, bytes: Uint8Array<ArrayBuffer>, nowMs: number): boolean {
    if (bytes.length > this.#options.maxBytes) return false;
    const packet = this.#packet(key, nowMs);
    packet.held.push(bytes.slice());
    this.#heldBytes += bytes.length;
    for (const other of this.#packets.values()) {
      if (this.#heldBytes <= this.#options.maxBytes) break;
      if (other.held.length > 0) this.#forget(other);
    }
    return this.#packets.has(key);
  }

  /** Notes where the first fragment went, null if it was refused; returns those that were held. */
  settle(
    key: string,
    route: FragmentRoute | null,
    nowMs: number,
  ): readonly Uint8Array<ArrayBuffer>[] {
    const packet = this.#packet(key, nowMs);
    packet.route = route;
    const { held } = packet;
    packet.held = [];
    for (const { length } of held) this.#heldBytes -= length;
    return held;
  }

  #packet(key: string, nowMs: number): Fragmented {
    this.#expire(nowMs);
    let packet = this.#packets.get(key);
    if (packet === undefined) {
      for (const oldest of this.#packets.values()) {
        if (this.#packets.size < this.#options.maxPackets) break;
        this.#forget(oldest);
      }
      const endMs = nowMs + this.#options.timeoutMs;
      packet = { key, endMs, route: undefined, held: [] };
      this.#packets.set(key, packet);
    }
    return packet;
  }

  #expire(nowMs: number): void {
    for (const packet of this.#packets.values()) {
      if (packet.endMs > nowMs) return;
      this.#forget(packet);
    }
  }

  #forget(packet: Fragmented): void {
    for (const { length } of packet.held) this.#heldBytes -= length;
    this.#packets.delete(packet.key);
  }
}
