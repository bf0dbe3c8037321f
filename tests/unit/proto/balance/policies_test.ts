import { assert, assertEquals, assertThrows } from "@std/assert";
import { seededRandom } from "../../../../src/bytes/random.ts";
import { LatencyModel } from "../../../../src/proto/balance/latency_model.ts";
import { Learned } from "../../../../src/proto/balance/learned.ts";
import { LeastConnections } from "../../../../src/proto/balance/least_connections.ts";
import { Maglev, maglevTable } from "../../../../src/proto/balance/maglev.ts";
import { PeakEwma } from "../../../../src/proto/balance/peak_ewma.ts";
import {
  BALANCE_POLICIES,
  balancePolicy,
} from "../../../../src/proto/balance/policies.ts";
import { RandomTwo } from "../../../../src/proto/balance/random_two.ts";
import { RoundRobin } from "../../../../src/proto/balance/round_robin.ts";
import { SmoothWeighted } from "../../../../src/proto/balance/smooth_weighted.ts";
import { SourceHash } from "../../../../src/proto/balance/source_hash.ts";
import { candidates, picks } from "../../../support/candidates.ts";

Deno.test("RoundRobin gives turns by weight, the heaviest first, spread evenly", () => {
  assertEquals(picks(new RoundRobin(), candidates(1, 1, 1), 7), "abcabca");
  assertEquals(picks(new RoundRobin(), candidates(1, 3), 8), "bbbabbba");
});

Deno.test("RoundRobin passes over who is full, and goes on with who is back", () => {
  const policy = new RoundRobin();
  const all = candidates(1, 1, 1);
  assertEquals(picks(policy, all, 3), "abc");
  all[1]!.isOpen = false;
  assertEquals(picks(policy, all, 4), "acac");
  all[1]!.isOpen = true;
  const after = picks(policy, all, 6);
  for (const name of "abc") assertEquals(after.split(name).length - 1, 2);
});

Deno.test("RoundRobin keeps its turns while backends come and go", () => {
  const policy = new RoundRobin();
  const all = candidates(2, 1, 1);
  picks(policy, all, 3);
  const without = picks(policy, all.slice(0, 2), 6);
  assertEquals(without.split("a").length - 1, 4);
  const again = picks(policy, all, 80);
  assertEquals(again.split("a").length - 1, 40);
  policy.forget("b");
  assertEquals(picks(policy, [all[0]!, all[2]!], 9).includes("b"), false);
});

Deno.test("SmoothWeighted never gives the heaviest all its turns at once", () => {
  assertEquals(
    picks(new SmoothWeighted(), candidates(5, 1, 1), 7),
    "aabacaa",
  );
});

Deno.test("LeastConnections prefers fewer connections for the weight, then who waits for longest", () => {
  const policy = new LeastConnections();
  const all = candidates(1, 2, 1);
  const begin = () => {
    const { candidate } = policy.choose({}, all);
    candidate.active++;
    policy.moved(candidate);
    return candidate.name;
  };
  assertEquals(Array.from({ length: 8 }, begin).join(""), "abcbbacb");
  all[0]!.isOpen = all[1]!.isOpen = false;
  assertEquals(begin(), "c");
});

Deno.test("RandomTwo draws by weight, and takes the less busy", () => {
  const all = candidates(1, 1, 8);
  const chosen = picks(new RandomTwo(), all, 1000);
  assert(chosen.split("c").length > 600);
  all[2]!.active = 100;
  assertEquals(picks(new RandomTwo(), all, 100).includes("c"), false);
  assertEquals(picks(new RandomTwo(), all.slice(2), 2), "cc");
});

Deno.test("SourceHash moves the sources of who left, and no others; weights share them out", () => {
  const policy = new SourceHash();
  const all = candidates(1, 1, 2);
  const keys = Array.from(
    { length: 20_000 },
    (_, n) => `10.${n >> 8}.${n & 255}.7`,
  );
  const homes = (from: typeof all) =>
    keys.map((key) => policy.choose({ key }, from, 0, () => 0).candidate.name);
  const before = homes(all);
  const share = before.filter((name) => name === "c").length / keys.length;
  assert(Math.abs(share - 0.5) < 0.02, `c has ${share}`);
  const after = homes([all[0]!, all[2]!]);
  for (const [index, name] of before.entries()) {
    if (name !== "b") assertEquals(after[index], name);
  }
});

Deno.test("maglevTable() spreads within 1 %, and moves at most 2 % too many when one of 100 leaves", () => {
  const all = Array.from({ length: 100 }, (_, index) => ({
    name: `tcp://10.0.0.${index}:80`,
    weight: 1,
  }));
  const table = maglevTable(all);
  const counts = new Array<number>(100).fill(0);
  for (const index of table) counts[index]!++;
  const fair = table.length / 100;
  for (const count of counts) assert(Math.abs(count - fair) / fair < 0.01);
  for (const gone of [0, 17, 50, 99]) {
    const left = all.filter((_, index) => index !== gone);
    const other = maglevTable(left);
    let moved = 0;
    for (const [place, index] of table.entries()) {
      if (index !== gone && all[index] !== left[other[place]!]) moved++;
    }
    assert(moved / table.length < 0.02, `${moved} moved`);
  }
});

Deno.test("Maglev agrees with others whatever the order of the backends, and bounds loads", () => {
  const all = candidates(1, 1, 1, 1);
  const [one, other] = [new Maglev(), new Maglev()];
  for (let n = 0; n < 500; n++) {
    const key = `192.0.2.${n}`;
    const { candidate } = one.choose({ key }, all, 0, () => 0);
    const same = other.choose({ key }, all.toReversed(), 0, () => 0);
    assertEquals(same.candidate, candidate);
  }
  for (let n = 0; n < 400; n++) {
    const { candidate } = one.choose({ key: "one for all" }, all, 0, () => 0);
    (candidate as typeof all[0]).active++;
  }
  for (const { active } of all) assert(active <= 126, `${active} at one`);
  assertThrows(() => new Maglev({ maxLoad: 0.5 }), RangeError, "at least 1");
});

Deno.test("Maglev goes on to the next in the table when one is closed", () => {
  const all = candidates(1, 1);
  const policy = new Maglev();
  const request = { key: "192.0.2.7" };
  const first = policy.choose(request, all, 0, () => 0).candidate;
  first.isOpen = false;
  const second = policy.choose(request, all, 0, () => 0);
  assert(second.candidate !== first);
  assertEquals(second.why, `hash of 192.0.2.7, past ${first.name} with 0`);
});

Deno.test("SourceHash and Maglev draw at random where there is no source", () => {
  for (const policy of [new SourceHash(), new Maglev()]) {
    assertEquals(new Set(picks(policy, candidates(1, 1, 1), 50)).size, 3);
  }
});

Deno.test("PeakEwma leaves a slow backend alone", () => {
  const all = candidates(1, 1);
  for (const [index, latencyMs] of [500, 5].entries()) {
    all[index]!.load.record({ ok: true, kind: "answered", latencyMs }, 0);
  }
  assertEquals(picks(new PeakEwma(), all, 20), "b".repeat(20));
});

Deno.test("LatencyModel learns base and slope, and forgets what was", () => {
  const model = new LatencyModel();
  assertEquals(model.predict(1, 0), 0);
  assert(model.predict(2, 0) > 1e6);
  const random = seededRandom(1);
  const learn = (factor: number) => {
    for (let n = 0; n < 400; n++) {
      const active = 1 + Math.floor(random() * 10);
      model.learn({ latencyMs: factor * (5 + active ** 2), active }, 0);
    }
  };
  learn(1);
  assert(Math.abs(model.predict(4, 0) - 21) < 1);
  learn(3);
  assert(Math.abs(model.predict(4, 0) - 63) < 3);
  assert(model.predict(4, 5000) >= 5000, "silence is slowness");
});

Deno.test("Learned explores now and then, and forgets who left", () => {
  const all = candidates(1, 1);
  const policy = new Learned({ explore: 0.1 });
  for (let n = 0; n < 50; n++) {
    policy.answered(all[0]!, { latencyMs: 100, active: 1 }, n);
    policy.answered(all[1]!, { latencyMs: 1, active: 1 }, n);
  }
  const random = seededRandom(3);
  const names = Array.from(
    { length: 1000 },
    () => policy.choose({}, all, 50, random).candidate.name,
  );
  const explored = names.filter((name) => name === "a").length;
  assert(explored > 20 && explored < 90, `${explored} of 1000`);
  policy.forget("a");
  assertEquals(policy.choose({}, all, 50, () => 0.5).candidate.name, "a");
});

Deno.test("balancePolicy() makes each policy, which chooses the only one that is open", () => {
  for (const name of BALANCE_POLICIES) {
    const all = candidates(1, 3, 2);
    all[0]!.isOpen = all[2]!.isOpen = false;
    const policy = balancePolicy(name);
    for (const key of [undefined, "192.0.2.1", "192.0.2.2"]) {
      const { candidate } = policy.choose({ key }, all, 0, () => 0.99);
      assertEquals(candidate.name, "b", name);
    }
  }
});
