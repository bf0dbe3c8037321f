import { assert, assertEquals, assertThrows } from "@std/assert";
import { Counters } from "../../../src/io/counters.ts";
import { prometheusText } from "../../../src/observe/prometheus.ts";
import { parsePrometheus } from "../../support/prometheus.ts";

function page(counters = new Counters()): string {
  const startedAt = new Date("2026-01-31T12:00:00.500Z");
  return prometheusText({ counters, peers: { size: 7 }, startedAt });
}

Deno.test("prometheusText() keeps the exposition format", () => {
  const families = parsePrometheus(page());
  for (const [name, { type }] of families) {
    assert(/^portolan_[a-z_]+$/.test(name), name);
    assertEquals(name.endsWith("_total"), type === "counter", name);
  }
});

Deno.test("prometheusText() shows every counter of a server", () => {
  const counters = new Counters();
  const scalars = Object.keys(counters).filter((key) => key !== "handling");
  for (const [index, key] of scalars.entries()) {
    Object.assign(counters, { [key]: 1000 + index });
  }
  const values = Array.from(
    parsePrometheus(page(counters)).values(),
    ({ samples }) => samples[0]!.value,
  );
  for (const [index, key] of scalars.entries()) {
    assert(values.includes(1000 + index), `${key} is not on the page`);
  }
});

Deno.test("prometheusText() shows when a certificate ends, where there is one", () => {
  assert(!page().includes("certificate"));
  const certificateEndsAt = new Date("2027-01-31T12:00:00Z");
  const text = prometheusText({
    counters: new Counters(),
    peers: { size: 0 },
    startedAt: new Date(),
    certificateEndsAt,
  });
  const family = parsePrometheus(text).get("portolan_certificate_end_seconds");
  assertEquals(family?.samples[0]?.value, certificateEndsAt.getTime() / 1000);
});

Deno.test("prometheusText() shows what is so now as gauges", () => {
  const families = parsePrometheus(page());
  const gauge = (name: string) => families.get(`portolan_${name}`);
  assertEquals(gauge("connections")?.type, "gauge");
  assertEquals(gauge("connections")?.samples[0]?.value, 7);
  const started = gauge("start_time_seconds")?.samples[0]?.value;
  assertEquals(started, Date.parse("2026-01-31T12:00:00.500Z") / 1000);
});

Deno.test("prometheusText() shows latency in seconds, in cumulative buckets", () => {
  const counters = new Counters();
  for (const ms of [0.05, 0.1, 0.2, 3, 5000]) counters.handling.record(ms);
  const { type, samples } = parsePrometheus(page(counters))
    .get("portolan_handling_seconds")!;
  assertEquals(type, "histogram");
  const bucket = (le: string) =>
    samples.find(({ labels }) => labels["le"] === le)?.value;
  assertEquals(bucket("0.0001"), 2);
  assertEquals(bucket("0.00025"), 3);
  assertEquals(bucket("0.005"), 4);
  assertEquals(bucket("1"), 4);
  assertEquals(bucket("+Inf"), 5);
});

for (
  const [fault, text] of [
    ["no newline at the end", "# TYPE a counter\na 1"],
    ["no type", "a 1\n"],
    ["two types", "# TYPE a counter\n# TYPE a counter\na 1\n"],
    ["samples apart", "# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\na 2\n"],
    ["no number", "# TYPE a gauge\na x\n"],
    ["a bad name", "# TYPE a-b gauge\na-b 1\n"],
    [
      "buckets that fall",
      '# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
    ],
    [
      "a count that is not the last bucket",
      '# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n',
    ],
  ] as const
) {
  Deno.test(`parsePrometheus() refuses a page with ${fault}`, () => {
    assertThrows(() => parsePrometheus(text), SyntaxError);
  });
}
