import {
  type ByDirection,
  completeImpairments,
  DEFAULT_IMPAIRMENTS,
  type Impairments,
  type LinkDirection,
} from "./impairments.ts";
import { type SettingKind, SETTINGS } from "./setting_table.ts";
import { outages, type ScheduledChange } from "./schedule.ts";

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
    ...(way === undefined ? {} : { direction: way as LinkDirection }),
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
  direction?: LinkDirection,
): ByDirection<Required<Impairments>> {
  const up = completeImpairments(set, current.up);
  const down = completeImpairments(set, current.down);
  return {
    up: direction === "down" ? current.up : up,
    down: direction === "up" ? current.down : down,
  };
}
