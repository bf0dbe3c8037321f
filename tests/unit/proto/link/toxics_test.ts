import { assertEquals, assertThrows } from "@std/assert";
import { completeImpairments } from "../../../../src/proto/link/impairments.ts";
import {
  changeToxic,
  impairmentsOf,
  readToxic,
  ToxicError,
} from "../../../../src/proto/link/toxics.ts";

function applied(
  type: string,
  attributes: Record<string, number>,
  { sinceMs = 0, sinceBytes = 0 }: { sinceMs?: number; sinceBytes?: number } =
    {},
) {
  return { toxic: readToxic({ type, attributes }), sinceMs, sinceBytes };
}

Deno.test("impairmentsOf() adds up what adds up, and takes the narrowest of the rest", () => {
  assertEquals(
    impairmentsOf([
      applied("latency", { latency: 100, jitter: 30 }),
      applied("latency", { latency: 10, jitter: 20 }),
      applied("bandwidth", { rate: 64 }),
      applied("bandwidth", { rate: 32 }),
      applied("bandwidth", { rate: 0 }),
      applied("slow_close", { delay: 5 }),
      applied("slicer", { average_size: 10, size_variation: 20, delay: 500 }),
      applied("limit_data", { bytes: 100 }, { sinceBytes: 50 }),
      applied("reset_peer", { timeout: 1000 }, { sinceMs: 200 }),
    ]),
    completeImpairments({
      // 70 to 130, and 0 to 30.
      latencyMs: 70,
      jitterMs: 90,
      bytesPerSecond: 32_000,
      slowCloseMs: 5,
      sliceBytes: 10,
      sliceVariationBytes: 10,
      sliceDelayMs: 0.5,
      limitBytes: 150,
      resetAfterMs: 1200,
    }),
  );
});

Deno.test("impairmentsOf() swallows in a timeout, and closes unless that is 0", () => {
  const open = impairmentsOf([applied("timeout", { timeout: 0 })]);
  assertEquals([open.blackHole, open.closeAfterMs], [true, Infinity]);
  const ends = impairmentsOf([
    applied("timeout", { timeout: 30 }, { sinceMs: 12 }),
  ]);
  assertEquals([ends.blackHole, ends.closeAfterMs], [true, 42]);
});

Deno.test("changeToxic() keeps what is not named, and passes over what it does not know", () => {
  const toxic = readToxic({
    name: "slow",
    type: "latency",
    stream: "upstream",
    toxicity: 0.5,
    attributes: { latency: 5, jitter: 1, colour: 7 },
  });
  assertEquals(changeToxic(toxic, { attributes: { jitter: 2 } }), {
    name: "slow",
    type: "latency",
    stream: "upstream",
    toxicity: 0.5,
    attributes: { latency: 5, jitter: 2 },
  });
  assertEquals(changeToxic(toxic, { toxicity: 1 }).toxicity, 1);
});

Deno.test("readToxic() refuses what is none", () => {
  for (
    const body of [
      null,
      [],
      "latency",
      {},
      { type: "hasOwnProperty" },
      { type: "latency", name: 5 },
      { type: "latency", stream: "sideways" },
      { type: "latency", toxicity: NaN },
      { type: "latency", attributes: [] },
      { type: "latency", attributes: { latency: "5" } },
      { type: "latency", attributes: { latency: 1e300 } },
    ]
  ) {
    assertThrows(() => readToxic(body), ToxicError);
  }
});
