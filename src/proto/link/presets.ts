import type { ByDirection, Impairments } from "./impairments.ts";

/** A link that many have. */
export interface LinkPreset extends ByDirection<Impairments> {
  /** Where the figures are from. */
  readonly source: string;
}

/** 125,000 bytes are a megabit. */
const MBIT = 125_000;

/** Bytes that a direction of `mbit` megabits per second queues: 200 milliseconds, as modems are wont to. */
const queued = (mbit: number): Impairments => ({
  bytesPerSecond: mbit * MBIT,
  queueBytes: Math.max(15_000, mbit * MBIT / 5),
});

/** The name of a preset. */
export type LinkPresetName =
  | "lte"
  | "dsl"
  | "satellite"
  | "starlink"
  | "bad-wifi";

/** Links that many have, by name: `up` is what the client sends. */
export const LINK_PRESETS: Readonly<Record<LinkPresetName, LinkPreset>> = {
  lte: {
    source: "WebPageTest's profile LTE: 12 Mbit/s both ways, 70 ms there and " +
      "back; the jitter is ours",
    up: { ...queued(12), latencyMs: 30, jitterMs: 10 },
    down: { ...queued(12), latencyMs: 30, jitterMs: 10 },
  },
  dsl: {
    source:
      "WebPageTest's profile DSL: 1.5 Mbit/s down, 384 kbit/s up, 50 ms " +
      "there and back",
    up: { ...queued(0.384), latencyMs: 25 },
    down: { ...queued(1.5), latencyMs: 25 },
  },
  satellite: {
    source:
      "A geostationary link: RFC 2488, section 2, for about 250 ms each " +
      "way; 100 Mbit/s down and 10 Mbit/s up, as subscribed to in Michel et " +
      "al., A first look at Starlink performance, IMC 2022; access to the " +
      "channel adds 50 ms each way",
    up: { ...queued(10), latencyMs: 300 },
    down: { ...queued(100), latencyMs: 300 },
  },
  starlink: {
    source:
      "Michel et al., A first look at Starlink performance, IMC 2022: 40 " +
      "to 60 ms there and back, 178 Mbit/s down and 17 up in the median; the " +
      "bursts of losses are ours",
    up: {
      ...queued(17),
      latencyMs: 20,
      jitterMs: 10,
      burstEnterRate: 0.001,
      burstLeaveRate: 0.25,
    },
    down: {
      ...queued(178),
      latencyMs: 20,
      jitterMs: 10,
      burstEnterRate: 0.001,
      burstLeaveRate: 0.25,
    },
  },
  "bad-wifi": {
    source: "Ours, no measurement: the far end of a house on a busy channel, " +
      "with bursts of four losses after about a hundred packets, and waits " +
      "of up to 80 ms",
    up: {
      ...queued(5),
      latencyMs: 5,
      jitterMs: 80,
      lossRate: 0.005,
      burstEnterRate: 0.01,
      burstLeaveRate: 0.25,
    },
    down: {
      ...queued(10),
      latencyMs: 5,
      jitterMs: 80,
      lossRate: 0.005,
      burstEnterRate: 0.01,
      burstLeaveRate: 0.25,
    },
  },
};
