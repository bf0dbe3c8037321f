import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../../../src/bytes/random.ts";
import { LatencyQuantile } from "../../../../src/proto/resilience/latency_quantile.ts";

Deno.test("LatencyQuantile.quantile() is at most 10 % above the true one", () => {
  const seed = 11;
  const random = seededRandom(seed);
  const latency = new LatencyQuantile(Infinity);
  const all: number[] = [];
  for (let n = 0; n < 20_000; n++) {
    const ms = Math.exp(random() * 12 - 4);
    all.push(ms);
    latency.record(ms);
  }
  all.sort((a, b) => a - b);
  for (const q of [0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999]) {
    const exact = all[Math.ceil(q * all.length) - 1]!;
    const ratio = latency.quantile(q)! / exact;
    assert(ratio >= 1 && ratio < 1.1, `${q}: ${ratio}, seed ${seed}`);
  }
});

Deno.test("LatencyQuantile.quantile() waits for enough latencies", () => {
  const latency = new LatencyQuantile(1000, 3);
  latency.record(10);
  latency.record(10);
  assertEquals(latency.quantile(0.5), undefined);
  latency.record(10);
  assert(latency.quantile(0.5)! >= 10);
});

Deno.test("LatencyQuantile.quantile() follows a server that slows down", () => {
  const latency = new LatencyQuantile(100);
  for (let n = 0; n < 10_000; n++) latency.record(1);
  for (let n = 0; n < 300; n++) latency.record(50);
  assert(latency.quantile(0.5)! >= 50);
});

Deno.test("LatencyQuantile takes latencies of any size", () => {
  const latency = new LatencyQuantile(1000, 1);
  for (const ms of [0, -1, 1e-9]) latency.record(ms);
  assert(latency.quantile(1)! < 0.01);
  latency.record(1e12);
  latency.record(Infinity);
  assert(Number.isFinite(latency.quantile(1)!));
});
