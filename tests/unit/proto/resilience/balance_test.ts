import { assert, assertEquals, assertThrows } from "@std/assert";
import { seededRandom } from "../../../../src/bytes/random.ts";
import {
  chooseServer,
  ServerLoad,
} from "../../../../src/proto/resilience/balance.ts";
import type { OutcomeKind } from "../../../../src/proto/resilience/health.ts";

const SEED = 5;

function record(
  load: ServerLoad,
  latencyMs: number,
  nowMs: number,
  kind: OutcomeKind = "answered",
): void {
  load.record({ ok: kind === "answered", latencyMs, kind }, nowMs);
}

function server(name: string, healthy = true) {
  return { name, healthy, load: new ServerLoad(), isHealthy: () => healthy };
}

Deno.test("ServerLoad.cost() jumps to a peak and falls slowly", () => {
  const load = new ServerLoad();
  record(load, 10, 0);
  record(load, 100, 1000);
  assertEquals(load.cost(1000), 100);
  record(load, 10, 2000);
  const after = load.cost(2000);
  assert(after > 85 && after < 100, `${after}`);
  for (let nowMs = 2000; nowMs < 60_000; nowMs += 100) record(load, 10, nowMs);
  assert(load.cost(60_000) < 11, `${load.cost(60_000)}`);
});

Deno.test("ServerLoad.cost() forgets what nobody has seen lately", () => {
  const load = new ServerLoad();
  record(load, 100, 0);
  assert(load.cost(10_000) < 37);
  assert(load.cost(60_000) < 1);
  assertEquals(load.cost(-5), 100);
});

Deno.test("ServerLoad.cost() grows with the attempts that are out", () => {
  const load = new ServerLoad();
  record(load, 10, 0);
  load.started();
  load.started();
  assertEquals(load.outstanding, 2);
  assertEquals(load.cost(0), 30);
  load.ended();
  assertEquals(load.cost(0), 20);
});

Deno.test("ServerLoad.cost() is prohibitive while the first answer is awaited", () => {
  const load = new ServerLoad();
  assertEquals(load.cost(0), 0);
  load.started();
  assert(load.cost(0) > 1e6);
});

Deno.test("ServerLoad does not take quick failures for speed", () => {
  const load = new ServerLoad();
  record(load, 50, 0);
  for (let n = 0; n < 20; n++) record(load, 0.1, 0, "refused");
  assert(load.cost(0) > 200, `${load.cost(0)}`);
});

Deno.test("ServerLoad learns from those who gave up that it was slow", () => {
  const load = new ServerLoad();
  record(load, 10, 0);
  record(load, 5, 0, "cancelled");
  assertEquals(load.cost(0), 10);
  record(load, 70, 0, "cancelled");
  assertEquals(load.cost(0), 70);
});

Deno.test("chooseServer() sends most to the fast servers", () => {
  const random = seededRandom(SEED);
  const servers = ["a", "b", "c", "slow"].map((name) => server(name));
  const ends: { atMs: number; end: () => void }[] = [];
  const asked = new Map<string, number>();
  for (let nowMs = 0; nowMs < 20_000; nowMs++) {
    while (ends.length > 0 && ends[0]!.atMs <= nowMs) ends.shift()!.end();
    const choice = chooseServer(servers, { nowMs, random });
    const { name, load } = choice.server;
    const latencyMs = (name === "slow" ? 40 : 4) * (0.5 + random());
    load.started();
    asked.set(name, (asked.get(name) ?? 0) + 1);
    const end = () => {
      load.ended();
      record(load, latencyMs, nowMs + latencyMs);
    };
    ends.push({ atMs: nowMs + latencyMs, end });
    ends.sort((one, other) => one.atMs - other.atMs);
  }
  const slow = asked.get("slow")!;
  assert(slow < 1000, `${slow} of 20,000, seed ${SEED}`);
  for (const name of ["a", "b", "c"]) {
    const count = asked.get(name)!;
    assert(count > 5000, `${name}: ${count} of 20,000, seed ${SEED}`);
  }
});

Deno.test("chooseServer() asks healthy servers alone", () => {
  const random = seededRandom(SEED);
  const servers = [server("a"), server("b", false), server("c")];
  for (let n = 0; n < 100; n++) {
    const choice = chooseServer(servers, { nowMs: 0, random });
    assert(choice.server.healthy, `seed ${SEED}`);
    assertEquals(choice.panic, false);
  }
});

Deno.test("chooseServer() ignores health when most are unhealthy", () => {
  const random = seededRandom(SEED);
  const servers = [server("a"), server("b", false), server("c", false)];
  const counts = new Map<string, number>();
  for (let n = 0; n < 900; n++) {
    const choice = chooseServer(servers, { nowMs: 0, random });
    assert(choice.panic);
    const { name } = choice.server;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  assertEquals(counts.size, 3);
  assert(counts.get("a")! < 400, `${counts.get("a")} of 900, seed ${SEED}`);
  const calm = { nowMs: 0, random, panicThreshold: 0 };
  for (let n = 0; n < 100; n++) {
    assertEquals(chooseServer(servers, calm).server.name, "a");
  }
  const last = server("last", false);
  const only = chooseServer([last], { nowMs: 0, random });
  assertEquals(only, { server: last, panic: false });
});

Deno.test("chooseServer() avoids servers while there are others", () => {
  const random = seededRandom(SEED);
  const [a, b] = [server("a"), server("b")];
  for (let n = 0; n < 20; n++) {
    const avoid = new Set([a]);
    const options = { nowMs: 0, random, avoid };
    assertEquals(chooseServer([a, b], options).server.name, "b");
    assertEquals(chooseServer([a], options).server.name, "a");
  }
});

Deno.test("chooseServer() draws two different servers", () => {
  const cheap = server("cheap");
  const dear = server("dear");
  record(cheap.load, 1, 0);
  record(dear.load, 100, 0);
  for (const value of [0, 0.3, 0.5, 0.9, 0.999999]) {
    const options = { nowMs: 0, random: () => value };
    assertEquals(chooseServer([cheap, dear], options).server.name, "cheap");
  }
});

Deno.test("chooseServer() refuses to choose from nothing", () => {
  assertThrows(
    () => chooseServer([], { nowMs: 0, random: () => 0 }),
    RangeError,
    "Cannot choose a server",
  );
});
