import { assert, assertEquals, assertGreater } from "@std/assert";
import type { Task } from "../../scenarios/hub/engine/cluster.ts";
import { seededRandom } from "../../src/bytes/random.ts";
import {
  CALM,
  VirtualBackplane,
  type VirtualHub,
} from "../support/virtual_backplane.ts";

const SEEDS = 30;
const NAMES = ["ann", "bob", "eve"];
/** Long enough for missing hubs to be found, and for claims to be settled. */
const SETTLE_MS = 10_000;

function seeds(
  name: string,
  body: (random: () => number) => Promise<void>,
): void {
  Deno.test(name, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        await body(seededRandom(seed));
      } catch (error) {
        throw new Error(`Seed ${seed}`, { cause: error });
      }
    }
  });
}

const say = (content: unknown): Task => ({
  task: "everyone",
  message: { type: "broadcast", content, from: "", timestamp: "" },
});

async function start(
  random: () => number,
  ...ids: string[]
): Promise<[VirtualBackplane, ...VirtualHub[]]> {
  const net = new VirtualBackplane(random);
  for (const id of ids) net.start(id);
  await net.advance(1000);
  return [net, ...net.hubs];
}

/** What a hub is answered in calm weather: how many, and whether some are missing. */
async function ask(
  net: VirtualBackplane,
  hub: VirtualHub,
): Promise<[answers: number, partial: boolean, afterMs: number]> {
  const fromMs = net.nowMs;
  const answered = Promise.withResolvers<[number, boolean, number]>();
  hub.cluster.ask(
    { task: "stats" },
    (answers, partial) =>
      answered.resolve([answers.length, partial, net.nowMs - fromMs]),
  );
  await net.advance(1000);
  return await answered.promise;
}

function holders(net: VirtualBackplane, name: string): VirtualHub[] {
  return net.hubs.filter(({ names, state }) =>
    state !== "dead" && names.has(name)
  );
}

seeds(
  "Cluster tells each hub's message once, or that it was missed",
  async (random) => {
    const [net, ...hubs] = await start(random, "a", "b", "c");
    let [said, asked, answered] = [0, 0, 0];
    net.weather = { loss: 0.2, twice: 0.2, delayMs: 40 };
    for (let round = 0; round < 200; round++) {
      if (random() < 0.05) {
        net.sides = new Map(hubs.map((hub) => [hub, Math.floor(random() * 2)]));
      } else if (random() < 0.2) net.sides.clear();
      for (let n = Math.floor(random() * 4); n > 0; n--) {
        const hub = hubs[Math.floor(random() * hubs.length)]!;
        asked++;
        let isDone = false;
        const question: Task = { task: "members", room: "x" };
        hub.cluster.ask(random() < 0.8 ? say(++said) : question, () => {
          assert(!isDone, "answered twice");
          isDone = true;
          answered++;
        });
      }
      await net.advance(random() * 100);
    }
    net.sides.clear();
    net.weather = CALM;
    await net.advance(SETTLE_MS);
    assertEquals(answered, asked);
    const heard = hubs.flatMap((hub) => hub.heard);
    for (const hub of hubs) {
      assertEquals(new Set(hub.heard).size, hub.heard.length, "heard twice");
    }
    const missed = hubs.reduce((sum, hub) => sum + hub.missed, 0);
    assertEquals(heard.length + missed, said * (hubs.length - 1));
    assertGreater(missed, 0);
  },
);

seeds(
  "Cluster gives a name to one hub only while none is missing",
  async (random) => {
    const [net, ...hubs] = await start(random, "a", "b", "c", "d");
    net.weather = { loss: 0.05, twice: 0.3, delayMs: 300 };
    let granted = 0;
    for (let round = 0; round < 200; round++) {
      const name = NAMES[Math.floor(random() * NAMES.length)]!;
      for (const hub of hubs) {
        if (hub.names.has(name)) {
          if (random() < 0.3 && hub.names.delete(name)) {
            hub.cluster.release(name);
          }
        } else if (random() < 0.5) {
          // Their clocks are seconds apart.
          const wallMs = net.nowMs + hubs.indexOf(hub) * 3000;
          void hub.claim(name, wallMs).then((verdict) => {
            if (verdict === "granted") granted++;
            assert(holders(net, name).length <= 1, `two hubs hold ${name}`);
          });
        }
      }
      await net.advance(random() * 200);
      for (const name of NAMES) assert(holders(net, name).length <= 1, name);
    }
    assertGreater(granted, 20);
    assertEquals(hubs.flatMap(({ lost }) => lost), []);
  },
);

seeds(
  "Cluster leaves a name to one of its holders after a partition",
  async (random) => {
    const [net, ...hubs] = await start(random, "a", "b", "c", "d");
    const everHeld = new Set<string>();
    for (let round = 0; round < 60; round++) {
      if (random() < 0.3) {
        net.sides = new Map(hubs.map((hub) => [hub, Math.floor(random() * 3)]));
      }
      net.weather = { loss: random() * 0.5, twice: 0.1, delayMs: 50 };
      const hub = hubs[Math.floor(random() * hubs.length)]!;
      if (random() < 0.1) hub.state = "stopped";
      else if (hub.state === "stopped") hub.resume();
      for (const name of NAMES) {
        if (hub.state !== "runs" || hub.names.has(name)) continue;
        void hub.claim(name, net.nowMs).then((verdict) => {
          if (verdict === "granted") everHeld.add(name);
        });
      }
      await net.advance(random() * 3000);
    }
    net.sides.clear();
    for (const hub of hubs) hub.resume();
    // Half of what settles it is lost as well.
    net.weather = { loss: 0.5, twice: 0.1, delayMs: 50 };
    await net.advance(500);
    net.weather = CALM;
    await net.advance(SETTLE_MS);

    for (const name of everHeld) {
      assertEquals(holders(net, name).length, 1, name);
    }
    for (const hub of hubs) {
      assertEquals((await ask(net, hub)).slice(0, 2), [3, false]);
    }
  },
);

seeds(
  "Cluster gives a name that several want at once to one hub",
  async (random) => {
    const [net, ...hubs] = await start(random, "a", "b", "c", "d");
    net.weather = { loss: 0, twice: 0, delayMs: 100 };
    for (const name of NAMES) {
      for (const hub of hubs) {
        void hub.claim(name, net.nowMs + Math.floor(random() * 3));
      }
    }
    await net.advance(1000);
    for (const name of NAMES) assertEquals(holders(net, name).length, 1);
  },
);

Deno.test("Cluster asks hubs that appear while a name is claimed", async () => {
  const [net, a, b, c, d] = await start(seededRandom(1), "a", "b", "c", "d");
  assert(a && b && c && d);
  net.sides = new Map([[a, 1], [c, 1], [b, 2], [d, 2]]);
  await net.advance(3000);
  c.state = d.state = "stopped";
  const verdicts = Promise.all([a, b].map((hub) => hub.claim("ann", 1)));
  await net.advance(200);
  net.sides.clear();
  await net.advance(800);
  c.resume();
  d.resume();
  await net.advance(1000);
  assertEquals(await verdicts, ["granted", "taken"]);
});

Deno.test("Cluster takes a name from a hub that could not hear its holder", async () => {
  const [net, a, b] = await start(seededRandom(1), "a", "b");
  assert(a && b);
  await Promise.all([b.claim("ann", 1), net.advance(100)]);
  const receive = a.cluster.receive.bind(a.cluster);
  a.cluster.receive = () => {};
  await net.advance(3000);
  await Promise.all([a.claim("ann", 2), net.advance(100)]);
  assertEquals(holders(net, "ann"), [a, b]);
  a.cluster.receive = receive;
  await net.advance(1000);
  assertEquals(holders(net, "ann"), [b]);
  assertEquals(a.lost, ["ann"]);
});

Deno.test("Cluster does not believe others missing after it was stopped", async () => {
  const [net, a, b] = await start(seededRandom(1), "a", "b");
  assert(a && b);
  await Promise.all([a.claim("ann", 1), net.advance(100)]);
  net.sides.set(b, 1);
  b.state = "stopped";
  await net.advance(5000);
  net.sides.clear();
  b.resume();
  const verdict = b.claim("ann", 2);
  await net.advance(1000);
  assertEquals(await verdict, "taken");
});

Deno.test("Cluster frees the names of a hub that was killed, and goes on without it", async () => {
  const [net, a, b, c] = await start(seededRandom(1), "a", "b", "c");
  assert(a && b && c);
  void a.claim("ann", net.nowMs);
  await net.advance(100);
  assertEquals([...a.names], ["ann"]);
  a.state = "dead";
  let verdict = "";
  void b.claim("ann", net.nowMs).then((it) => verdict = it);
  const [answers, partial, afterMs] = await ask(net, b);
  assertEquals([answers, partial], [1, true]);
  assert(afterMs >= 250 && afterMs <= 300, `${afterMs} ms`);
  // It is waited for once.
  const again = await ask(net, b);
  assertEquals(again.slice(0, 2), [1, true]);
  assert(again[2] < 10, `${again[2]} ms`);
  await net.advance(1500);
  assertEquals(verdict, "granted");
  assertEquals((await ask(net, b)).slice(0, 2), [1, false]);
  assertEquals(b.cluster.size, 2);
});

Deno.test("Cluster does without a hub at once that says goodbye", async () => {
  const [net, a, b] = await start(seededRandom(1), "a", "b");
  assert(a && b);
  a.cluster.leave();
  a.state = "dead";
  await net.advance(10);
  assertEquals(b.cluster.size, 1);
  const [answers, partial, afterMs] = await ask(net, b);
  assertEquals([answers, partial], [0, false]);
  assert(afterMs < 10);
});

Deno.test("Cluster publishes what is asked in one turn at once", async () => {
  const [net, a] = await start(seededRandom(1), "a", "b");
  assert(a);
  const published: string[] = [];
  const publish = net.publish.bind(net);
  net.publish = (from, text) => {
    if (text.includes("broadcast")) published.push(text);
    publish(from, text);
  };
  let done = 0;
  for (let n = 0; n < 100; n++) a.cluster.ask(say(n), () => done++);
  await net.advance(10);
  assertEquals([published.length, done], [1, 100]);
});

Deno.test("Cluster tells a hub that was away what it missed, and a new one nothing", async () => {
  const [net, a, b] = await start(seededRandom(1), "a", "b");
  assert(a && b);
  for (let n = 0; n < 5; n++) a.cluster.ask(say(n), () => {});
  await net.advance(10);
  net.sides.set(b, 1);
  for (let n = 5; n < 12; n++) a.cluster.ask(say(n), () => {});
  await net.advance(5000);
  const c = net.start("c");
  await net.advance(1000);
  for (let n = 0; n < 3; n++) c.cluster.ask(say(n), () => {});
  await net.advance(1000);
  net.sides.clear();
  await net.advance(1000);
  assertEquals([b.missed, b.heard.length], [7 + 3, 5]);

  assertEquals([c.missed, c.heard.length], [0, 0]);
});

Deno.test("Cluster refuses a name while a hub is heard but never answers", async () => {
  const [net, a, b] = await start(seededRandom(1), "a", "b");
  assert(a && b);
  const send = net.send.bind(net);
  net.send = (from, hub, text) => {
    if (!text.includes("verdict")) send(from, hub, text);
  };
  let verdict = "";
  void a.claim("ann", net.nowMs).then((it) => verdict = it);
  await net.advance(4900);
  assertEquals(verdict, "");
  await net.advance(300);
  assertEquals([verdict, a.names.size], ["unavailable", 0]);
});

Deno.test("Cluster passes over what is no message of a hub", async () => {
  const [, a] = await start(seededRandom(1), "a", "b");
  assert(a);
  for (const text of ["", "{", "null", "1", '"a"', "[]", '{"from":1}']) {
    a.cluster.receive(text);
  }
  assertEquals(a.cluster.size, 2);
});
