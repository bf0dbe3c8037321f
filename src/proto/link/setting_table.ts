import type { Impairments } from "./impairments.ts";

/** How the value of a setting is written. */
export type SettingKind = "duration" | "rate" | "share" | "bytes" | "switch";

/** An impairment as people write it. */
export interface Setting {
  /** The impairment. */
  readonly field: Exclude<keyof Impairments, "trace">;
  /** How its value is written. */
  readonly kind: SettingKind;
  /** What it does, in a few words. */
  readonly help: string;
}

/** All settings, by the names that people write. */
export const SETTINGS: Readonly<Record<string, Setting>> = {
  "latency": {
    field: "latencyMs",
    kind: "duration",
    help: "Time that everything is under way, each way",
  },
  "jitter": {
    field: "jitterMs",
    kind: "duration",
    help: "Up to so much more, at random",
  },
  "jitter-reorders": {
    field: "jitterReorders",
    kind: "switch",
    help: "Let jitter change the order of datagrams",
  },
  "rate": {
    field: "bytesPerSecond",
    kind: "rate",
    help: "What the link carries, such as 20Mbit",
  },
  "burst": {
    field: "burstBytes",
    kind: "bytes",
    help: "Bytes that pass at once after a pause",
  },
  "queue": {
    field: "queueBytes",
    kind: "bytes",
    help: "Bytes that wait for the link; datagrams beyond are lost",
  },
  "loss": {
    field: "lossRate",
    kind: "share",
    help: "Share of the packets that are lost, such as 1%",
  },
  "burst-enter": {
    field: "burstEnterRate",
    kind: "share",
    help: "How likely a burst of losses begins with a packet",
  },
  "burst-leave": {
    field: "burstLeaveRate",
    kind: "share",
    help: "How likely a burst of losses ends with a packet",
  },
  "burst-loss": {
    field: "burstLossRate",
    kind: "share",
    help: "Share of the packets that are lost in a burst",
  },
  "duplicate": {
    field: "duplicateRate",
    kind: "share",
    help: "Share of the datagrams that arrive twice",
  },
  "reorder": {
    field: "reorderRate",
    kind: "share",
    help: "Share of the datagrams that others overtake",
  },
  "reorder-by": {
    field: "reorderMs",
    kind: "duration",
    help: "Time that those are held back",
  },
  "corrupt": {
    field: "corruptRate",
    kind: "share",
    help: "Share of the packets in which a bit is flipped",
  },
  "slice": {
    field: "sliceBytes",
    kind: "bytes",
    help: "Bytes of the pieces that a stream arrives in; 0 for whole",
  },
  "slice-variation": {
    field: "sliceVariationBytes",
    kind: "bytes",
    help: "By how much the pieces differ",
  },
  "slice-delay": {
    field: "sliceDelayMs",
    kind: "duration",
    help: "Time between two pieces",
  },
  "reset-after": {
    field: "resetAfterMs",
    kind: "duration",
    help: "Age at which connections are reset",
  },
  "mean-lifetime": {
    field: "meanLifetimeMs",
    kind: "duration",
    help: "Age at which connections are reset on average, at random",
  },
  "close-after": {
    field: "closeAfterMs",
    kind: "duration",
    help: "Age at which connections are closed",
  },
  "limit": {
    field: "limitBytes",
    kind: "bytes",
    help: "Bytes after which a connection is closed",
  },
  "slow-close": {
    field: "slowCloseMs",
    kind: "duration",
    help: "Time by which the end of a stream comes late",
  },
  "black-hole": {
    field: "blackHole",
    kind: "switch",
    help: "Take everything and pass on nothing",
  },
  "half-open": {
    field: "halfOpen",
    kind: "switch",
    help: "Never tell the one side that the other has gone",
  },
  "offline": {
    field: "offline",
    kind: "switch",
    help: "Let nothing through: an outage",
  },
};
