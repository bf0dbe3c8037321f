import { assertEquals, assertThrows } from "@std/assert";
import {
  DEFAULT_WORK_LIMITS,
  resolveWorkLimits,
} from "../../../../src/proto/codec/work_limits.ts";

Deno.test("resolveWorkLimits() fills in the defaults", () => {
  assertEquals(resolveWorkLimits(), DEFAULT_WORK_LIMITS);
  assertEquals(resolveWorkLimits({ maxDepth: 3 }), {
    ...DEFAULT_WORK_LIMITS,
    maxDepth: 3,
  });
});

Deno.test("resolveWorkLimits() throws RangeError when a limit is not positive", () => {
  for (const value of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(
      () => resolveWorkLimits({ maxNodes: value }),
      RangeError,
      "maxNodes",
    );
  }
});
