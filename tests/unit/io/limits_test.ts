import { assertEquals, assertThrows } from "@std/assert";
import {
  completeLimits,
  type ConnectionLimits,
  DEFAULT_CONNECTION_LIMITS,
} from "../../../src/io/limits.ts";

function complete(limits?: ConnectionLimits): Required<ConnectionLimits> {
  return completeLimits(limits, DEFAULT_CONNECTION_LIMITS);
}

Deno.test("completeLimits() fills in the defaults and changes none", () => {
  assertEquals(complete(), DEFAULT_CONNECTION_LIMITS);
  assertEquals(complete({ idleMs: 5, slowBytes: Infinity }), {
    ...DEFAULT_CONNECTION_LIMITS,
    idleMs: 5,
    slowBytes: Infinity,
  });
  assertEquals(DEFAULT_CONNECTION_LIMITS.idleMs, 600_000);
});

Deno.test("completeLimits() takes undefined for a limit that is not given", () => {
  const limits = { idleMs: undefined } as unknown as ConnectionLimits;
  assertEquals(complete(limits), DEFAULT_CONNECTION_LIMITS);
});

Deno.test("completeLimits() refuses what is no number above 0", () => {
  for (const idleMs of [0, -1, NaN, -Infinity, "5", null]) {
    const error = assertThrows(
      () => complete({ idleMs } as unknown as ConnectionLimits),
      RangeError,
    );
    assertEquals(
      error.message,
      `Cannot use limits: 'idleMs' must be a number above 0: current value is ${idleMs}`,
    );
  }
});

Deno.test("completeLimits() refuses a limit that does not exist", () => {
  assertThrows(
    () => complete({ idleMS: 5 } as ConnectionLimits),
    TypeError,
    '(a wire has maxFrameBytes): current value is "idleMS"',
  );
});
