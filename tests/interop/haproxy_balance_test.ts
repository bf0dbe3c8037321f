import { assertEquals } from "@std/assert";
import { seededRandom } from "../../src/bytes/random.ts";
import type { BalancePolicyName } from "../../src/proto/balance/policies.ts";
import { balance } from "../../src/proxy/balance/balancer.ts";
import type { BalanceEvent } from "../../src/proxy/balance/options.ts";
import type { ProxyRequest } from "../../src/proxy/events.ts";
import { Haproxy } from "../support/haproxy.ts";
import { isInstalled } from "../support/installed.ts";
import { NamedBackends, whoAnswers } from "../support/named_backends.ts";
import { waitUntil } from "../support/wait.ts";

const noHaproxy = !await isInstalled("haproxy", "-v");

/** What a script does: opens a connection, closes the one with this number, or changes a backend. */
type Step = "open" | number | Change;

interface Change {
  readonly do: "drain" | "ready";
  readonly backend: number;
}

/** Opens and closes connections at random; drains backends but the first, and makes them ready again. */
function script(seed: number, length: number, backends: number): Step[] {
  const random = seededRandom(seed);
  const open: number[] = [];
  const draining = new Set<number>();
  let opened = 0;
  return Array.from({ length }, (_, at): Step => {
    if (at % 10 === 9) {
      const backend = 1 + Math.floor(random() * (backends - 1));
      if (draining.delete(backend)) return { do: "ready", backend };
      draining.add(backend);
      return { do: "drain", backend };
    }
    if (open.length > 0 && random() < 0.4) {
      return open.splice(Math.floor(random() * open.length), 1)[0]!;
    }
    open.push(opened++);
    return "open";
  });
}

/** Who answers at each step that opens a connection; each step begins once `settled` with so many open. */
async function play(
  steps: readonly Step[],
  at: Deno.UnixConnectOptions,
  { settled, change }: {
    settled: (open: number) => Promise<void>;
    change: (change: Change) => unknown;
  },
): Promise<number[]> {
  const conns: (Deno.Conn | undefined)[] = [];
  const picks: number[] = [];
  const open = () => conns.filter((conn) => conn !== undefined).length;
  for (const step of steps) {
    if (step === "open") {
      const { conn, index } = await whoAnswers(at);
      conns.push(conn);
      picks.push(index);
    } else if (typeof step === "object") {
      await change(step);
    } else {
      conns[step]!.close();
      conns[step] = undefined;
    }
    await settled(open());
  }
  for (const conn of conns) conn?.close();
  await settled(0);
  return picks;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

async function compare(
  weights: readonly number[],
  steps: readonly Step[],
  policy: readonly [ours: BalancePolicyName, theirs: string],
): Promise<void> {
  using backends = new NamedBackends(weights.length);
  await using theirs = await Haproxy.start((folder) => `
frontend front
  bind unix@${folder}/front.sock
  default_backend back
backend back
  balance ${policy[1]}
${
    backends.ports.map((port, index) =>
      `  server s${index} 127.0.0.1:${port} weight ${weights[index]}`
    ).join("\n")
  }
`);
  const path = `${theirs.folder}/ours.sock`;
  await using ours = await balance({
    listen: `unix:${path}`,
    to: backends.urls.map((to, index) => ({ to, weight: weights[index]! })),
    policy: policy[0],
  });
  const wanted = await play(
    steps,
    { transport: "unix", path: `${theirs.folder}/front.sock` },
    {
      change: ({ do: state, backend }) =>
        theirs.ask(`set server back/s${backend} state ${state}`),
      async settled(open) {
        let now = -1;
        const look = async () => {
          now = sum((await theirs.statistics("back", "scur")).map(Number));
          if (now !== open) setTimeout(look, 1);
        };
        await look();
        await waitUntil(`${open} connections at HAProxy`, () => now === open);
      },
    },
  );
  const picks = await play(steps, { transport: "unix", path }, {
    change: ({ do: type, backend: index }) =>
      ours.change({ type, backend: backends.urls[index]! }),
    settled: (open) =>
      waitUntil(
        `${open} connections`,
        () => sum(ours.backends.map(({ active }) => active)) === open,
      ),
  });
  assertEquals(picks, wanted, `${policy[0]} with ${weights}`);
}

for (
  const policy of [
    ["round-robin", "roundrobin"],
    ["least-connections", "leastconn"],
  ] as const
) {
  Deno.test({
    name: `balance() by ${policy[0]} chooses what HAProxy chooses`,
    ignore: noHaproxy,
    async fn() {
      for (
        const [seed, weights] of [
          [1, [1, 1, 1]],
          [2, [3, 1]],
          [3, [5, 3, 2]],
          [4, [1, 10, 4, 4, 7]],
          [5, [256, 100, 3, 1]],
        ] as const
      ) {
        await compare(weights, script(seed, 100, weights.length), policy);
      }
    },
  });
}

Deno.test({
  name: "HAProxy behind balance() takes PROXY headers, and its health checks",
  ignore: noHaproxy,
  async fn() {
    using backends = new NamedBackends(2);
    for (const version of [1, 2] as const) {
      await using behind = await Haproxy.start((folder) => `
frontend front
  bind unix@${folder}/front.sock accept-proxy
  use_backend clients if { src 127.0.0.1 }
  default_backend checks
backend clients
  server s0 127.0.0.1:${backends.ports[0]}
backend checks
  server s1 127.0.0.1:${backends.ports[1]}
`);
      const events: BalanceEvent[] = [];
      await using front = await balance({
        listen: "tcp://127.0.0.1:0",
        to: [{
          to: `unix:${behind.folder}/front.sock`,
          proxyProtocol: version,
        }],
        check: { type: "exchange", expect: "\u0001" },
        health: { intervalMs: 20, fall: 1 },
        observe: (event) => void events.push(event),
      });
      const port = Number(new URL(front.endpoint).port);
      const { conn, index } = await whoAnswers({ hostname: "127.0.0.1", port });
      assertEquals(index, 0);
      conn.close();
      assertEquals(front.backends[0]!.status, "up");
      assertEquals(
        events.filter(({ type }) => type === "check failed"),
        [],
      );
      await behind.ask("shutdown frontend front");
      await waitUntil("its fall", () => front.backends[0]!.status === "down");
    }
  },
});

Deno.test({
  name:
    "HAProxy before balance() sends PROXY headers, checks it and balances over two",
  ignore: noHaproxy,
  async fn() {
    using backends = new NamedBackends(2);
    const requests: ProxyRequest[] = [];
    const start = (to: string) =>
      balance({
        listen: "tcp://127.0.0.1:0",
        to: [to],
        trustedProxies: ["127.0.0.1"],
        observe: (event) => {
          if (event.type === "relayed") requests.push(event.access.request);
        },
      });
    await using one = await start(backends.urls[0]!);
    const two = await start(backends.urls[1]!);
    const [first, second] = [one, two].map(({ endpoint }) =>
      new URL(endpoint).host
    );
    await using before = await Haproxy.start((folder) => `
frontend front
  bind unix@${folder}/front.sock
  default_backend back
backend back
  server s0 ${first} check inter 50ms fall 1 rise 1 send-proxy check-send-proxy
  server s1 ${second} check inter 50ms fall 1 rise 1 send-proxy-v2 check-send-proxy
`);
    const at = {
      transport: "unix",
      path: `${before.folder}/front.sock`,
    } as const;
    const seen = new Set<number>();
    for (let n = 0; n < 4; n++) {
      const { conn, index } = await whoAnswers(at);
      seen.add(index);
      conn.close();
    }
    assertEquals(seen.size, 2);
    for (const version of [1, 2]) {
      await waitUntil(
        `a header of version ${version}`,
        () => requests.some(({ header }) => header?.version === version),
      );
    }
    await two.drain();
    let status: string[] = [];
    const look = async () => {
      status = await before.statistics("back", "status");
      if (status[1] !== "DOWN") setTimeout(look, 20);
    };
    await look();
    await waitUntil("its fall", () => status[1] === "DOWN");
    for (let n = 0; n < 3; n++) {
      const { conn, index } = await whoAnswers(at);
      assertEquals(index, 0);
      conn.close();
    }
  },
});
