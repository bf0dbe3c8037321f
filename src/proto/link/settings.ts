import {
  type ByDirection,
  completeImpairments,
  DEFAULT_IMPAIRMENTS,
  type Direction,
  type Impairments,
} from "./impairments.ts";
import { outages, type ScheduledChange } from "./schedule.ts";

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

const NUMBER = String.raw`(\d+(?:\.\d+)?|\.\d+)`;

const UNITS: Record<
  Exclude<SettingKind, "switch">,
  { units: Record<string, number>; expected: string }
> = {
  duration: {
    units: { "": 1, us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 },
    expected: "a time such as 50, 50ms, 1.5s, 2m or 1h",
  },
  rate: {
    units: {
      bit: 0.125,
      kbit: 125,
      mbit: 125_000,
      gbit: 125_000_000,
      kbps: 125,
      mbps: 125_000,
      gbps: 125_000_000,
    },
    expected: "a rate such as 500kbit, 20Mbit or 1Gbit",
  },
  share: {
    units: { "": 1, "%": 0.01 },
    expected: "a share such as 1% or 0.01",
  },
  bytes: {
    units: {
      "": 1,
      b: 1,
      k: 1000,
      kb: 1000,
      kib: 1024,
      m: 1e6,
      mb: 1e6,
      mib: 1024 ** 2,
    },
    expected: "bytes such as 1500, 64KiB or 2MB",
  },
};

const SWITCHES: Record<string, boolean> = {
  on: true,
  true: true,
  yes: true,
  off: false,
  false: false,
  no: false,
};

/**
 * Reads a value as people write it. `none` stands for no limit.
 *
 * @throws {SyntaxError} If it is none of its kind.
 *
 * @example Usage
 * ```ts
 * import { parseValue } from "./settings.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseValue("duration", "1.5s"), 1500);
 * assertEquals(parseValue("rate", "8Mbit"), 1_000_000);
 * assertEquals(parseValue("share", "2%"), 0.02);
 * ```
 */
export function parseValue(kind: SettingKind, text: string): number | boolean {
  const lower = text.toLowerCase();
  if (kind === "switch") {
    const value = SWITCHES[lower];
    if (value === undefined) refuse("on or off", text);
    return value;
  }
  const { units, expected } = UNITS[kind];
  if (lower === "none" && kind !== "share") return Infinity;
  const [, digits, unit] = new RegExp(`^${NUMBER}([a-z%]*)$`).exec(lower) ?? [];
  const factor = unit === undefined || !Object.hasOwn(units, unit)
    ? refuse(expected, text)
    : units[unit]!;
  // Percents of round numbers stay round.
  return factor === 0.01 ? Number(digits) / 100 : Number(digits) * factor;
}

function refuse(expected: string, text: string): never {
  throw new SyntaxError(
    `Cannot read setting: ${expected} is expected: current value is "${text}"`,
  );
}

/**
 * Reads settings as people write them: `latency=50 loss=1%`.
 *
 * @throws {SyntaxError} If a setting is unknown or its value is none.
 * @throws {RangeError} If a value makes no sense.
 *
 * @example Usage
 * ```ts
 * import { parseSettings } from "./settings.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseSettings("latency=50 rate=8Mbit black-hole=on"), {
 *   latencyMs: 50,
 *   bytesPerSecond: 1_000_000,
 *   blackHole: true,
 * });
 * ```
 */
export function parseSettings(text: string): Impairments {
  const set: Record<string, number | boolean> = {};
  for (const word of text.trim().split(/[\s,]+/)) {
    const [, name = "", value] = /^([^=]*)=(.+)$/.exec(word) ?? [];
    if (value === undefined) refuse("NAME=VALUE", word);
    if (!Object.hasOwn(SETTINGS, name)) {
      refuse(`one of ${Object.keys(SETTINGS).join(", ")}`, name);
    }
    const { field, kind } = SETTINGS[name]!;
    set[field] = parseValue(kind, value);
  }
  const impairments: Impairments = set;
  // Whether a variation fits its size is seen where both are known.
  completeImpairments({ ...impairments, sliceVariationBytes: 0 });
  return impairments;
}

/**
 * Writes what differs from the defaults, in the form that {@linkcode parseSettings} reads; `none` where nothing does.
 *
 * @example Usage
 * ```ts
 * import { formatSettings } from "./settings.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   formatSettings({ latencyMs: 50, lossRate: 0.01, bytesPerSecond: 1e6 }),
 *   "latency=50ms rate=8000kbit loss=1%",
 * );
 * ```
 */
export function formatSettings(impairments: Impairments): string {
  const words = Object.entries(SETTINGS).flatMap(([name, { field, kind }]) => {
    const value = impairments[field] ?? DEFAULT_IMPAIRMENTS[field];
    return value === DEFAULT_IMPAIRMENTS[field]
      ? []
      : [`${name}=${formatValue(kind, value)}`];
  });
  const { trace = [] } = impairments;
  if (trace.length > 0) words.push(`trace=${trace.length} lines`);
  return words.length === 0 ? "none" : words.join(" ");
}

/** Writes all that is given, also what is a default: for a change. */
export function formatChange(set: Impairments): string {
  return Object.entries(SETTINGS).flatMap(([name, { field, kind }]) => {
    const value = set[field];
    return value === undefined ? [] : [`${name}=${formatValue(kind, value)}`];
  }).join(" ");
}

function formatValue(kind: SettingKind, value: number | boolean): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  if (value === Infinity) return "none";
  switch (kind) {
    case "duration":
      return `${value}ms`;
    case "rate":
      return `${value / 125}kbit`;
    case "share":
      return `${Number((value * 100).toPrecision(12))}%`;
    default:
      return String(value);
  }
}

const WHEN =
  /^(?<at>[^\s/]+)(?:\/(?<every>\S+))?\s+(?:(?<way>up|down)\s+)?(?<set>.+)$/s;

/**
 * Reads what changes at a time: `30s loss=5%`, `30s/60s down latency=200` for every minute, in one direction.
 *
 * @throws {SyntaxError} If it has another form.
 *
 * @example Usage
 * ```ts
 * import { parseChange } from "./settings.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseChange("30s/1m down latency=200"), {
 *   atMs: 30_000,
 *   everyMs: 60_000,
 *   direction: "down",
 *   set: { latencyMs: 200 },
 * });
 * ```
 */
export function parseChange(text: string): ScheduledChange {
  const { at, every, way, set } = WHEN.exec(text.trim())?.groups ?? {};
  if (at === undefined || set === undefined) {
    refuse("TIME[/EVERY] [up|down] NAME=VALUE", text);
  }
  return {
    atMs: Number(parseValue("duration", at)),
    ...(every === undefined
      ? {}
      : { everyMs: Number(parseValue("duration", every)) }),
    ...(way === undefined ? {} : { direction: way as Direction }),
    set: parseSettings(set),
  };
}

/**
 * Reads outages: `10s/60s` for ten seconds out of every sixty.
 *
 * @throws {SyntaxError} If it has another form.
 * @throws {RangeError} If an outage would never end.
 *
 * @example Usage
 * ```ts
 * import { parseOutages } from "./settings.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseOutages("10s/60s").map(({ atMs }) => atMs), [50_000, 60_000]);
 * ```
 */
export function parseOutages(text: string): ScheduledChange[] {
  const [forText, everyText, ...rest] = text.split("/");
  if (everyText === undefined || rest.length > 0) {
    refuse("LENGTH/EVERY, such as 10s/60s", text);
  }
  return outages(
    Number(parseValue("duration", forText!)),
    Number(parseValue("duration", everyText)),
  );
}

/** Puts what is set for one direction, or for both, over what there is. */
export function changeImpairments(
  current: ByDirection<Required<Impairments>>,
  set: Impairments,
  direction?: Direction,
): ByDirection<Required<Impairments>> {
  const up = completeImpairments(set, current.up);
  const down = completeImpairments(set, current.down);
  return {
    up: direction === "down" ? current.up : up,
    down: direction === "up" ? current.down : down,
  };
}
