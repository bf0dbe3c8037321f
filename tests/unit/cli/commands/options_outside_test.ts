import { assertEquals } from "@std/assert";
import {
  readConnection,
  readListener,
} from "../../../../src/cli/commands/options_outside.ts";

Deno.test("readConnection() reads every form of a timer", () => {
  for (
    const [timer, ms] of [
      ["119min", 7_140_000],
      ["1min59sec", 119_000],
      ["29sec", 29_000],
      ["6.988ms", 6_988],
      ["988ms", 988],
    ] as const
  ) {
    assertEquals(readConnection(`ESTAB timer:(keepalive,${timer},0)`), {
      keepAlive: "true",
      keepAliveIdleMs: `timer at ${ms}`,
    });
  }
});

Deno.test("readConnection() claims nothing when another timer runs", () => {
  assertEquals(readConnection("ESTAB timer:(on,200ms,0)"), {});
  assertEquals(readConnection("ESTAB 0 0"), { keepAlive: "false" });
  assertEquals(readConnection(""), {});
});

Deno.test("readListener() reads nothing where there is no listener", () => {
  assertEquals(readListener(""), {});
});
