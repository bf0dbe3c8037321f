import { assertEquals, assertThrows } from "@std/assert";
import {
  completeImpairments,
  DEFAULT_IMPAIRMENTS,
} from "../../../../src/proto/link/impairments.ts";
import { LINK_PRESETS } from "../../../../src/proto/link/presets.ts";
import {
  changeImpairments,
  formatSettings,
  parseChange,
  parseOutages,
  parseSettings,
  parseValue,
} from "../../../../src/proto/link/settings.ts";
import { SETTINGS } from "../../../../src/proto/link/setting_table.ts";

Deno.test("SETTINGS name every impairment once", () => {
  const fields = Object.values(SETTINGS).map(({ field }) => String(field));
  assertEquals(
    [...fields, "trace"].toSorted(),
    Object.keys(DEFAULT_IMPAIRMENTS).toSorted(),
  );
});

Deno.test("parseValue() reads units, and refuses what is none", () => {
  assertEquals(parseValue("duration", "0.5"), 0.5);
  assertEquals(parseValue("duration", "250us"), 0.25);
  assertEquals(parseValue("duration", "2m"), 120_000);
  assertEquals(parseValue("duration", "none"), Infinity);
  assertEquals(parseValue("rate", "1Gbit"), 125_000_000);
  assertEquals(parseValue("rate", "20Mbps"), 2_500_000);
  assertEquals(parseValue("share", "0.5%"), 0.005);
  assertEquals(parseValue("bytes", "64KiB"), 65536);
  assertEquals(parseValue("switch", "off"), false);
  for (
    const [kind, text] of [
      ["duration", "-5"],
      ["duration", "5 parsecs"],
      ["duration", ""],
      ["duration", "1e9"],
      ["rate", "20"],
      ["rate", "toString"],
      ["share", "none"],
      ["bytes", "12constructor"],
      ["switch", "maybe"],
    ] as const
  ) {
    assertThrows(
      () => parseValue(kind, text),
      SyntaxError,
      `current value is "${text}"`,
    );
  }
});

Deno.test("parseSettings() names what is wrong", () => {
  assertThrows(() => parseSettings("latancy=5"), SyntaxError, "latancy");
  assertThrows(() => parseSettings("latency"), SyntaxError, "NAME=VALUE");
  assertThrows(() => parseSettings(""), SyntaxError, "NAME=VALUE");
  assertThrows(() => parseSettings("loss=150%"), RangeError, "0 to 1");
  assertThrows(() => parseSettings("rate=0bit"), RangeError, "above 0");
  assertThrows(() => parseSettings("latency=none"), RangeError, "finite");
  assertThrows(() => parseSettings("latency=100000h"), RangeError, "at most");
  assertThrows(() => parseSettings("__proto__=1"), SyntaxError, "__proto__");
});

Deno.test("formatSettings() writes what parseSettings() reads", () => {
  for (const { up, down } of Object.values(LINK_PRESETS)) {
    for (const impairments of [up, down]) {
      assertEquals(
        completeImpairments(parseSettings(formatSettings(impairments))),
        completeImpairments(impairments),
      );
    }
  }
  assertEquals(formatSettings({}), "none");
});

Deno.test("parseChange() and parseOutages() read times, and refuse other forms", () => {
  assertEquals(parseChange("1.5s loss=5% latency=9"), {
    atMs: 1500,
    set: { lossRate: 0.05, latencyMs: 9 },
  });
  assertEquals(parseChange("2m up offline=on").direction, "up");
  for (const text of ["", "30s", "30s sideways latency=5", "latency=5"]) {
    assertThrows(() => parseChange(text), SyntaxError);
  }
  for (const text of ["10s", "10s/20s/30s", "x/y"]) {
    assertThrows(() => parseOutages(text), SyntaxError);
  }
  assertThrows(() => parseOutages("60s/60s"), RangeError, "shorter");
});

Deno.test("changeImpairments() changes one direction or both", () => {
  const both = { up: DEFAULT_IMPAIRMENTS, down: DEFAULT_IMPAIRMENTS };
  const one = changeImpairments(both, { latencyMs: 5 }, "up");
  assertEquals([one.up.latencyMs, one.down.latencyMs], [5, 0]);
  const two = changeImpairments(one, { lossRate: 0.1 });
  assertEquals([two.up.lossRate, two.down.lossRate], [0.1, 0.1]);
  assertEquals(two.up.latencyMs, 5);
});

Deno.test("completeImpairments() refuses what makes no sense", () => {
  for (
    const [given, message] of [
      [{ latencyMs: -1 }, "0 or more"],
      [{ latencyMs: NaN }, "0 or more"],
      [{ latencyMs: Infinity }, "finite"],
      [{ burstBytes: Infinity }, "finite"],
      [{ corruptRate: 1.01 }, "0 to 1"],
      [{ bytesPerSecond: 0 }, "above 0"],
      [{ sliceBytes: 5, sliceVariationBytes: 6 }, "sliceBytes"],
    ] as const
  ) {
    assertThrows(() => completeImpairments(given), RangeError, message);
  }
  for (
    const given of [
      { latency: 5 },
      { latencyMs: "5" },
      { trace: [3, 2] },
      { trace: [0] },
      { trace: "1" },
      { offline: 1 },
      JSON.parse('{"__proto__": 1}'),
    ]
  ) {
    assertThrows(() => completeImpairments(given as never), TypeError);
  }
});
