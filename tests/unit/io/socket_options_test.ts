import { assertEquals, assertThrows } from "@std/assert";
import {
  completeOptions,
  describeOptions,
  isUnmet,
} from "../../../src/io/socket_options.ts";

Deno.test("completeOptions() switches keep-alive on when its times are given", () => {
  assertEquals(completeOptions({ keepAliveCount: 3 }), {
    keepAlive: true,
    keepAliveCount: 3,
  });
});

Deno.test("completeOptions() leaves keep-alive off when told", () => {
  const off = { keepAlive: false, keepAliveIdleMs: 1000 };
  assertEquals(completeOptions(off), off);
});

Deno.test("completeOptions() refuses numbers that no kernel takes", () => {
  for (
    const [name, value] of [
      ["keepAliveIdleMs", 0],
      ["keepAliveIdleMs", 32_767_001],
      ["keepAliveIntervalMs", 1.5],
      ["keepAliveCount", 128],
      ["userTimeoutMs", -1],
      ["sendBufferBytes", NaN],
      ["receiveBufferBytes", Infinity],
    ] as const
  ) {
    assertThrows(
      () => completeOptions({ [name]: value }),
      RangeError,
      `'${name}' must be a whole number from`,
    );
  }
});

Deno.test("isUnmet() and describeOptions() tell what is not as asked", () => {
  const option = "keepAliveIdleMs";
  const rounded = {
    option,
    asked: 1500,
    actual: 2000,
    state: "differs",
    reason: "the kernel counts whole seconds",
  } as const;
  assertEquals(isUnmet(rounded), true);
  assertEquals(
    describeOptions([rounded, { ...rounded, option: "keepAliveIntervalMs" }]),
    "keepAliveIdleMs 1500 is 2000, keepAliveIntervalMs 1500 is 2000: the kernel counts whole seconds",
  );
  assertEquals(isUnmet({ ...rounded, state: "unverified" }), false);
});
