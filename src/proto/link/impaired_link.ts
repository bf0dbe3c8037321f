import { RETRANSMIT_MS } from "../sim/link.ts";
import { MAX_RETRIES, RETRANSMIT_MAX_MS } from "../sim/pipe.ts";
import { Arrivals } from "./arrivals.ts";
import { Bottleneck } from "./bottleneck.ts";
import { type Fate, Fates, flipBit } from "./fate.ts";
import type { Impairments } from "./impairments.ts";

/** What the queue of streams holds at least: timers are no finer, and the link must not run dry between two of them. */
const MIN_QUEUE_SECONDS = 0.005;

/** What a packet costs beside its bytes. */
const PACKET_COST_BYTES = 128;

/** Bytes that a link holds for others, packets that are lost beyond. */
export const MAX_HELD_BYTES = 64 * 1024 * 1024;

/** What a packet belongs to: a connection, or whatever else has an order to keep. */
export interface LinkFlow {
  /** When the last of its packets arrives. */
  lastArrivalMs: number;
}

/** What passes a link. */
export interface LinkPacket<F extends LinkFlow> {
  /** Bytes, the end of a stream, or its reset. */
  readonly kind: "data" | "end" | "reset";
  /** Empty unless it is `data`; the link may flip bits in it. */
  readonly bytes: Uint8Array;
  /** What it belongs to. */
  readonly flow: F;
}

/** What a direction of a link has done so far. */
export interface LinkCounters {
  /** Packets that it was given; those of a stream are segments, or whole reads. */
  packets: number;
  /** Their bytes. */
  bytes: number;
  /** Packets that have arrived, duplicates too. */
  deliveredPackets: number;
  /** Their bytes. */
  deliveredBytes: number;
  /** Packets lost by chance or outage; in a stream, segments that were sent again. */
  lost: number;
  /** Packets lost because the queue was full. */
  dropped: number;
  /** Packets that arrived twice. */
  duplicated: number;
  /** Packets held back. */
  reordered: number;
  /** Packets with a flipped bit. */
  corrupted: number;
  /** Bytes that a black hole took. */
  swallowedBytes: number;
}

/** Options of {@linkcode ImpairedLink}. */
export interface ImpairedLinkOptions<F extends LinkFlow> {
  /** How it behaves at first. */
  impairments: Required<Impairments>;
  /** Whether it carries streams: in order and complete, so that what is lost comes late. */
  isReliable: boolean;
  /** What chance is drawn from. */
  seed: number;
  /** When it begins. */
  nowMs: number;
  /** Is given what arrives. */
  deliver(packet: LinkPacket<F>): void;
}

interface Waiting<F extends LinkFlow> {
  readonly packet: LinkPacket<F>;
  readonly fate: Fate;
  readonly lateMs: number;
  readonly sinceMs: number;
}

/**
 * One direction of a link: a queue before a bottleneck, then a delay, with losses and the rest on the way. Pure: after
 * every call, call `advance` again at `dueMs`.
 *
 * @example Usage
 * ```ts
 * import { ImpairedLink } from "./impaired_link.ts";
 * import { completeImpairments } from "./impairments.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const arrived: string[] = [];
 * const link = new ImpairedLink({
 *   impairments: completeImpairments({ latencyMs: 50 }),
 *   isReliable: false,
 *   seed: 1,
 *   nowMs: 0,
 *   deliver: ({ bytes }) => arrived.push(new TextDecoder().decode(bytes)),
 * });
 * const bytes = new TextEncoder().encode("ahoy");
 * link.push({ kind: "data", bytes, flow: { lastArrivalMs: 0 } }, 0);
 * assertEquals(link.dueMs, 50);
 * link.advance(50);
 * assertEquals(arrived, ["ahoy"]);
 * ```
 */
export class ImpairedLink<F extends LinkFlow> {
  /** What it has done so far. */
  readonly counters: LinkCounters = {
    packets: 0,
    bytes: 0,
    deliveredPackets: 0,
    deliveredBytes: 0,
    lost: 0,
    dropped: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    swallowedBytes: 0,
  };
  readonly #isReliable: boolean;
  readonly #fates: Fates;
  readonly #deliver: (packet: LinkPacket<F>) => void;
  readonly #bottleneck: Bottleneck;
  readonly #arrivals = new Arrivals<LinkPacket<F>>();
  #impairments: Required<Impairments>;
  #waiting: Waiting<F>[] = [];
  #first = 0;
  #waitingBytes = 0;
  #heldBytes = 0;
  /** When the head of the queue is through; undefined until it is known. */
  #throughMs: number | undefined;
  /** Nothing gets through before it. */
  #freeMs: number;

  /** A link on which nothing is under way. */
  constructor(options: ImpairedLinkOptions<F>) {
    this.#impairments = options.impairments;
    this.#isReliable = options.isReliable;
    this.#fates = new Fates(options.seed);
    this.#deliver = options.deliver;
    this.#freeMs = options.nowMs;
    this.#bottleneck = new Bottleneck(options.impairments, options.nowMs);
  }

  /** How it behaves. */
  get impairments(): Required<Impairments> {
    return this.#impairments;
  }

  /** Whether nothing more fits its queue: whoever sends over a reliable one must wait. */
  get isFull(): boolean {
    const { queueBytes, bytesPerSecond } = this.#impairments;
    return this.#waitingBytes >=
      Math.max(queueBytes, bytesPerSecond * MIN_QUEUE_SECONDS);
  }

  /** Bytes in it, and what they cost. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** When to call `advance`; Infinity if nothing is under way. */
  get dueMs(): number {
    return Math.min(this.#throughMs ?? Infinity, this.#arrivals.nextMs);
  }

  /** Behaves by `impairments` from now on; what has passed the queue stays as it was. */
  change(impairments: Required<Impairments>, nowMs: number): void {
    this.advance(nowMs);
    this.#impairments = impairments;
    this.#bottleneck.change(impairments, nowMs);
    this.#throughMs = undefined;
    this.#freeMs = nowMs;
    this.advance(nowMs);
  }

  /** Sends a packet; false if a black hole took it. What arrives without delay is delivered before this returns. */
  push(packet: LinkPacket<F>, nowMs: number): boolean {
    const { counters } = this;
    const { length } = packet.bytes;
    if (packet.kind === "data") {
      counters.packets++;
      counters.bytes += length;
    }
    if (this.#impairments.blackHole) {
      counters.swallowedBytes += length;
      return false;
    }
    const { fate, lateMs } = this.#decide(packet);
    if (!this.#isReliable) {
      if (fate.lost || this.#impairments.offline) {
        counters.lost++;
        return true;
      }
      const isOver =
        this.#waitingBytes + length > this.#impairments.queueBytes ||
        this.#heldBytes + length + PACKET_COST_BYTES > MAX_HELD_BYTES;
      if (isOver) {
        counters.dropped++;
        return true;
      }
    }
    this.#waiting.push({ packet, fate, lateMs, sinceMs: nowMs });
    this.#waitingBytes += length;
    this.#heldBytes += length + PACKET_COST_BYTES;
    this.advance(nowMs);
    return true;
  }

  /** Lets time pass. */
  advance(nowMs: number): void {
    this.#serve(nowMs);
    while (this.#arrivals.nextMs <= nowMs) {
      const packet = this.#arrivals.take();
      this.#heldBytes -= packet.bytes.length + PACKET_COST_BYTES;
      if (packet.kind === "data") {
        this.counters.deliveredPackets++;
        this.counters.deliveredBytes += packet.bytes.length;
      }
      this.#deliver(packet);
    }
  }

  #decide({ kind }: LinkPacket<F>): { fate: Fate; lateMs: number } {
    let fate = this.#fates.next(this.#impairments);
    let lateMs = kind === "end" ? this.#impairments.slowCloseMs : 0;
    if (!this.#isReliable) return { fate, lateMs };
    let waitMs = RETRANSMIT_MS;
    // Where TCP would give up, the last attempt succeeds: nobody has waited for so long.
    for (let tries = 0; fate.lost && tries < MAX_RETRIES; tries++) {
      this.counters.lost++;
      lateMs += waitMs;
      waitMs = Math.min(2 * waitMs, RETRANSMIT_MAX_MS);
      fate = this.#fates.next(this.#impairments);
    }
    return { fate, lateMs };
  }

  /** Lets through the bottleneck what may pass by now. */
  #serve(nowMs: number): void {
    while (this.#first < this.#waiting.length && !this.#impairments.offline) {
      const head = this.#waiting[this.#first]!;
      const { length } = head.packet.bytes;
      this.#throughMs ??= this.#bottleneck.pass(
        length,
        Math.max(head.sinceMs, this.#freeMs),
      );
      if (this.#throughMs > nowMs) return;
      this.#freeMs = this.#throughMs;
      this.#throughMs = undefined;
      this.#waitingBytes -= length;
      this.#first++;
      this.#depart(head, this.#freeMs);
    }
    if (this.#first === this.#waiting.length) {
      this.#waiting.length = this.#first = 0;
    } else if (this.#first > 1024) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
  }

  #depart({ packet, fate, lateMs }: Waiting<F>, nowMs: number): void {
    const { flow, bytes, kind } = packet;
    const { latencyMs, jitterReorders, reorderMs, sliceDelayMs } =
      this.#impairments;
    let arriveMs = nowMs + latencyMs + fate.jitterMs + lateMs;
    if (fate.flipAt !== undefined && bytes.length > 0) {
      this.counters.corrupted++;
      flipBit(bytes, fate.flipAt);
    }
    if (!this.#isReliable && fate.reordered) {
      this.counters.reordered++;
      arriveMs += reorderMs;
    } else if (this.#isReliable || !jitterReorders) {
      const gapMs = this.#isReliable && kind === "data" ? sliceDelayMs : 0;
      arriveMs = Math.max(arriveMs, flow.lastArrivalMs + gapMs);
      flow.lastArrivalMs = arriveMs;
    }
    this.#arrivals.add(packet, arriveMs);
    if (this.#isReliable || !fate.duplicated) return;
    this.counters.duplicated++;
    this.#heldBytes += bytes.length + PACKET_COST_BYTES;
    this.#arrivals.add(packet, arriveMs);
  }
}
